#!/bin/bash
# Checks the house's rules: which way the arrows between folders point, where a third-party header
# may be included, which functions are not used, and that each header compiles alone.
#
# Each rule prints "file: what is wrong" for each violation under the current folder. At the end the
# rules are tried on small trees with one planted violation each: a rule that sees nothing has failed.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
CC=${CC:-cc}
passed=0 failed=0

# Folder of core -> folders whose headers it may include. "core" is core/*.c, which ties all together.
core_may() {
    case $1 in
    base) echo base ;;
    formats) echo base graph kernels/epilogue.h formats ;; # constants are folded by the formulas
    graph) echo base graph ;;
    arch) echo base graph formats arch ;;
    kernels) echo base graph kernels run/team.h ;;
    plan) echo base graph kernels plan ;;
    run) echo base graph kernels plan model.h run ;; # a session is one of a model
    core) echo base graph formats arch kernels plan run core ;;
    esac
}

# Folder of server -> folders it may include. "server" is server/*.c.
server_may() {
    case $1 in
    ingest | encode) echo "$1" server ;;
    api) echo api ingest encode server ;;
    cmd) echo cmd api ingest encode server ;;
    server) echo server api ingest encode cmd ;;
    esac
}

# Third-party header, or one that brings it along -> the files that may include it, as patterns.
home_of() {
    case $1 in
    microhttpd.h) echo server/http_request.h ;;
    http_request.h) echo 'server/http.c server/http_*.c' ;; # its only includers: it has the above
    jansson.h) echo 'core/base/json*.c server/ingest/envelope*.c' ;;
    cblas.h) echo core/kernels/gemm_blas.c ;;
    nettle/*) echo 'core/formats/digest.c core/base/file.c' ;;
    zlib.h) echo 'server/ingest/inflate.c server/ingest/png_chunks.c server/compress.c' ;;
    jpeglib.h | jerror.h) echo server/ingest/image_jpeg.c ;;
    spng.h) echo server/ingest/image_png.c ;;
    onnx.pb-c.h | protobuf-c/*) echo 'core/formats/onnx_*.c' ;;
    immintrin.h) echo 'core/kernels/x86/* server/ingest/*_x86.c server/ingest/*_avx*.c' ;;
    arm_neon.h) echo 'core/kernels/arm64/*' ;;
    esac
}

sources() { find "${@:-core server include}" -name '*.[ch]' 2>/dev/null | sort; }

# The folder below core/ or server/ that a path belongs to; files directly in it count as its own name.
folder_of() {
    local rest=${1#*/}
    case $rest in */*) echo "${rest%%/*}" ;; *) echo "${1%%/*}" ;; esac
}

code_of() { # a file without comments and without the insides of strings
    "$CC" -fpreprocessed -dD -E -P -w "$1" 2>/dev/null | sed 's/"\([^"\\]\|\\.\)*"/""/g'
}

rule_arrows() {
    local half file target folder allowed
    for half in core server; do
        while IFS=: read -r file target; do
            [ -n "$target" ] || continue
            [ "$target" = resnet.h ] && continue
            if [ -e "$(dirname "$file")/$target" ]; then target=$(realpath --relative-to=. "$(dirname "$file")/$target")
            elif [ -e "$half/$target" ]; then target=$half/$target
            else echo "$file: \"$target\" is not in $half/"; continue
            fi
            folder=$(folder_of "$file")
            allowed=" $("${half}_may" "$folder") "
            case $allowed in
            *" $(folder_of "$target") "* | *" ${target#"$half"/} "*) ;;
            *) echo "$file: $half/$folder must not include ${target#"$half"/}" ;;
            esac
        done < <(sources $half | xargs -r grep -HoP '^\s*#\s*include\s*"\K[^"]+')
    done
}

rule_third_party() {
    local file header home pattern found
    while IFS=: read -r file header; do
        home=$(home_of "$header")
        [ -n "$home" ] || continue
        found=
        # shellcheck disable=SC2254 # the homes are patterns
        for pattern in $home; do case $file in $pattern) found=1 ;; esac; done
        [ -n "$found" ] || echo "$file: <$header> belongs in $home alone"
    done < <(sources core server include | xargs -r grep -HoP '^\s*#\s*include\s*[<"]\K[^>"]+')
}

# Called words that may not be: words MESSAGE PATTERN < code
words() {
    { grep -oP "(?<![A-Za-z0-9_.>])($2)(?=\s*\()" || true; } | sort -u | sed "s|^|$1: |"
}

rule_banned() {
    local file code
    while read -r file; do
        code=$(code_of "$file")
        {
            words 'banned function' \
                'strcpy|strcat|strncat|stpcpy|v?sprintf|strtok|ato[ifl]|gets|alloca|v?s?f?scanf|system' <<<"$code"
            [ "${file%%/*}" != core ] || words 'core neither prints nor exits' \
                'v?f?printf|f?puts|f?putc|putchar|perror|fwrite|v?dprintf|_?exit|quick_exit|abort' <<<"$code"
            [ "${file%%/*}" != core ] || [ "$file" = core/base/mem.c ] || words 'core allocates in base/mem.c alone' \
                'malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|free|strn?dup|v?asprintf' <<<"$code"
        } | sed "s|^|$file: |"
    done < <(sources core server include)
}

rule_owed() {
    { sources core server include tests | xargs -r grep -nwE '#if 0|TODO|FIXME|XXX' || true; } |
        sed 's/:[0-9]*:/: dead or owed code: /'
}

rule_headers() {
    local header
    while read -r header; do
        "$CC" -std=c17 -D_GNU_SOURCE -fsyntax-only -Iinclude -I"${header%%/*}" -x c "$header" 2>&1 |
            grep -m1 -E 'error' | sed "s|^|$header: does not compile alone: |" || true
    done < <(sources core server include | grep '\.h$')
}

rule_own_header_first() {
    local file own first
    while read -r file; do
        own=$(basename "${file%.c}.h")
        [ -e "${file%.c}.h" ] || continue
        first=$(grep -m1 -oP '^\s*#\s*include\s*["<]\K[^">]+' "$file" || true)
        [ "$(basename "$first")" = "$own" ] || echo "$file: must include $own first"
    done < <(sources core server | grep '\.c$')
}

rules=(arrows third_party banned owed headers own_header_first)
check_tree() { local rule; for rule in "${rules[@]}"; do "rule_$rule"; done; }

result() { # result OK? NAME
    if [ "$1" = yes ]; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAIL $2"
    fi
}

for rule in "${rules[@]}"; do
    wrong=$("rule_$rule")
    [ -z "$wrong" ] || echo "$wrong"
    result "$([ -z "$wrong" ] && echo yes)" "rule $rule"
done

# ---- the rules themselves ------------------------------------------------------------------------
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

plant() { # plant FILE TEXT EXPECTED: a tree with this one file more must be reported like this
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/core/{base,graph,formats,plan,kernels,run} "$tree"/server/api "$tree"/include
    echo 'int rn_version(void);' | tee "$tree/include/resnet.h" "$tree/core/graph/graph.h" \
        "$tree/core/plan/plan.h" "$tree/core/run/team.h" >"$tree/server/api/api.h"
    printf '#include "graph/graph.h"\n#include "run/team.h"\n/* printf(1) */\n' >"$tree/core/kernels/ref.c"
    mkdir -p "$tree/$(dirname "$1")" && printf '%b\n' "$2" >"$tree/$1"
    local got
    got=$(cd "$tree" && check_tree)
    if [ "$got" = "$3" ]; then result yes; else result no "$1: want '$3', got '$got'"; fi
}

