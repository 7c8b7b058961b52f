#!/bin/bash
# Answers that are given before the request has come, to the clients that people use; see
# tests/http/early_answers.py. ROUNDS=10 repeats each case.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/result.sh
RESNETD=${RESNETD:-$PWD/${BUILD:-build}/resnetd}
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT

# start NAME OPTION...: sets NAME to the port
start() {
    local name=$1 port=
    shift
    "$RESNETD" --port 0 --log-level error "$@" >"$work/$name" 2>"$work/$name.log" &
    pids+=($!)
    for _ in $(seq 600); do
        port=$(sed -n 's/.*ready on http:[^ ]*:\([0-9]*\)$/\1/p' "$work/$name")
        [ -n "$port" ] && break
        sleep 0.1
    done
    printf -v "$name" %s "$port"
}

start large --body-timeout 600
start small --max-body-bytes 100000
start held --reading-bytes 2000000 --body-timeout 3600 --idle-timeout 3600
# shellcheck disable=SC2154 # start() sets them
/usr/bin/python3 tests/http/early_answers.py "$large" "$small" "$held" "${ROUNDS:-1}" >"$work/text" 2>&1
read -r -a sum < <(tail -n 1 "$work/text" | tr -c '0-9\n' ' ')
[ ${#sum[@]} -eq 3 ] || sum=(0 1 0)
passed=$((passed + sum[0])) failed=$((failed + sum[1])) skipped=$((skipped + sum[2]))
head -n -1 "$work/text"
[ "${sum[1]}" = 0 ] || cat "$work"/*.log "$work/text"

# Nothing is left of them.
flat() {
    local port
    for port in "$large" "$small" "$held"; do
        for _ in $(seq 200); do
            curl -sS -m 60 "http://127.0.0.1:$port/metrics" >"$work/metrics" || return 1
            grep -qx 'resnetd_http_connections 1' "$work/metrics" &&
                grep -qx 'resnetd_http_lingering_connections 0' "$work/metrics" &&
                grep -qx 'resnetd_http_requests_active 1' "$work/metrics" && continue 2
            sleep 0.1
        done
        grep -E '^resnetd_http_(conn|ling|requests_active)' "$work/metrics"
        return 1
    done
}
result 'nothing is left of early answers' flat
for pid in "${pids[@]}"; do kill "$pid"; done
for pid in "${pids[@]}"; do result 'the daemon stops' wait "$pid"; done
finish
