#!/usr/bin/env bash
# Runs each target under libFuzzer, for 60 seconds or as many as the argument says. Needs a C++ compiler for libFuzzer, but
# neither nightly Rust nor cargo-fuzz: what guides the search are code generation options that stable Rust has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-60}
command -v c++ >/dev/null || { echo 'fuzz: no C++ compiler (Debian: g++), so libFuzzer is left out' >&2; exit 0; }

host=$(rustc -vV | sed -n 's/^host: //p')
flags=(--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  flags+=("-Cllvm-args=-sanitizer-coverage-$option")
done
folder=${CARGO_TARGET_DIR:-../target}/fuzz
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
# With a target named, build scripts are compiled without these flags.
RUSTFLAGS="${flags[*]}" cargo build --quiet --release --target "$host" --target-dir "$folder"

for corpus in corpus/*/; do
  target=$(basename "$corpus")
  # What is found goes beside the build; the checked-in corpus only gets what a person puts there.
  mkdir -p "$folder/found/$target"
  echo "fuzz: $target, $seconds s"
  if ! "$folder/$host/release/$target" -max_total_time="$seconds" -max_len=4096 -timeout=5 \
      -artifact_prefix="$folder/found/" "$folder/found/$target" "$corpus" >"$folder/$target.log" 2>&1; then
    tail -n 40 "$folder/$target.log" >&2
    echo "fuzz: $target failed; the input lies in $folder/found" >&2
    exit 1
  fi
  grep '^Done ' "$folder/$target.log"
done
