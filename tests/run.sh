#!/bin/bash
# Runs test programs, JOBS (2) at a time, and adds up what they report.
#
#   tests/run.sh PROGRAM...
#
# A program is one of Check's, or a script whose last line is "N passed, N failed" (", N skipped" may
# follow). One that reports no test at all has failed. Each gets TEST_TIMEOUT (900) seconds, and a test
# of Check's CK_TIMEOUT_MULTIPLIER (5) times what it says: they are for what hangs, not for a machine
# that has more to do. Logs are kept in $BUILD/test-logs; those of failures are shown. The last line is
# the sum of all.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build} JOBS=${JOBS:-2} TEST_TIMEOUT=${TEST_TIMEOUT:-900}
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-$TEST_TIMEOUT}
export CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-5}
export BUILD RESNETD=${RESNETD:-$PWD/$BUILD/resnetd} PATH=$PWD/.cache/tools:$PATH
logs=$BUILD/test-logs
rm -rf "$logs" && mkdir -p "$logs" || exit 1

# Reads a log, prints "passed failed skipped"; prints nothing when no test is reported.
counts() {
    awk 'match($0, /^[0-9]+%: Checks: /) {
             gsub(/[^0-9]+/, " "); split($0, n, " ")
             passed += n[2] - n[3] - n[4]; failed += n[3] + n[4]; ran += n[2]
         }
         /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
             gsub(/[^0-9]+/, " "); split($0, n, " ")
             passed += n[1]; failed += n[2]; skipped += n[3]; ran += n[1] + n[2] + n[3]
         }
         END { if (ran) print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# Runs one program and writes its "passed failed skipped" beside its log.
run_one() {
    local program=$1 name log started status passed failed skipped
    name=${program#"$BUILD"/} && name=${name#tests/}
    log=$logs/${name//\//-}.log
    started=$(date +%s%N)
    timeout -k 5 "$TEST_TIMEOUT" "$program" >"$log" 2>&1 </dev/null
    status=$?
    [ $status -eq 124 ] && echo "not done after $TEST_TIMEOUT seconds" >>"$log"
    read -r passed failed skipped < <(counts "$log")
    if [ -z "${passed:-}" ]; then
        echo "no test was reported; exit code $status" >>"$log"
        passed=0 failed=1 skipped=0
    elif [ $status -ne 0 ] && [ "$failed" -eq 0 ]; then
        echo "exit code $status" >>"$log"
        failed=1
    fi
    echo "$passed $failed $skipped" >"$log.count"
    printf '  %-4s %-32s %5d passed%s%s %6.1f s\n' "$([ "$failed" -eq 0 ] && echo ok || echo FAIL)" \
        "$name" "$passed" "$([ "$failed" -eq 0 ] || echo ", $failed failed")" \
        "$([ "$skipped" -eq 0 ] || echo ", $skipped skipped")" \
        "$((($(date +%s%N) - started) / 100000000))e-1"
    [ "$failed" -eq 0 ] || sed 's/^/       | /' "$log" | tail -n 100
}
export -f run_one counts
export logs TEST_TIMEOUT

# shellcheck disable=SC2016 # the inner shell expands it
[ $# -gt 0 ] && printf '%s\0' "$@" | xargs -0 -n 1 -P "$JOBS" bash -c 'run_one "$1"' run_one
cat "$logs"/*.count 2>/dev/null | awk '
    { passed += $1; failed += $2; skipped += $3 }
    END {
        printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
        exit failed > 0 || passed == 0
    }'
