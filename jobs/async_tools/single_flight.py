"""Deduplicates concurrent reads: callers share the read in flight."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

REST: Final = 10


class SingleFlight(Generic[T]):
    """Runs at most one read at a time, and caches its result."""

    def __init__(self, read: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._read = read
        self._begun_at = 0.0
        self._reading: asyncio.Task[T] | None = None

    async def get(self, max_age_s: float) -> T:
        """Return a result at most `max_age_s` old, or await the read in flight; propagates its
        errors."""
        now = asyncio.get_running_loop().time()
        reading = self._reading
        if reading is None or (reading.done() and self._is_stale(reading, now - max_age_s)):
            reading = self._reading = asyncio.create_task(self._read())
            self._begun_at = now
        elif reading.done():
            return reading.result()
        return await asyncio.shield(reading)

    async def close(self) -> None:
        """Cancel the read in progress."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _is_stale(self, read: asyncio.Task[T], oldest: float) -> bool:
        return self._begun_at < oldest or read.cancelled() or read.exception() is not None


class RestingFlight(SingleFlight[T]):
    """Reads what takes long less often: a read is followed by a rest of REST times its duration."""

    def __init__(self, read: Callable[[], Coroutine[Any, Any, T]]) -> None:
        super().__init__(self._read_and_measure)
        self._unmeasured = read
        self._took_s = 0.0

    async def get(self, max_age_s: float) -> T:
        """Return a result like SingleFlight, or an older one during a rest."""
        return await super().get(max(max_age_s, REST * self._took_s))

    async def _read_and_measure(self) -> T:
        began = time.monotonic()
        result = await self._unmeasured()
        self._took_s = time.monotonic() - began
        return result
