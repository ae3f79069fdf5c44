#!/bin/sh
# alone.sh COMMAND...: run it when no other set-up is running in this folder.
command -v flock >/dev/null || exec "$@"
exec 9>.setup.lock
flock -n 9 || { echo "Another make is setting up this folder: waiting for it."; flock 9; }
"$@" 9>&-
