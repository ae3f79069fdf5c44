#!/bin/sh
# need.sh CHECK PACKAGE: pass if the check passes; otherwise install the Debian package, or print how to.
set -eu
check=$1 package=$2
sh -c "$check" >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing the Debian package $package"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package"; }; then
        echo "Cannot install the Debian package $package; see the error above. Is this machine online?" >&2
        exit 1
    fi
    sh -c "$check" >/dev/null && exit 0
    echo "$package is installed, but this command still fails: $check" >&2
    exit 1
fi
echo "$package is missing. Install it: sudo apt-get install -y $package" >&2
exit 1
