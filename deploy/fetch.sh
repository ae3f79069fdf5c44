#!/bin/sh
# fetch.sh VARIABLE COMMAND...: run what downloads packages; if it fails, say what to look at.
variable=$1
shift
"$@" && exit 0
echo >&2
echo "The packages could not be fetched: see above why. Is this machine online? Behind a proxy or a" >&2
echo "mirror, set HTTPS_PROXY or $variable. Then run the same command again: it goes on from here." >&2
exit 1
