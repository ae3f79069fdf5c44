"""Functions that log the course of their attempts to a file, in any process."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Final

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.retry import Retry
from tests.processes import eventually

TIMEOUT_S: Final = 60
TWO_ATTEMPTS: Final = Retry(retries=1, base_ms=0)


class AttemptLog:
    """A log file with lines per attempt, and a file per attempt whose creation releases it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = Path(name)

    @property
    def lines(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []

    def write(self, attempt: int, event: str) -> None:
        with self._path.open("a") as file:
            file.write(f"{attempt} {event}\n")

    def release(self, attempt: int) -> None:
        self._release_file(attempt).touch()

    def is_released(self, attempt: int) -> bool:
        return self._release_file(attempt).exists()

    def _release_file(self, attempt: int) -> Path:
        return self._path.with_suffix(f".{attempt}")


@action(public=True, name="functions.logAttempts", retry=TWO_ATTEMPTS)
async def log_attempts(ctx: Context, name: str) -> int:
    """Wait until released, and log a cancellation."""
    return await _wait(AttemptLog(name), _attempt_of(ctx))


@action(public=True, name="functions.blockAtFirst", retry=TWO_ATTEMPTS)
async def block_at_first(ctx: Context, name: str) -> int:
    """Wait until released; block the event loop meanwhile in the first attempt."""
    attempt = _attempt_of(ctx)
    if attempt > 1:
        return await _wait(AttemptLog(name), attempt)
    _block(AttemptLog(name), attempt)
    return attempt


@mutation(public=True, name="functions.blockInMutation", timeout_ms=30_000)
async def block_in_mutation(ctx: Context, name: str) -> int:
    """Write; in the first attempt, block the event loop inside the transaction."""
    attempt = _attempt_of(ctx)
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "attempt": attempt})
    if attempt == 1:
        _block(AttemptLog(name), attempt)
    return attempt


def _attempt_of(ctx: Context) -> int:
    return ctx.job.attempt


async def _wait(attempt_log: AttemptLog, attempt: int) -> int:
    attempt_log.write(attempt, "started")
    try:
        await eventually(lambda: attempt_log.is_released(attempt), within=TIMEOUT_S)
    except asyncio.CancelledError:
        attempt_log.write(attempt, "canceled")
        raise
    attempt_log.write(attempt, "returned")
    return attempt


def _block(attempt_log: AttemptLog, attempt: int) -> None:
    attempt_log.write(attempt, "started")
    deadline = time.monotonic() + TIMEOUT_S
    while not attempt_log.is_released(attempt):
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    attempt_log.write(attempt, "returned")