plant core/graph/fine.c '#include "graph/graph.h"\nconst char *s = "puts(x) \\" exit(1)";' ''
plant server/bad.c '#include "graph/graph.h"' 'server/bad.c: "graph/graph.h" is not in server/'
plant server/bad.c '#include "../core/graph/graph.h"' \
    'server/bad.c: server/server must not include core/graph/graph.h'
plant core/graph/bad.c '#include "plan/plan.h"' 'core/graph/bad.c: core/graph must not include plan/plan.h'
plant core/kernels/bad.c '#  include "plan/plan.h"' \
    'core/kernels/bad.c: core/kernels must not include plan/plan.h'
plant core/plan/bad.c '#include "http.h"' 'core/plan/bad.c: "http.h" is not in core/'
plant server/encode/bad.c '#include "api/api.h"' \
    'server/encode/bad.c: server/encode must not include api/api.h'
plant server/api/bad.c '#include <microhttpd.h>' \
    'server/api/bad.c: <microhttpd.h> belongs in server/http_request.h alone'
plant core/formats/bad.c '#include <jansson.h>' \
    'core/formats/bad.c: <jansson.h> belongs in core/base/json*.c server/ingest/envelope*.c alone'
plant server/api/bad.c '#include "http_request.h"' \
    $'server/api/bad.c: "http_request.h" is not in server/\nserver/api/bad.c: <http_request.h> belongs in server/http.c server/http_*.c alone'
plant core/run/bad.c 'void f(void) { printf ("x"); }' 'core/run/bad.c: core neither prints nor exits: printf'
plant core/run/bad.c 'void f(void) { exit(1); }' 'core/run/bad.c: core neither prints nor exits: exit'
plant core/run/bad.c 'void *f(void) { return malloc(1); }' \
    'core/run/bad.c: core allocates in base/mem.c alone: malloc'
plant server/bad.c 'int f(char *a) { strcpy(a, "b"); return atoi(a); }' \
    $'server/bad.c: banned function: atoi\nserver/bad.c: banned function: strcpy'
plant core/graph/fine.c '/* \\uXXXX, /tmp/XXXXXX */' ''
plant server/bad.c '#if 0\n#endif' 'server/bad.c: dead or owed code: #if 0'
plant core/graph/bad.h 'size_t f(void);' \
    "core/graph/bad.h: does not compile alone: core/graph/bad.h:1:1: error: unknown type name 'size_t'"
plant core/graph/graph.c '#include <stddef.h>\n#include "graph/graph.h"' \
    'core/graph/graph.c: must include graph.h first'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
