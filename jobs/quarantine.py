"""Remembers which documents to skip for a while, because handling them failed."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)


class _Entry(NamedTuple):
    pause_s: float
    until: float


class Quarantine(Generic[K]):
    """Keys that are skipped for a pause, which doubles each time the same key fails again.

    When it is full, the newest key replaces the oldest.
    """

    def __init__(
        self,
        max_size: int,
        first_s: float,
        max_s: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without `max_s` every pause is as long as the first."""
        self._max_size = max_size
        self._first_s = first_s
        self._max_s = first_s if max_s is None else max_s
        self._now = now
        self._entries: dict[K, _Entry] = {}

    def add(self, key: K) -> float:
        """Skip a key that has failed; returns for how many seconds."""
        before = self._entries.pop(key, None)
        pause_s = self._first_s if before is None else min(2 * before.pause_s, self._max_s)
        while len(self._entries) >= self._max_size:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = _Entry(pause_s, self._now() + pause_s)
        return pause_s

    def remove(self, key: K) -> None:
        """Forget a key that was handled."""
        self._entries.pop(key, None)

    def __contains__(self, key: K) -> bool:
        entry = self._entries.get(key)
        return entry is not None and self._now() < entry.until

    def keys(self) -> frozenset[K]:
        """Return the keys that are to be skipped now."""
        if not self._entries:
            return frozenset()
        now = self._now()
        if self._max_s == self._first_s:  # else an old entry tells how long the next pause is
            self._entries = {key: each for key, each in self._entries.items() if each.until > now}
        return frozenset(key for key, each in self._entries.items() if each.until > now)
