#!/bin/bash
# make arm64: builds the kernel tests for arm64 and runs them under qemu-user. Needs Debian's
# gcc-aarch64-linux-gnu and qemu-user, and from its arm64 packages check, libsubunit-dev and
# libopenblas-dev (dpkg --add-architecture arm64).
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}-arm64
cc=aarch64-linux-gnu-gcc
mkdir -p "$build"

objects=()
for source in core/base/{error,mem}.c core/graph/*.c core/kernels/*.c core/kernels/{blocked,ref,arm64}/*.c \
    core/run/{team,cpus}.c tests/kernels/kernel_check.c; do
    [ -e "$source" ] || continue
    object=$build/${source//\//_}.o
    "$cc" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -Iinclude -Icore -Itests -c "$source" -o "$object"
    objects+=("$object")
done
for test in conv other; do
    "$cc" -std=c17 -D_GNU_SOURCE -O2 -Iinclude -Icore -Itests "tests/kernels/${test}_test.c" \
        "${objects[@]}" -static -lcheck -lsubunit -lopenblas -lpthread -lm -lrt -o "$build/${test}_test" \
        2> >(grep -v 'statically linked applications' >&2)
    qemu-aarch64 "$build/${test}_test"
done
