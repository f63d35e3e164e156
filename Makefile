# Everything one does with meshwhy; `make` lists it. CI runs `make lint` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Where users will download the module from, for `make manifests`.
MODULE_URL ?=
# KEEP=1 leaves the demo running.
KEEP ?=

say = @printf '\n==> %s\n'

.PHONY: help demo test lint bench dist docs manifests clean toolchain

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: dist ## Break requests in a real Envoy and see them explained (KEEP=1 leaves it running)
	$(say) "Demo: a real Envoy with meshwhy (the first run downloads it)"
	@cargo run -q -p e2e --bin demo -- $(if $(KEEP),--keep)

test: dist ## Run all tests, those against a real Envoy included
	$(say) "Unit and documentation tests"
	cargo test -p meshwhy -p meshwhy-dist -- --quiet
	$(say) "The module in an interpreter: costs, hostile proxies"
	cargo test -p vm -- --quiet
	$(say) "Scenarios against a real Envoy (the first run downloads it)"
	cargo test -p e2e

lint: toolchain ## Check formatting, clippy (native and wasm) and documentation
	$(say) "Formatting"
	cargo fmt --all --check
	$(say) "Clippy, native"
	cargo clippy --workspace --all-targets -- -D warnings
	$(say) "Clippy, wasm"
	cargo clippy -p meshwhy --target wasm32-unknown-unknown -- -D warnings
	$(say) "Documentation"
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps -p meshwhy

bench: dist ## Measure what the filter costs a request
	$(say) "Benchmark: Envoy with and without meshwhy"
	cargo run -q -p e2e --bin bench

dist: toolchain ## Build dist/meshwhy.wasm
	$(say) "Module"
	cargo dist

docs: toolchain ## Write docs/causes.md anew from the catalogue
	$(say) "Writing docs/causes.md"
	MESHWHY_BLESS=1 cargo test -p meshwhy --lib catalogue -- --quiet

manifests: toolchain ## Render envoyfilter/ into dist/envoyfilter/ (MODULE_URL=https://HOST/meshwhy.wasm)
	@if [ -z '$(MODULE_URL)' ]; then \
	  echo 'Say where the module will be: make manifests MODULE_URL=https://HOST/meshwhy.wasm' >&2; exit 2; \
	fi
	$(say) "Module and manifests"
	cargo dist manifests --url '$(MODULE_URL)'

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
