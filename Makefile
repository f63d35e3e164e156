# Everything one does with meshwhy; `make` lists it. CI runs `make lint` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Where users will download the module from, for `make manifests`.
MODULE_URL ?=
# The namespace of its overlay one-namespace.
NAMESPACE ?=
# Where they can read docs/: alerts and dashboard link there.
DOCS_URL ?=
# What `make test-matrix` plays: every minor version that PyPI has (`e2e/src/harness/releases.rs`).
ENVOY_VERSIONS ?= 1.36 1.37 1.38 1.39 1.40
# For `make release-check`: the tag to be, and where the image says that its sources are.
RELEASE ?=
SOURCE_URL ?=
# KEEP=1 leaves the demo running.
KEEP ?=
# Set, `make demo` prints a JSON object for each scenario.
JSON ?=
# How many callbacks `make fuzz` makes, and the seed that shows a failure again.
FUZZ_CALLS ?= 1000000
FUZZ_SEED ?=
FUZZ_SECONDS ?= 60
# The same for `make chaos`.
CHAOS_CONNECTIONS ?= 50000
CHAOS_SEED ?= 1
# How many changes `make pushes` makes.
PUSHES ?= 2000
# What `make soak` plays: healthy requests, then minutes with failures; 0 leaves a part out. Requests a second.
SOAK_REQUESTS ?= 200000
SOAK_MINUTES ?= 30
SOAK_RATE ?= 500

# Recipes get these through the environment, as text: nothing in a value is expanded by make or read by a shell.
SETTINGS := MODULE_URL NAMESPACE DOCS_URL ENVOY_VERSIONS RELEASE SOURCE_URL KEEP JSON FUZZ_CALLS FUZZ_SEED FUZZ_SECONDS \
  CHAOS_CONNECTIONS CHAOS_SEED PUSHES SOAK_REQUESTS SOAK_MINUTES SOAK_RATE
$(foreach name,$(SETTINGS),$(eval export SET_$(name) := $$(value $(name))))
unexport $(SETTINGS)

say = @printf '\n==> %s\n'

.PHONY: help demo demo-istio test test-matrix fuzz chaos pushes soak lint bench bench-failures bench-growth bench-floor bench-prometheus dist release-check cli docs record mutants manifests clean toolchain demo-metrics flood

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: dist ## Break requests in a real Envoy and see them explained (KEEP=1 leaves it running, JSON=1 is for machines)
	$(say) "Demo: a real Envoy with meshwhy (the first run downloads it)"
	@cargo run -p e2e --bin demo -- $${SET_KEEP:+--keep} $${SET_JSON:+--json}

demo-istio: dist ## A real Istio to try meshwhy on, with kubectl and istioctl pointed at it
	$(say) "Demo: a real Istio (the first run builds it from its Go modules, and this program: about 15 minutes)"
	@cargo run -p e2e --bin demo_istio

demo-metrics: dist ## Failures, a real Prometheus, alerts that fire and their links (Ctrl-C ends it)
	$(say) "Demo: metrics and alerts"
	@cargo run -p e2e --bin demo_metrics

test: dist ## Run all tests, those against a real Envoy included
	$(say) "Unit and documentation tests"
	cargo test -p meshwhy -p meshwhy-cli -p xtask -- --quiet
	$(say) "The module in an interpreter: costs, hostile proxies; the fuzz targets on their corpus"
	cargo test -p vm -- --quiet
	$(say) "Scenarios against the newest Envoy (the first run downloads it)"
	cargo test -p e2e
	$(say) "Scenarios against the oldest"
	ENVOY_VERSION=oldest cargo test -p e2e --test scenarios --test hostile

test-matrix: dist ## Run the scenarios on every minor version of Envoy
	@read -ra versions <<<"$$SET_ENVOY_VERSIONS"; for version in "$${versions[@]}"; do \
	  printf '\n==> %s\n' "Scenarios on Envoy $$version"; \
	  ENVOY_VERSION="$$version" cargo test -q -p e2e --test scenarios --test hostile || failed="$${failed:-} $$version"; \
	done; if [ -n "$${failed:-}" ]; then echo "failed on:$$failed" >&2; exit 1; fi

fuzz: dist ## Try to break it for minutes: a hostile proxy (FUZZ_CALLS, FUZZ_SEED), libFuzzer (FUZZ_SECONDS each)
	$(say) "The module against a hostile proxy"
	export MESHWHY_FUZZ_CALLS="$$SET_FUZZ_CALLS"; [ -z "$$SET_FUZZ_SEED" ] || export MESHWHY_FUZZ_SEED="$$SET_FUZZ_SEED"; \
	cargo test -q -p vm --test hostile -- --nocapture
	$(say) "Parsers and rules under libFuzzer"
	fuzz/run.sh "$$SET_FUZZ_SECONDS"

