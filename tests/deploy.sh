#!/bin/bash
# The files of deploy/ are held to the tools that read them, where those are installed, and to the
# daemon's own tables: every option, route and metric that they name must exist.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/result.sh
PATH=$PWD/.cache/tools:$PATH:/usr/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# with TOOL NAME COMMAND...
with() {
    local tool=$1 name=$2
    shift 2
    if command -v "$tool" >/dev/null; then result "$name" "$@"; else skip "$name: no $tool here"; fi
}

# The check runs as root only to look names up; replicas that don't resolve are warnings.
proxy_config() {
    haproxy -c -q -f deploy/compose/haproxy.cfg >"$work/log" 2>&1
    [ $? -le 1 ] && ! grep -E 'ALERT|unknown' "$work/log"
}
unit_file() {
    sed "s|/usr/bin/resnetd|/bin/true|; /^Documentation=/d" deploy/systemd/resnetd.service >"$work/resnetd.service"
    systemd-analyze verify "$work/resnetd.service"
}
exposure() { # at most 2.2
    local level
    level=$(systemd-analyze security --offline=true --no-pager deploy/systemd/resnetd.service |
        grep -oP 'exposure level for resnetd.service: \K[0-9.]+')
    echo "exposure level $level"
    awk -v level="$level" 'BEGIN { exit !(level > 0 && level <= 2.2) }'
}

# all_in PATTERN TABLE FILE...: what PATTERN finds in the files must stand, quoted, in the table
all_in() {
    local pattern=$1 table=$2 name wrong=0 seen=0
    shift 2
    while read -r name; do
        seen=1
        grep -qF "\"$name\"" "$table" || { echo "'$name' is not in $table" && wrong=1; }
    done < <(grep -hoP "$pattern" "$@" | sort -u)
    [ $seen = 1 ] && [ $wrong = 0 ]
}
options_exist() {
    tr a-z- A-Z_ <server/options.def >"$work/options"
    all_in '\bRESNETD_\K[A-Z_]+(?=[:=", ])' "$work/options" Dockerfile deploy/*/*.yaml
}
routes_exist() {
    all_in '(?<![a-z])/(v2/health|metrics|infer)[a-z0-9/]*' server/routes.def Dockerfile deploy/*/*.{yaml,cfg}
}
metrics_exist() {
    all_in '\bresnetd_[a-z_]+?(?=(_bucket|_sum|_count)?\b(?!:)[^a-z_])' server/metrics.def \
        deploy/prometheus/resnetd.rules.yaml
}

# Pods without variables of Services, and the protocols of KServe that the daemon speaks.
manifests() {
    python3 - deploy/kubernetes/*.yaml <<'END'
import sys
import yaml

def holders(value):  # of a list of containers, or of KServe's model
    if isinstance(value, dict):
        if "containers" in value or "model" in value:
            yield value
        for inner in value.values():
            yield from holders(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from holders(inner)

wrong, seen = [], set()
for path in sys.argv[1:]:
    for document in yaml.safe_load_all(open(path, encoding="utf-8")):
        kind = document["kind"]
        seen.add(kind)
        if kind == "ServingRuntime":  # has no such field; what uses it has
            if document["spec"]["protocolVersions"] != ["v1", "v2"]:
                wrong.append(path + ": ServingRuntime: protocolVersions")
            continue
        wrong += [f"{path}: {kind}: no enableServiceLinks: false"
                  for pod in holders(document["spec"]) if pod.get("enableServiceLinks") is not False]
print(*wrong, sep="\n")
sys.exit(bool(wrong) or not {"Deployment", "ServingRuntime", "InferenceService"} <= seen)
END
}

# The end of a daemon takes, in seconds at most: grace, the bodies, what is queued, its answers.
default_of() { sed -n "s/^OPTION(COUNT, [a-z_]*, \"$1\", \([0-9]*\),.*/\1/p" server/options.def; }
stops_in() { # FILE SECONDS: the longest time that FILE waits for it
    local grace
    grace=$(grep -oP 'RESNETD_GRACE\D*\K[0-9]+' "$1" || default_of grace)
    local needed=$((grace / 1000 + 2 * $(default_of drain-timeout) + $(default_of timeout) / 1000))
    echo "$1 waits ${2:-no} seconds, a stop takes $needed"
    [ "${2:-0}" -ge "$needed" ]
}
stops() {
    local unit=deploy/systemd/resnetd.service compose=deploy/compose/compose.yaml file
    stops_in $unit "$(sed -n 's/^TimeoutStopSec=//p' $unit)" || return
    stops_in $compose "$(sed -n 's/.*stop_grace_period: \([0-9]*\)s/\1/p' $compose)" || return
    for file in deploy/kubernetes/*.yaml; do
        stops_in "$file" "$(sed -n 's/.*terminationGracePeriodSeconds: \([0-9]*\).*/\1/p' "$file")" || return
    done
}
result 'a stop takes no longer than it is given' stops
result 'options in deploy/ exist' options_exist
result 'routes in deploy/ exist' routes_exist
result 'metrics in deploy/ exist' metrics_exist
if python3 -c 'import yaml' 2>/dev/null; then
    result 'Kubernetes manifests' manifests
else skip 'Kubernetes manifests: no python3-yaml here'; fi
with promtool 'Prometheus rules' promtool check rules deploy/prometheus/resnetd.rules.yaml
with haproxy 'HAProxy configuration' proxy_config
with systemd-analyze 'systemd unit' unit_file
with systemd-analyze 'systemd exposure' exposure
finish
