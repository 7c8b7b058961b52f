#!/bin/bash
# The command line as a user meets it: subcommands, exit codes, start-up errors, the ready line.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/result.sh
. tests/fashion.sh
RESNETD=${RESNETD:-$PWD/${BUILD:-build}/resnetd}
unset PORT RESNETD_PORT
models=deploy/models
work=$(mktemp -d)
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

# code WANTED PATTERN COMMAND...: exit code, and a line of stderr
code() {
    local wanted=$1 pattern=$2 got
    shift 2
    "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    [ "$got" = "$wanted" ] && grep -qE -- "$pattern" "$work/err" && return
    echo "exit code $got, want $wanted; stderr, want /$pattern/:" && cat "$work/err"
    return 1
}
# says PATTERN COMMAND...: success, and a line of stdout
says() {
    local pattern=$1
    shift
    "$@" >"$work/out" 2>&1 </dev/null && grep -qE -- "$pattern" "$work/out" && return
    echo "want /$pattern/:" && cat "$work/out"
    return 1
}

result '--version' says '^resnetd [0-9]+\.[0-9]+\.[0-9]+$' "$RESNETD" --version
result '--help' says '^  --max-batch SAMPLES' "$RESNETD" --help
result 'help of a subcommand' says '^usage: resnetd infer .*MODEL FILE' "$RESNETD" infer --help
result '--print-config' says '^max-batch = 7$' env RESNETD_MAX_BATCH=7 "$RESNETD" --print-config
result '--check' says 'fashion-reslayer' "$RESNETD" --check

result 'unknown option' code 64 'max-bitch' "$RESNETD" serve --max-bitch 1
result 'bad value' code 64 'port' "$RESNETD" --port 65536
result 'unknown command' code 64 'srve' "$RESNETD" srve
result 'a model without its option' code 64 '--model deploy/models' "$RESNETD" deploy/models
result 'unknown instruction set of a command' code 64 'this CPU has portable' "$RESNETD" inspect fashion-resnet --isa mmx
result 'unknown option of a command' code 64 'did you mean --batch' "$RESNETD" bench fashion-resnet --bacth 2
result 'command without operands' code 64 'usage' "$RESNETD" infer
head -c 100 "$models/fashion-reslayer/model.safetensors" >"$work/cut.safetensors"
result 'a broken model' code 65 'cut: .*header' "$RESNETD" serve --port 0 --model "$work/cut.safetensors"
result 'inspect of a broken model' code 65 'header' "$RESNETD" inspect "$work/cut.safetensors"
result 'a missing model' code 66 'No such file' "$RESNETD" --model missing=/nonexistent
result 'a missing input' code 66 'No such file' "$RESNETD" infer fashion-reslayer /nonexistent
echo '{"input": [[1, 2], [3]]}' >"$work/ragged.json"
printf 'RIFF\044\0\0\0WEBPVP8 ' >"$work/picture.webp"
result 'a picture of another kind' code 65 'a WebP picture: send JPEG or PNG' "$RESNETD" infer fashion-reslayer "$work/picture.webp"
result 'a ragged input' code 65 'ragged.json: ' "$RESNETD" infer fashion-reslayer "$work/ragged.json"

result 'inspect: parameters' says '^parameters +354,490$' "$RESNETD" inspect fashion-reslayer
result 'inspect: a fused residual layer' says 'Conv2d\+ReLU\+Add +3x3 pad 1 ' \
    "$RESNETD" inspect "$models/fashion-reslayer"
result 'bench' says 'images/s, .* GFLOP/s' "$RESNETD" bench fashion-reslayer --seconds 0.1 --batch 2
result 'bench --json' says '^\{.*"median_ms":[0-9.]+,.*"share":[0-9.e-]+\}\]\}$' \
    "$RESNETD" bench fashion-reslayer --seconds 0.1 --json
worker() { printf '2\n3\n' | "$RESNETD" bench fashion-reslayer --worker --batch 4; }
worker_answers() { worker | awk 'NR == 1 { ok = $0 == "ready -" } NR > 1 { ok = ok && NF == NR && $1 > 0 } END { exit !(ok && NR == 3) }'; }
result 'bench --worker' worker_answers
result 'bench --load' says 'layers from safetensors, .* first answer [0-9.]+ ms .* loading [0-9.]+ ms' \
    "$RESNETD" bench fashion-reslayer --load --rounds 2
result 'bench --load --json' says '"first_answer_ms":[0-9.]+,"load_ms":[0-9.]+,"resident_mb":[0-9.]+,' \
    "$RESNETD" bench "$models/fashion-reslayer" --load --rounds 1 --isa portable --json

# ---- a daemon, and the same file through both ------------------------------------------------------
fashion_image 0 >"$work/image.json"
"$RESNETD" serve --port 0 >"$work/ready" 2>"$work/log" &
server=$!
for _ in $(seq 1200); do
    grep -q 'is ready on' "$work/ready" && break
    sleep 0.1
