#!/bin/bash
# `make install` into a folder, then a program built from what is there alone.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/result.sh
BUILD=${BUILD:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

installs() { make --no-print-directory install BUILD="$BUILD" DESTDIR="$work" PREFIX=/opt/resnet; }
runs() { [ "$("$work/opt/resnet/bin/resnetd" --version)" = "resnetd $(header_version)" ]; }
header_version() { sed -n 's/^#define RN_VERSION "\(.*\)"/\1/p' include/resnet.h; }

builds_against_it() {
    cat >"$work/program.c" <<'END'
#include <resnet.h>
#include <stdio.h>

int main(void)
{
    rn_error err;
    rn_model *model;
    if (rn_model_load(&model, "missing", NULL, &err) == RN_OK) return 1;
    printf("%s: %s\n", rn_isa_names()[0], err.text);
    return err.status != RN_ERR_IO;
}
END
    export PKG_CONFIG_PATH=$work/opt/resnet/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work
    # shellcheck disable=SC2046 # flags are words
    "${CC:-cc}" -o "$work/program" "$work/program.c" -pthread $(pkg-config --static --cflags --libs resnet)
}
version_agrees() { [ "$(PKG_CONFIG_PATH=$work/opt/resnet/lib/pkgconfig pkg-config --modversion resnet)" = "$(header_version)" ]; }
unit_names_the_prefix() { grep -q '^ExecStart=/opt/resnet/bin/resnetd serve' "$work/opt/resnet/lib/systemd/system/resnetd.service"; }
man_page_is_whole() { # every option of the daemon, every subcommand
    local name whole=0
    sed 's/\\-/-/g' "$work/opt/resnet/share/man/man1/resnetd.1" >"$work/page"
    while read -r name; do
        grep -qE "^ *--$name\b|\"resnetd $name\"" "$work/page" ||
            { echo "not in the man page: $name" && whole=1; }
    done < <(grep -hoP '^(OPTION|COMMAND)\(.*?"\K[a-z-]+(?=")' server/options.def server/cmd/commands.def)
    return $whole
}

result 'make install' installs
result 'the installed daemon runs' runs
result 'the man page is whole' man_page_is_whole
result 'resnet.pc has the version' version_agrees
result 'a program builds against the installed library' builds_against_it
result 'that program runs' "$work/program"
result 'the unit starts what was installed' unit_names_the_prefix
finish
