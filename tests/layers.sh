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
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# The tables answer in a variable: a shell for each line of the sources would take minutes.

# Folder of core -> folders whose headers it may include, in $may. "core" is core/*.c, which ties all
# together.
core_may() {
    case $1 in
    base) may=base ;;
    formats) may='base graph kernels/epilogue.h formats' ;; # constants are folded by the formulas
    graph) may='base graph' ;;
    arch) may='base graph formats arch' ;;
    kernels) may='base graph kernels run/team.h' ;;
    plan) may='base graph kernels plan' ;;
    run) may='base graph kernels plan model.h run' ;; # a session is one of a model
    core) may='base graph formats arch kernels plan run core' ;;
    *) may= ;;
    esac
}

# Folder of server -> folders it may include, in $may. "server" is server/*.c.
server_may() {
    case $1 in
    ingest | encode) may="$1 server" ;;
    api) may='api ingest encode server' ;;
    cmd) may='cmd api ingest encode server' ;;
    server) may='server api ingest encode cmd' ;;
    *) may= ;;
    esac
}

# Third-party header, or one that brings it along -> the files that may include it, as patterns in
# $home.
home_of() {
    case $1 in
    microhttpd.h) home=server/http_request.h ;;
    http_request.h) home='server/http.c server/http_*.c' ;; # its only includers: it has the above
    jansson.h) home='core/base/json*.c server/ingest/envelope*.c' ;;
    cblas.h) home=core/kernels/gemm_blas.c ;;
    nettle/*) home='core/formats/digest.c core/base/file.c' ;;
    zlib.h) home='server/ingest/inflate.c server/ingest/png_chunks.c server/compress.c' ;;
    jpeglib.h | jerror.h) home=server/ingest/image_jpeg.c ;;
    spng.h) home=server/ingest/image_png.c ;;
    onnx.pb-c.h | protobuf-c/*) home='core/formats/onnx_*.c' ;;
    immintrin.h) home='core/kernels/x86/* server/ingest/*_x86.c server/ingest/*_avx*.c' ;;
    arm_neon.h) home='core/kernels/arm64/*' ;;
    *) home= ;;
    esac
}

# All files under the current folder in $sources, and in $includes what they include, in order:
# file:"target or file:<target.
read_tree() {
    mapfile -t sources < <(find core server include -name '*.[ch]' 2>/dev/null | sort)
    mapfile -t includes < <(grep -HoP '^\s*#\s*include\s*\K["<][^">]+' "${sources[@]}")
}

# The folder below core/ or server/ that a path belongs to, in $folder; files directly in it count as
# its own name.
folder_of() {
    folder=${1#*/}
    case $folder in */*) folder=${folder%%/*} ;; *) folder=${1%%/*} ;; esac
}

rule_arrows() {
    local line file half target folder from may
    for line in "${includes[@]}"; do
        file=${line%%:*} half=${line%%/*} target=${line#*:?}
        case $line in include/* | *:\<* | *:\"resnet.h) continue ;; esac
        if [ -e "${file%/*}/$target" ]; then
            target=${file%/*}/$target
            case $target in *..*) target=$(realpath --relative-to=. "$target") ;; esac
        elif [ -e "$half/$target" ]; then target=$half/$target
        else echo "$file: \"$target\" is not in $half/"; continue
        fi
        folder_of "$file" && from=$folder
        folder_of "$target"
        "${half}_may" "$from"
        case " $may " in
        *" $folder "* | *" ${target#"$half"/} "*) ;;
        *) echo "$file: $half/$from must not include ${target#"$half"/}" ;;
        esac
    done
}

rule_third_party() {
    local line file header home pattern found
    for line in "${includes[@]}"; do
        file=${line%%:*} header=${line#*:?}
        home_of "$header"
        [ -n "$home" ] || continue
        found=
        # shellcheck disable=SC2254 # the homes are patterns
        for pattern in $home; do case $file in $pattern) found=1 ;; esac; done
        [ -n "$found" ] || echo "$file: <$header> belongs in $home alone"
    done
}

# Called words that may not be, in code without comments and without the insides of strings.
rule_banned() {
    perl -e '
        sub words {
            my ($file, $code, $message, $words) = @_;
            my %seen = map { $_ => 1 } $code =~ /(?<![A-Za-z0-9_.>])($words)(?=\s*\()/g;
            print "$file: $message: $_\n" for sort keys %seen;
        }
        for my $file (@ARGV) {
            open my $source, "<", $file or die "$file: $!\n";
            my $code = do { local $/; <$source> };
            $code =~ s{//[^\n]*|/\*.*?\*/|(["\x27])(?:\\.|[^\\])*?\1}{$1 ? "$1$1" : " "}gse;
            words($file, $code, "banned function",
                "strcpy|strcat|strncat|stpcpy|v?sprintf|strtok|ato[ifl]|gets|alloca|v?s?f?scanf|system");
            next if $file !~ m{^core/};
            words($file, $code, "core neither prints nor exits",
                "v?f?printf|f?puts|f?putc|putchar|perror|fwrite|v?dprintf|_?exit|quick_exit|abort");
            next if $file eq "core/base/mem.c";
            words($file, $code, "core allocates in base/mem.c alone",
                "malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|free|strn?dup|v?asprintf");
        }' "${sources[@]}"
}

rule_owed() {
    { grep -rnwE --include='*.[ch]' '#if 0|TODO|FIXME|XXX' core server include tests 2>/dev/null || true; } |
        sort | sed 's/:[0-9]*:/: dead or owed code: /'
}

# Of each header its first error, under the name of the file that has it.
rule_headers() {
    local half
    for half in core server include; do
        # shellcheck disable=SC2086 # a compiler may be several words
        printf '%s\n' "${sources[@]}" | grep "^$half/.*\.h$" |
            xargs -r -P "${JOBS:-2}" -n 30 $CC -std=c17 -D_GNU_SOURCE -fsyntax-only -Iinclude -I"$half" -x c 2>&1 |
            grep -E ': (fatal )?error: ' | sort -t: -k1,1 -u | sed 's|^\([^:]*\)|\1: does not compile alone: \1|' || true
    done
}

rule_own_header_first() {
    local line file own
    local -A first=()
    for line in "${includes[@]}"; do
        file=${line%%:*}
        [ -n "${first[$file]:-}" ] || first[$file]=${line##*[/:\"<]}
    done
    for file in "${sources[@]}"; do
        own=${file%.c}.h
        if [ "$own" = "$file" ] || [ ! -e "$own" ] || [ "${first[$file]:-}" = "${own##*/}" ]; then continue; fi
        echo "$file: must include ${own##*/} first"
    done
}

rules=(arrows third_party banned owed headers own_header_first)
check_tree() {
    local rule
    read_tree
    for rule in "${rules[@]}"; do "rule_$rule"; done
}

result() { # result OK? NAME
    if [ "$1" = yes ]; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAIL $2"
    fi
}

read_tree
for rule in "${rules[@]}"; do
    wrong=$("rule_$rule")
    [ -z "$wrong" ] || echo "$wrong"
    result "$([ -z "$wrong" ] && echo yes)" "rule $rule"
done

# ---- the rules themselves ------------------------------------------------------------------------

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