done
url=$(grep -oP 'is ready on \K\S+' "$work/ready")
port=${url##*:}

same_answer() {
    curl -fsS --data-binary @"$work/image.json" "$url/infer?model=fashion-reslayer&top_k=3" >"$work/served"
    "$RESNETD" infer fashion-reslayer "$work/image.json" --top-k 3 >"$work/direct"
    curl -fsS -T tests/golden/images/color-420.jpg "$url/infer?model=fashion-reslayer" >>"$work/served"
    "$RESNETD" infer fashion-reslayer tests/golden/images/color-420.jpg >>"$work/direct"
    cmp "$work/served" "$work/direct" && grep -q '"label":"Ankle boot"' "$work/direct"
}
result 'infer answers as the daemon does' same_answer
result 'infer calls a file as the daemon would' says '^{"model":"model",' "$RESNETD" infer deploy/models/fashion-resnet/model.safetensors "$work/image.json"
pasted() { grep -oP '^try: \K.*' "$work/ready" | bash | grep -qF '"top":[[{"class":9,'; }
result 'the curl line that is printed works as it is' pasted
# The last digits of an output depend on the CPU's kernels; its first ones and the classes don't.
essence() { grep -oE '"(output|class|label)":[^.]*\.?[0-9]{0,3}|"label":"[^"]*"' | head -c 400; }
readme_shows() {
    curl -fsS "$url/v2/models/fashion-resnet/example" |
        curl -fsS --data-binary @- "$url/infer?top_k=3" | essence >"$work/told"
    grep -m 1 '^{"model":"fashion-resnet"' README.md | essence | cmp - "$work/told" && [ -s "$work/told" ]
}
result "README's answer for one image is the daemon's" readme_shows
result 'a second daemon on that port' code 69 'port|in use' "$RESNETD" serve --port "$port"
result 'healthcheck, --port' "$RESNETD" healthcheck --port "$port"
result 'healthcheck, RESNETD_PORT before PORT' env RESNETD_PORT="$port" PORT=1 "$RESNETD" healthcheck
result 'healthcheck, PORT' env PORT="$port" "$RESNETD" healthcheck
result "healthcheck beside Kubernetes' variables" env RESNETD_PORT=tcp://10.96.0.9:80 PORT="$port" "$RESNETD" healthcheck
echo "port = $port" >"$work/conf"
result 'healthcheck, the port of the config file' env RESNETD_CONFIG="$work/conf" "$RESNETD" healthcheck
# on_host HOST HEALTHCHECK...: a daemon that listens on that address is found by the command
on_host() {
    local host=$1 other port6=
    shift
    "$RESNETD" --host "$host" --port 0 --log-level error >"$work/out6" 2>&1 &
    other=$!
    for _ in $(seq 600); do
        port6=$(sed -n 's/.*ready on http:.*:\([0-9]*\)$/\1/p' "$work/out6")
        [ -n "$port6" ] && break
        kill -0 "$other" 2>/dev/null || break
        sleep 0.1
    done
    "$@" --port "$port6"
    local status=$?
    kill "$other"
    wait "$other"
    return $status
}
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
    result 'healthcheck, a daemon on ::1' on_host ::1 "$RESNETD" healthcheck
    result 'healthcheck, a daemon on ::' on_host :: "$RESNETD" healthcheck
    result 'healthcheck --host' on_host ::1 "$RESNETD" healthcheck --host '[::1]'
    result 'healthcheck, RESNETD_HOST' on_host ::1 env RESNETD_HOST=::1 "$RESNETD" healthcheck
else
    skip 'healthcheck on ::1: no IPv6 here'
fi
result 'healthcheck, localhost' on_host localhost env RESNETD_HOST=localhost "$RESNETD" healthcheck
result 'healthcheck, nobody there' code 1 'refused' "$RESNETD" healthcheck --port 1
result 'healthcheck, not found' code 1 '404' "$RESNETD" healthcheck --port "$port" --path /nothing
metrics_clean() { curl -fsS "$url/metrics" | PATH=$PWD/.cache/tools:$PATH promtool check metrics; }
result '/metrics is clean under promtool' metrics_clean
stops() {
    local status
    kill -TERM "$server"
    wait "$server"
    status=$?
    server=
    [ $status = 0 ]
}
result 'SIGTERM ends it with exit code 0' stops

result 'a default model that is there' says 'fashion-reslayer' \
    "$RESNETD" --check --default-model "$models/fashion-reslayer"
result 'a default model that is not there' says 'fashion-reslayer' \
    "$RESNETD" --check --default-model /nonexistent
result 'a default model that is broken' code 65 'header' "$RESNETD" --check --default-model "$work/cut.safetensors"
finish
