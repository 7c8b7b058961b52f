#!/bin/bash
# Runs the fuzz targets: one program of libFuzzer for each tests/fuzz/NAME.c, with the corpus in
# tests/fuzz/corpus/NAME, under AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   tests/fuzz.sh SECONDS [NAME...]     0: each input of the corpus once
#
# New inputs go to build-fuzz/corpus/NAME, an input that fails to build-fuzz/NAME-*.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
seconds=${1:-30}
shift
[ $# -gt 0 ] || mapfile -t names < <(cd tests/fuzz && printf '%s\n' *.c | sed 's/\.c$//')
passed=0 failed=0

build() {
    make --no-print-directory -j"${JOBS:-2}" BUILD=build-fuzz CC=clang FORTIFY= CFLAGS='-O1 -g' \
        SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
        "build-fuzz/tests/fuzz/$1" >/dev/null
}

fuzz() {
    local program=build-fuzz/tests/fuzz/$1 corpus=tests/fuzz/corpus/$1
    mkdir -p "build-fuzz/corpus/$1"
    if [ "$seconds" -eq 0 ]; then
        "$program" -rss_limit_mb=2048 "$corpus"/*
    else
        "$program" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
            -artifact_prefix="build-fuzz/$1-" "build-fuzz/corpus/$1" "$corpus"
    fi >"build-fuzz/$1.log" 2>&1 || { tail -n 50 "build-fuzz/$1.log" && return 1; }
}

for name in "${@:-${names[@]}}"; do
    if build "$name" && fuzz "$name"; then
        passed=$((passed + 1))
        printf "  ok   fuzz %-12s %s\n" "$name" "$(grep -E "^Done" "build-fuzz/$name.log" ||
            echo "$(grep -c "^Executed" "build-fuzz/$name.log") inputs")"
    else
        failed=$((failed + 1))
        echo "  FAIL fuzz $name"
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