chaos: dist ## Garbage and changing configuration at a real Envoy for minutes (CHAOS_CONNECTIONS, CHAOS_SEED)
	$(say) "Garbage at every kind of listener, and changes of plugin, listeners and certificates, under load"
	MESHWHY_CHAOS_CONNECTIONS="$$SET_CHAOS_CONNECTIONS" MESHWHY_CHAOS_SEED="$$SET_CHAOS_SEED" cargo test -q -p e2e --test hostile chaos -- --nocapture

pushes: dist ## A proxy that lives: configuration pushed by the thousand under traffic, flat memory (PUSHES)
	$(say) "Routes, clusters, the plugin's configuration and certificates pushed under load"
	MESHWHY_PUSHES="$$SET_PUSHES" cargo test -q -p e2e --test hostile pushed -- --nocapture

soak: dist ## Everything meshes carry, for long: no false alarm, exact counts, flat memory (SOAK_REQUESTS, SOAK_MINUTES, SOAK_RATE)
	$(say) "Soak: a real Envoy with all of meshwhy"
	@cargo run -q -p e2e --bin soak -- --requests "$$SET_SOAK_REQUESTS" --minutes "$$SET_SOAK_MINUTES" --rate "$$SET_SOAK_RATE"

flood: dist ## Failures by the ten thousand, and the minute after them: the log says what it left out
	$(say) "A flood of failures"
	MESHWHY_FLOOD=1 cargo test -q -p e2e --test metrics -- bounded

lint: toolchain ## Check formatting, clippy (native and wasm), documentation and dependencies
	$(say) "Formatting"
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	rustfmt --check src/causes/*/*.rs
	$(say) "Clippy, native"
	cargo clippy --workspace --all-targets -- -D warnings
	$(say) "Clippy, wasm"
	cargo clippy -p meshwhy --lib --target wasm32-unknown-unknown -- -D warnings
	$(say) "Documentation"
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps -p meshwhy -p meshwhy-cli
	$(say) "Dependencies"
	@.ci/dependencies

bench: dist ## Measure what the filter costs a request
	$(say) "Benchmark: Envoy with and without meshwhy"
	cargo run -q -p e2e --bin bench

bench-failures: dist ## Measure what a report takes, for each kind of failure alone
	$(say) "Benchmark: failures"
	cargo run -q -p e2e --bin bench -- failures --rounds 60

bench-growth: dist ## Measure how that grows with workers, connections, series and header sizes
	$(say) "Benchmark: growth"
	cargo run -q -p e2e --bin bench -- growth --rounds 41 --requests 1000

bench-floor: dist ## Measure what each callback and host call of a wasm filter takes
	$(say) "Benchmark: what there is to pay"
	cargo run -q -p e2e --bin bench -- floor --rounds 400

bench-prometheus: dist ## Measure what a thousand proxies cost a real Prometheus
	$(say) "Benchmark: Prometheus"
	cargo run -q -p e2e --bin bench -- prometheus

dist: toolchain ## Build dist/meshwhy.wasm, its OCI image and bill of materials
	$(say) "Module"
	cargo dist

release-check: toolchain ## Build a release in dist/ and check it (RELEASE=vX.Y.Z, SOURCE_URL=https://HOST/REPOSITORY)
	$(say) "Version and changelog"
	@version=$$(cargo metadata --no-deps --format-version 1 | sed 's/.*"name":"meshwhy","version":"\([^"]*\)".*/\1/'); echo "$$version"; \
	if [ -n "$$SET_RELEASE" ]; then \
	  [ "$$SET_RELEASE" = "v$$version" ] || { printf '%q is not v%s, the version of Cargo.toml\n' "$$SET_RELEASE" "$$version" >&2; exit 1; }; \
	  grep -qF "## [$$version]" CHANGELOG.md || { echo "CHANGELOG.md has no [$$version]" >&2; exit 1; }; \
	fi
	$(say) "The same bytes in another folder"
	cargo test -q -p xtask
	$(say) "Module, image, bill of materials"
	cargo dist --revision "$$(git describe --always --abbrev=40 --exclude='*' --dirty)" $${SET_SOURCE_URL:+--source "$$SET_SOURCE_URL"} \
	  $${SET_RELEASE:+$${SET_SOURCE_URL:+--download "$$SET_SOURCE_URL/releases/download/$$SET_RELEASE" --docs "$$SET_SOURCE_URL/blob/$$SET_RELEASE/docs"}}
	$(say) "Command-line tool of this platform, packed for kubectl"
	cargo dist tool
	@url="$${SET_SOURCE_URL:-https://example.com/meshwhy}"; \
	cargo dist krew --url "$$url/releases/download/$${SET_RELEASE:-untagged}" --homepage "$$url"
	@folder="$$(mktemp -d)"; trap 'rm -r "$$folder"' EXIT; archive="$$(ls -t dist/kubectl-meshwhy_*.tar.gz | head -n 1)"; \
	tar -xzf "$$archive" -C "$$folder"; "$$folder/meshwhy" --version; \
	grep -qF "$$(sha256sum "$$archive" | cut -d ' ' -f 1)" dist/meshwhy.krew.yaml || { echo "meshwhy.krew.yaml has another hash" >&2; exit 1; }
	$(say) "Through a registry and back"
	cargo test -q -p e2e --test registry
	$(say) "Checksums"
	cd dist && sha256sum -c SHA256SUMS

