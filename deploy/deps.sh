#!/bin/bash
# Installs what is missing of the groups in packages.txt; says nothing when nothing is.
#
#   deploy/deps.sh GROUP...
set -euo pipefail
cd "$(dirname "$0")/.."
tools=.cache/tools
missing=() programs=()

for group in "$@"; do
    list=$(sed -n "s/^$group: //p" deploy/packages.txt)
    [ -n "$list" ] || { echo "deploy/packages.txt has no group '$group'" >&2; exit 64; }
    for word in $list; do
        case $word in
        *:*) [ -x "$tools/${word##*/}" ] || command -v "${word##*/}" >/dev/null || programs+=("$word") ;;
        *) [ "$(dpkg-query -W -f='${Status}' "$word" 2>/dev/null)" = 'install ok installed' ] ||
            missing+=("$word") ;;
        esac
    done
done
[ $((${#missing[@]} + ${#programs[@]})) -gt 0 ] || exit 0

if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" -ne 0 ]; then
    echo "Packages are missing. Install them, then try again:" >&2
    echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }; }
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 # asks nothing, starts no service

if [ ${#missing[@]} -gt 0 ]; then
    echo "  APT  ${missing[*]}"
    quietly apt-get update -qq
    quietly apt-get install -qq --no-install-recommends "${missing[@]}"
fi
for word in ${programs[@]+"${programs[@]}"}; do
    package=${word%%:*} path=${word#*:}
    echo "  GET  ${path##*/} from $package"
    mkdir -p "$tools/unpack"
    [ ${#missing[@]} -gt 0 ] || [ "$(id -u)" -ne 0 ] || quietly apt-get update -qq
    (cd "$tools/unpack" && quietly apt-get download -qq "$package")
    quietly dpkg-deb --extract "$tools/unpack/$package"_*.deb "$tools/unpack"
    mv "$tools/unpack/$path" "$tools/"
    rm -rf "$tools/unpack"
done
