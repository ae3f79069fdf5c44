"""Functions that note in a file what becomes of their attempts, wherever they run."""

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
TWICE: Final = Retry(retries=1, base_ms=0)


class AttemptLog:
    """A file to which attempts add a line each, and beside it one that lets each of them go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = Path(name)

    @property
    def lines(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []

    def note(self, attempt: int, what: str) -> None:
        with self._path.open("a") as file:
            file.write(f"{attempt} {what}\n")

    def release(self, attempt: int) -> None:
        self._leave_of(attempt).touch()

    def is_released(self, attempt: int) -> bool:
        return self._leave_of(attempt).exists()

    def _leave_of(self, attempt: int) -> Path:
        return self._path.with_suffix(f".{attempt}")


@action(public=True, name="functions.logAttempts", retry=TWICE)
async def log_attempts(ctx: Context, name: str) -> int:
    """Wait to be let go, and note if somebody stops it."""
    return await _wait(AttemptLog(name), _attempt_of(ctx))


@action(public=True, name="functions.blockAtFirst", retry=TWICE)
async def block_at_first(ctx: Context, name: str) -> int:
    """Wait to be let go; at the first attempt, as no coroutine should."""
    attempt = _attempt_of(ctx)
    if attempt > 1:
        return await _wait(AttemptLog(name), attempt)
    _block(AttemptLog(name), attempt)
    return attempt


@mutation(public=True, name="functions.blockInMutation", timeout_ms=30_000)
async def block_in_mutation(ctx: Context, name: str) -> int:
    """Write; at the first attempt, block the event loop inside the transaction."""
    attempt = _attempt_of(ctx)
    await ctx.db["effects"].insert_one({"_id": ctx.new_id(), "attempt": attempt})
    if attempt == 1:
        _block(AttemptLog(name), attempt)
    return attempt


def _attempt_of(ctx: Context) -> int:
    return ctx.job.attempt


async def _wait(attempt_log: AttemptLog, attempt: int) -> int:
    attempt_log.note(attempt, "began")
    try:
        await eventually(lambda: attempt_log.is_released(attempt), within=TIMEOUT_S)
    except asyncio.CancelledError:
        attempt_log.note(attempt, "was stopped")
        raise
    attempt_log.note(attempt, "returned")
    return attempt


def _block(attempt_log: AttemptLog, attempt: int) -> None:
    attempt_log.note(attempt, "began")
    patient_until = time.monotonic() + TIMEOUT_S
    while not attempt_log.is_released(attempt):
        assert time.monotonic() < patient_until
        threading.Event().wait(0.02)
    attempt_log.note(attempt, "returned")
