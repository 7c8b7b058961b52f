#!/bin/bash
# What the daemon adds to the engine: tests/bench/http_bench.c on a built-in model, ResNet-18 and
# ResNet-50 with random weights, SECONDS_EACH (4) for each row: some four minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
nets=$BUILD/nets
/usr/bin/python3 tests/reference/random_net.py "$nets" resnet18 resnet50
RESNETD=$BUILD/resnetd "$BUILD/tests/bench/http_bench" "${SECONDS_EACH:-4}" fashion-resnet= \
    resnet18="$nets/resnet18.safetensors" resnet50="$nets/resnet50.safetensors"
