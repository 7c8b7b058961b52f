#!/bin/bash
# Networks made on demand, PyTorch's answers against the engine's: `make test-reference`.
# Needs Debian's python3-torch and python3-torchvision; takes minutes.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
program=$BUILD/tests/golden/golden_test
make --no-print-directory BUILD="$BUILD" "$program" || exit 1

status=0
/usr/bin/python3 tests/reference/random_nets.py "$program" "${RANDOM_NETS:-200}" "${SEED:-1}" || status=1
/usr/bin/python3 tests/reference/full_size.py "$program" || status=1
exit $status
