#!/bin/sh
# alone.sh COMMAND...: run it while no other set-up runs in this folder; wait if one does.
command -v flock >/dev/null || exec "$@"
exec 9>.setup.lock
flock -n 9 || { echo "Another make is setting up in this folder: waiting for it."; flock 9; }
"$@" 9>&-
