#!/bin/bash
# Times the built-in models layer by layer, then every program of tests/bench.
set -euo pipefail
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
export RESNETD=$PWD/$BUILD/resnetd

for model in deploy/models/*/; do
    echo "== $(basename "$model")"
    "$RESNETD" bench "$model" --batch 1 --layers
    "$RESNETD" bench "$model" --batch 16
done
for program in "$BUILD"/tests/bench/*_bench; do
    [ -x "$program" ] || continue
    echo "== $(basename "$program")"
    "$program"
done
