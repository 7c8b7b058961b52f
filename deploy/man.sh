#!/bin/bash
# Writes resnetd(1) from the help that the binary makes out of its tables.
#
#   deploy/man.sh BINARY >resnetd.1
set -euo pipefail
binary=$1

# Text as roff shows it: backslashes, and lines that begin with a control character.
literal() { sed 's/\\/\\e/g; s/^[.'"'"']/\\\&&/; s/-/\\-/g'; }

printf '.TH RESNETD 1 "" "%s" "User Commands"\n' "$("$binary" --version)"
printf '.SH NAME\nresnetd \\- residual networks behind HTTP\n.SH SYNOPSIS\n.nf\n'
"$binary" --help | sed -n 's/^\(usage:\|      \) \(resnetd\)/\2/p' | literal
printf '.fi\n.SH OPTIONS\nEach is also a variable (\\-\\-max\\-batch is RESNETD_MAX_BATCH) and a line of the file '
printf 'that \\-\\-config names.\n.nf\n'
"$binary" --help | sed -n '/^  --/,$p' | literal
printf '.fi\n'
for command in $("$binary" --help | sed -n 's/^       resnetd \([a-z]*\) .*/\1/p'); do
    printf '.SS "resnetd %s"\n.nf\n' "$command"
    "$binary" "$command" --help | tail -n +2 | literal
    printf '.fi\n'
done
cat <<'END'
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
not ready any more; after \-\-grace no new connection is accepted, what was accepted is answered,
and the daemon exits with 0. A second one ends it at once.
.TP
.B SIGHUP
loads every model anew beside the one that is served, tests it, and puts it in its place; where that
fails the old one stays, and the log says why.
.SH ENVIRONMENT
Each option but the flags, as RESNETD_MAX_BATCH, and PORT, which counts less than RESNETD_PORT. A variable
RESNETD_* that is no option, or that Kubernetes sets for a Service named resnetd, is ignored with a warning.
.SH "EXIT STATUS"
.TP
.B 0
done; the daemon was asked to stop and answered everything it had accepted
.TP
.B 64
a bad option
.TP
.B 65
a model or an input that can't be used
.TP
.B 66
a file that isn't there
.TP
.B 69
the port is in use
.TP
.B 71
no memory, threads or descriptors
END
