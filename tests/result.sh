# Counting for test scripts, to be sourced: result NAME COMMAND..., skip NAME, then finish.
# shellcheck shell=bash
passed=0 failed=0 skipped=0

result() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
    fi
}

skip() {
    skipped=$((skipped + 1))
    echo "skipped: $1"
}

# The last line, and the exit code.
finish() {
    local more=
    [ $skipped -eq 0 ] || more=", $skipped skipped"
    echo "$passed passed, $failed failed$more"
    [ $failed -eq 0 ]
}
