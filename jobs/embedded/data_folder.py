"""The data folder of `ostinato dev`: its lock, its secret and its description for scripts."""

import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ostinato.jobs.embedded.process import EmbeddedError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
SHARED_VARIABLES = {
    "functions": "OSTINATO_FUNCTIONS",
    "database": "OSTINATO_DATABASE",
    "appDatabase": "OSTINATO_APP_DATABASE",
    "redisPrefix": "OSTINATO_REDIS_PREFIX",
}
"""The variables of `ostinato dev` that `dev.json` contains if they are set, by key."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder for this process; the kernel releases the lock when the process ends."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 32).decode() or "unknown"
            raise EmbeddedError(
                f"Ostinato is already running on {folder} (process {holder}). Stop it first, or "
                "choose another folder and port: OSTINATO_PORT=PORT ostinato dev --data DIR "
                "(in a clone, OSTINATO_PORT=PORT make run ARGS='--data DIR')."
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(file)


def local_secret(folder: Path) -> str:
    """Return the folder's secret; created on first use, readable only by its owner."""
    path = folder / "secret"
    with suppress(FileNotFoundError):
        return path.read_text()
    secret = secrets.token_urlsafe(48)
    write_private(path, secret)
    return secret


def local_password(folder: Path, purpose: str) -> str:
    """Return a password of 64 hexadecimal digits, derived from the folder's secret."""
    return hmac.digest(local_secret(folder).encode(), purpose.encode(), "sha256").hex()


@contextmanager
def dev_description(folder: Path, description: Mapping[str, str]) -> Iterator[None]:
    """Write `dev.json`, which scripts wait for, and delete it on exit."""
    path = folder / "dev.json"
    write_private(path, json.dumps(dict(description), indent=2) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running_description(folder: Path) -> dict[str, str] | None:
    """Read `dev.json`; returns None unless `ostinato dev` is running on the folder."""
    try:
        description: dict[str, str] = json.loads((folder / "dev.json").read_text())
        with locked(folder):
            return None  # left by a killed run
    except FileNotFoundError:
        return None
    except EmbeddedError:
        return description


def delete_description(folder: Path) -> None:
    """Delete the description left by a killed run."""
    (folder / "dev.json").unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable only by its owner."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "w") as file:
        file.write(text)
    new.replace(path)
