#!/bin/sh
# lock.sh UV: pin every dependency for all platforms. No index address is written.
set -eu
uv=$1
lock() {
    "$uv" pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --upgrade --quiet --extra build "$@"
}
lock --output-file deploy/requirements.lock
lock --extra dev --constraint deploy/requirements.lock --output-file deploy/requirements-dev.lock
