#!/bin/bash
# make bench-peers: resnetd beside ONNX Runtime (from npm) and oneDNN (from Debian), in turn in one
# run. Arguments go to tests/bench/peers/peers.py, or after --load to load.py there (make bench-load).
set -euo pipefail
cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build}
deploy/deps.sh reference peers
command -v npm >/dev/null || { echo 'npm is needed: apt-get install nodejs npm' >&2; exit 1; }
[ -d .cache/peers/node_modules/onnxruntime-node ] ||
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix .cache/peers onnxruntime-node
if [ "${1:-}" = --load ]; then
    shift
    exec /usr/bin/python3 tests/bench/peers/load.py "$@"
fi
mkdir -p "$BUILD/tests/bench/peers"
g++ -std=c++17 -O2 -Iinclude -Icore tests/bench/peers/onednn.cpp "$BUILD/libresnet.a" -ldnnl -fopenmp \
    -lopenblas -ljansson -lnettle -lprotobuf-c -lm -o "$BUILD/tests/bench/peers/onednn"
exec /usr/bin/python3 tests/bench/peers/peers.py "$@"
