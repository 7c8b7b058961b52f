#!/bin/bash
# Builds the Dockerfile, runs the image read-only and without rights, asks it about real images, and
# stops it. Uses DOCKER_CHECK or ../shared/tools/docker-check.sh, which needs root but no Docker
# engine; without it the test is skipped.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/fashion.sh
. tests/result.sh
check=${DOCKER_CHECK:-../shared/tools/docker-check.sh}
if [ ! -r "$check" ]; then
    skip "no $check here; DOCKER_CHECK may name it"
    finish
    exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
container() { # the tool, with this test's names; its log goes to $work/log
    PORT=18181 IMAGE=resnetd:test NAME=resnetd-test READY=/v2/health/ready bash "$check" "$@" \
        2> >(tee -a "$work/log" >&2)
}

# The class with the largest output must be the image's label.
answers() {
    local first=$1 right=0 n got
    for n in $(seq "$first" $((first + 9))); do
        fashion_image "$n" >"$work/body"
        got=$(curl -fsS -m 120 -H 'Content-Type: application/json' --data-binary @"$work/body" \
            "$url/infer?top_k=1" | grep -oP '"class":\K[0-9]+')
        [ "$got" = "$(fashion_label "$n")" ] && right=$((right + 1))
    done
    echo "$right of 10 images right"
    [ $right -ge 8 ]
}
small_enough() { # "built: 131 MB, user '65532:65532'"
    local size
    size=$(grep -oP 'built: \K[0-9.]+(?= MB)' "$work/log")
    [ "${size%.*}" -lt 150 ]
}

url=$(container . | tail -n 1)
result 'the container answers' [ -n "$url" ]
if [ -n "$url" ]; then
    result 'the image is under 150 MB' small_enough
    result 'the user is a number other than 0' grep -qE "user '[1-9][0-9:]*'" "$work/log"
    result 'no capabilities, no new privileges' grep -qE 'CapEff: 0+ .*NoNewPrivs: 1' "$work/log"
    result 'the health check passes' grep -q 'HEALTHCHECK passes' "$work/log"
    result 'real images are recognised' answers 0
    STOP=1 container
    result 'SIGTERM ends it with exit code 0' grep -q 'exit code 0$' "$work/log"
fi
finish
