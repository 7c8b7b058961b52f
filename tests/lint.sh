#!/bin/bash
# Static checks, warnings as errors. Prints what each tool found, and at the end the sum of checks.
#
#   tests/lint.sh [CHECK...]     default: all of gcc clang format tidy cppcheck shell size
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
JOBS=${JOBS:-$(nproc)}
passed=0 failed=0

c_files() { git ls-files --cached --others --exclude-standard -- "${@:-*.[ch]}"; }

compile_with() { # a whole build with warnings as errors, in a folder of its own
    make --no-print-directory -s -j"$JOBS" BUILD="build-lint-$1" CC="$1" CFLAGS=-O2 WERROR=-Werror \
        all tests >/dev/null
}

# Include paths and instruction sets are those of the Makefile, by folder.
tidy_one() {
    local flags=(-std=c17 -D_GNU_SOURCE -Iinclude -Icore -Ibuild/gen)
    case $1 in
    server/*) flags=(-std=c17 -D_GNU_SOURCE -Iinclude -Iserver) ;;
    tests/*) flags+=(-Iserver -Itests) ;;
    *_avx512.c) flags+=(-mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma) ;;
    *_avx2.c) flags+=(-mavx2 -mfma -mf16c) ;;
    esac
    local checks=
    # Kernels may be long and deep; tests are told what happens by Check's macros.
    case $1 in core/kernels/*) checks='-readability-function-size' ;; esac
    # What vectors write it does not see.
    case $1 in server/*_avx*.c) checks='-clang-analyzer-core.UndefinedBinaryOperatorResult' ;; esac
    case $1 in tests/*) checks='-readability-function-size,-clang-analyzer-*,-bugprone-*,-cert-*' ;; esac
    clang-tidy --quiet --checks="$checks" "$1" -- "${flags[@]}" 2>/dev/null
}
export -f tidy_one

check_gcc() { compile_with gcc; }
check_clang() { compile_with clang; }
check_format() { c_files | xargs clang-format --dry-run -Werror; }
# shellcheck disable=SC2016 # the inner shell expands it
check_tidy() {
    make --no-print-directory -s build/gen/onnx.pb-c.h >/dev/null
    c_files '*.c' | grep -v '^core/kernels/arm64/\|^tests/fuzz/' |
        xargs -n 1 -P "$JOBS" bash -c 'tidy_one "$1"' tidy
}
# Whether a text is C is for the compilers to say: cppcheck misreads tables and compound literals. What
# it says of calls between files, with one job alone, knows no _Noreturn.
check_cppcheck() {
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr -j"$JOBS" \
        --suppress=missingInclude --suppress=unknownMacro --suppress=syntaxError \
        --suppress=internalAstError --suppress=nullPointerRedundantCheck --suppress=ctunullpointer --suppress=ctuPointerArith \
        --error-exitcode=1 -Iinclude -Icore -Iserver core server
}
check_shell() { git ls-files '*.sh' .ci | xargs shellcheck -x; }
check_size() { # files over 800 lines, but for tables
    ! c_files | xargs wc -l | awk '$1 > 800 && $2 != "total" { print $2 ": " $1 " lines, 800 is the end" }' |
        grep .
}

[ $# -gt 0 ] || set -- gcc clang format tidy cppcheck shell size
for check in "$@"; do
    started=$SECONDS
    if "check_$check"; then passed=$((passed + 1)) word=ok; else failed=$((failed + 1)) word=FAIL; fi
    printf '  %-4s lint %-10s %4d s\n' $word "$check" $((SECONDS - started))
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