cli: toolchain ## Build the command-line tool with its manual pages: dist/meshwhy, dist/kubectl-meshwhy, dist/man
	$(say) "Command-line tool"
	cargo build --release -p meshwhy-cli
	@target=$$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'); \
	mkdir -p dist && cp "$$target/release/meshwhy" dist/ && ln -sf meshwhy dist/kubectl-meshwhy && dist/meshwhy man dist/man

record: toolchain ## Record anew what the filter collects in each scenario, on the newest and the oldest Envoy (tests/recorded)
	$(say) "The module that records"
	cargo dist record
	$(say) "Scenarios on the newest Envoy, and on the oldest"
	MESHWHY_RECORD=1 cargo test -q -p e2e --test scenarios
	MESHWHY_RECORD=1 ENVOY_VERSION=oldest cargo test -q -p e2e --test scenarios
	$(say) "The page's stories on a real Istio"
	MESHWHY_RECORD=1 cargo test -q -p e2e --test istio

mutants: toolchain ## Break diagnosis and evidence in every small way: native tests must notice (cargo-mutants; most of an hour)
	@cargo mutants --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-mutants
	set -- --package meshwhy --file 'src/diagnosis/*.rs' --file 'src/evidence/**/*.rs' --output target --jobs 2; \
	export CARGO_PROFILE_DEV_DEBUG=0; \
	cargo mutants "$$@" --test-package meshwhy -- --lib || [ $$? -eq 2 ]; \
	cargo mutants "$$@" --iterate --test-package meshwhy --test-package meshwhy-cli -- --lib

docs: toolchain ## Write docs/causes.md, docs/look-alikes.md and the tables of docs/reference.md anew
	$(say) "Writing docs/causes.md, docs/reference.md and docs/look-alikes.md"
	MESHWHY_BLESS=1 cargo test -p meshwhy --lib causes -- --quiet
	MESHWHY_BLESS=1 cargo test -p meshwhy --test reference -- --quiet
	MESHWHY_BLESS=1 cargo test -p e2e --test scenarios -- --quiet look_alikes_document

manifests: toolchain ## Render envoyfilter/ and its Helm chart into dist/envoyfilter/ (MODULE_URL=https://HOST/meshwhy.wasm, DOCS_URL=https://HOST/docs, NAMESPACE=...)
	@if [ -z "$$SET_MODULE_URL" ]; then \
	  echo 'Say where the module will be: make manifests MODULE_URL=https://HOST/meshwhy.wasm' >&2; exit 2; \
	fi
	$(say) "Module and manifests"
	cargo dist manifests --url "$$SET_MODULE_URL" $${SET_NAMESPACE:+--namespace "$$SET_NAMESPACE"} $${SET_DOCS_URL:+--docs "$$SET_DOCS_URL"}

clean: ## Remove what was built
	cargo clean
	rm -rf dist

# What rust-toolchain.toml asks for. Asks first whether it is all there, so that it works offline.
toolchain:
	@command -v cargo >/dev/null || { echo 'cargo is missing; install rustup first' >&2; exit 1; }
	@if command -v rustup >/dev/null && ! { cargo clippy --version && cargo fmt --version && \
	    test -d "$$(rustc --print target-libdir --target wasm32-unknown-unknown)"; } >/dev/null 2>&1; then \
	  printf '==> Rust toolchain\n'; rustup toolchain install; \
	fi
