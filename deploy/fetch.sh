#!/bin/sh
# fetch.sh VARIABLE COMMAND...: run a command that downloads packages; if it fails, print what to check.
variable=$1
shift
"$@" && exit 0
echo >&2
echo "Cannot download the packages; see the error above. Is this machine online? Behind a proxy, set" >&2
echo "HTTPS_PROXY; for a mirror, set $variable. Then run the same command again: it continues from here." >&2
exit 1
