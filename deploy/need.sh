#!/bin/sh
# need.sh CHECK PACKAGE: pass if the check does; else install Debian's package, or say how.
set -eu
check=$1 package=$2
sh -c "$check" >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's package $package"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package"; }; then
        echo "Debian's package $package could not be installed: see above why. Is this machine online?" >&2
        exit 1
    fi
    sh -c "$check" >/dev/null && exit 0
    echo "$package is installed, but this still fails: $check" >&2
    exit 1
fi
echo "Missing: $package. Run this once: sudo apt-get install -y $package" >&2
exit 1
