#!/bin/bash
# Copies what was built to DESTDIR/PREFIX. Called by `make install`, which sets these five.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${DESTDIR?}" "${PREFIX:?}" "${BUILD:?}" "${VERSION:?}" "${LIBS:?}"
root=$DESTDIR$PREFIX

fill() { sed "s|@PREFIX@|$PREFIX|g; s|@VERSION@|$VERSION|g; s|@LIBS@|$LIBS|g; s|/usr/bin/resnetd|$PREFIX/bin/resnetd|" "$1"; }

install -D -m 755 "$BUILD/resnetd" "$root/bin/resnetd"
install -D -m 644 "$BUILD/libresnet.a" "$root/lib/libresnet.a"
install -D -m 644 include/resnet.h "$root/include/resnet.h"
install -D -m 644 LICENSE "$root/share/doc/resnetd/LICENSE"
install -D -m 644 deploy/models/LICENSE-DATA "$root/share/doc/resnetd/LICENSE-DATA"
install -D -m 644 <(deploy/man.sh "$BUILD/resnetd") "$root/share/man/man1/resnetd.1"
install -D -m 644 <(fill deploy/resnet.pc.in) "$root/lib/pkgconfig/resnet.pc"
install -D -m 644 <(fill deploy/systemd/resnetd.service) "$root/lib/systemd/system/resnetd.service"
