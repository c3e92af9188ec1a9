#!/bin/sh
# conformance/fuzz/run.sh [SECONDS] [TARGET…]: fuzzes each target for that long (default 60), from its corpus.
#
# A crash ends it with the input that did it, in target/fuzz/TARGET; put that file into corpus/TARGET once it is mended.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root/conformance/fuzz"
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- associate_rq framing command data_set composite part10 \
    attributes commitment gate_walk form zip stow_answer transcode
host=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR="$root/target/fuzz"
# With --target these flags reach the fuzzed code and no build script.
RUSTFLAGS='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1'
export RUSTFLAGS
cargo build --quiet --locked --release --target "$host" --bins
ran=0
for target in "$@"; do
    found=$CARGO_TARGET_DIR/found/$target
    mkdir -p "$found"
    printf 'fuzz: %s for %s s\n' "$target" "$seconds"
    "$CARGO_TARGET_DIR/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -max_len=65536 \
        -artifact_prefix="$CARGO_TARGET_DIR/$target-" -print_final_stats=1 "$found" "corpus/$target" >"$CARGO_TARGET_DIR/$target.log" 2>&1 || {
        tail -n 40 "$CARGO_TARGET_DIR/$target.log"
        printf 'fuzz: %s failed\n' "$target"
        exit 1
    }
    grep -E 'number_of_executed_units|peak_rss_mb' "$CARGO_TARGET_DIR/$target.log"
    ran=$((ran + 1))
done
printf '%s passed, 0 failed\n' "$ran"
