#!/bin/bash
# The daemon's API document and answers, held to schemas by Debian's python3-jsonschema, and NVIDIA's
# public Python client where it is installed (TRITON=folder to find it in).
#
#   SPEC=FILE tests/protocols.sh     with the Open Inference Protocol's OpenAPI file as well
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/result.sh
BUILD=${BUILD:-build}
work=$(mktemp -d)
trap 'kill "$daemon" 2>/dev/null; rm -rf "$work"' EXIT

"$BUILD/resnetd" --port 0 --model-control explicit >"$work/out" 2>"$work/log" &
daemon=$!
for _ in $(seq 1200); do
    port=$(sed -n 's/.*ready on http:[^ ]*:\([0-9]*\)$/\1/p' "$work/out")
    [ -n "$port" ] && break
    sleep 0.1
done

# The script's last line is its sum.
count() {
    local line sum
    line=$(tail -n 1 "$work/text")
    read -r -a sum < <(tr -c '0-9\n' ' ' <<<"$line")
    if [ ${#sum[@]} -lt 2 ]; then sum=(0 1); fi
    passed=$((passed + sum[0])) failed=$((failed + sum[1])) skipped=$((skipped + ${sum[2]:-0}))
    grep -v "^$line$" "$work/text"
}

if /usr/bin/python3 -c 'import jsonschema, yaml' 2>/dev/null; then
    /usr/bin/python3 tests/http/api_check.py "$port" >"$work/text" 2>&1
    count
else
    skip "no python3-jsonschema and python3-yaml here"
fi
# Every line of README's block, as it stands there, with a picture at hand.
readme_lines() {
    local line lines=0
    cp tests/golden/images/color-444.jpg "$work/photo.jpg"
    printf 'fail\nmax-time = 60\n' >"$work/.curlrc"
    sed -n '/^H=/,/^[^A-Za-z]/p' README.md | grep '^[A-Za-z]' >"$work/lines"
    sed -i "s|127.0.0.1:8080|127.0.0.1:$port|" "$work/lines"
    while read -r line; do
        lines=$((lines + 1))
        (cd "$work" && CURL_HOME=$work bash -eo pipefail -c "$(head -n 1 lines); $line" >answer.text) ||
            { echo "README: $line"; return 1; }
    done <"$work/lines"
    [ $lines -ge 10 ]
}
result "README's curl lines" readme_lines
PYTHONPATH=${TRITON:-} /usr/bin/python3 tests/http/triton_client.py "$port" >"$work/text" 2>&1
count
result 'the daemon is alive' kill -0 "$daemon"
finish
