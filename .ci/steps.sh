# Steps with budgets, to be sourced: step NAME SECONDS COMMAND..., then finish.
# From the repository's folder.
# shellcheck shell=bash
JOBS=${JOBS:-$(nproc)}
export JOBS
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
begun=$SECONDS

# Runs a step and keeps the last "N passed, N failed" that it prints: one without, or one that ends
# badly with no failure counted, counts as a failure. What takes longer than its budget is told, and is
# no failure: the machine may have had more to do.
step() {
    local name=$1 budget=$2 started=$SECONDS status sum took
    shift 2
    echo "=== $name, within $budget s"
    "$@" 2>&1 | tee "$logs/$name"
    status=${PIPESTATUS[0]}
    sum=$(grep -xE '[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?' "$logs/$name" | tail -n 1)
    [ -n "$sum" ] || sum='0 passed, 0 failed'
    [ "$status" -eq 0 ] && [ "$sum" != '0 passed, 0 failed' ] || sum=${sum/ 0 failed/ 1 failed}
    took=$((SECONDS - started))
    echo "$sum" >"$logs/$name"
    printf '  %-16s %-34s %5d s of %5d%s\n' "$name" "$sum" $took "$budget" \
        "$([ $took -le "$budget" ] || echo ': OVER ITS BUDGET')" | tee -a "$logs/.took"
}

# Builds and runs programs of tests/ in a folder: programs FOLDER PROGRAM...
programs() {
    local build=$1
    shift
    BUILD=$build tests/run.sh "${@/#/$build/tests/}"
}

# SOAK_SECONDS of it, and what it printed.
soak() {
    local status
    make --no-print-directory -j"$JOBS" all build/tests/bench/soak_bench || return 1
    programs build bench/soak_bench
    status=$?
    cat build/test-logs/bench-soak_bench.log
    return $status
}

# All steps once more, and the sum of all.
finish() {
    echo "=== all, $((SECONDS - begun)) s"
    cat "$logs/.took"
    cat "$logs"/* | awk '
        { passed += $1; failed += $3; skipped += $5 }
        END {
            printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
            exit failed > 0 || passed == 0
        }'
}
