#!/bin/sh
# version.sh NAME COMMAND MAJOR.MINOR HINT: pass if the command has that version or a newer one.
set -eu
name=$1 command=$2 wanted=$3 hint=$4
found=$("$command" --version 2>/dev/null) || found=
set -- $(printf '%s' "$found" | sed -n 's/^[^0-9]*\([0-9][0-9]*\)\.\([0-9][0-9]*\).*/\1 \2/p')
if [ $# = 2 ]; then
    [ "$1" -gt "${wanted%.*}" ] && exit 0
    [ "$1" -eq "${wanted%.*}" ] && [ "$2" -ge "${wanted#*.}" ] && exit 0
    echo "$name $wanted or newer is required, but \`$command\` is ${found#"$name" }. $hint" >&2
else
    echo "$name $wanted or newer is required, but \`$command\` was not found. $hint" >&2
fi
exit 1
