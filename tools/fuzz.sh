#!/usr/bin/env bash
# Feeds bytes to the core as programs, guided by the code that they reach: tools/fuzz.sh [SECONDS] [libFuzzer's options]
# What makes it fail is kept in core-wasm/fuzz/artifacts/requests/; to see it again: tools/fuzz.sh 0 FILE.
set -euo pipefail
core="$(cd "$(dirname "$0")/.." && pwd)/core-wasm"
seconds="${1:-60}"
shift || true
version=0.13.2
tools="$core/target/tools"
if [ ! -x "$tools/bin/cargo-fuzz" ] || [ "$("$tools/bin/cargo-fuzz" --version)" != "cargo-fuzz $version" ]; then
  cargo install cargo-fuzz --version "$version" --locked --quiet --root "$tools"
fi
corpus="$core/target/corpus"
mkdir -p "$corpus"
# The coverage pass is an option of the compiler's that is not stable yet. There is no unsafe code here for an address sanitizer to look at.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$core/target/fuzz" PATH="$tools/bin:$PATH"
if [ "$seconds" = 0 ]; then
  cargo fuzz run --fuzz-dir "$core/fuzz" requests --sanitizer none "$@"
else
  cargo fuzz run --fuzz-dir "$core/fuzz" requests "$corpus" --sanitizer none -- -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 "$@"
fi
