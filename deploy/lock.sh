#!/bin/sh
# lock.sh UV: pin every dependency for all platforms. The locks contain no index URL.
set -eu
uv=$1
compile() {
    "$uv" pip compile --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --upgrade --quiet "$@"
}
lock() {
    compile pyproject.toml --extra build "$@"
}
lock --extra dev-server --output-file deploy/requirements.lock
lock --extra dev-server --extra dev --constraint deploy/requirements.lock --output-file deploy/requirements-dev.lock
compile benchmarks/peers/requirements.in --constraint deploy/requirements.lock \
    --output-file deploy/requirements-bench.lock
