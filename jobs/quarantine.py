"""Temporary exclusion of documents whose processing failed, with exponential backoff."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)


class _Entry(NamedTuple):
    pause_s: float
    until: float


class Quarantine(Generic[K]):
    """Failed keys, each skipped for a pause that doubles with every further failure.

    When full, a new key evicts the oldest.
    """

    def __init__(
        self,
        max_size: int,
        first_s: float,
        max_s: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without `max_s`, every pause is `first_s`."""
        self._max_size = max_size
        self._first_s = first_s
        self._max_s = first_s if max_s is None else max_s
        self._now = now
        self._entries: dict[K, _Entry] = {}

    def add(self, key: K) -> float:
        """Add a failed key; returns its pause in seconds."""
        previous = self._entries.pop(key, None)
        pause_s = self._first_s if previous is None else min(2 * previous.pause_s, self._max_s)
        while len(self._entries) >= self._max_size:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = _Entry(pause_s, self._now() + pause_s)
        return pause_s

    def remove(self, key: K) -> None:
        """Remove a key after success."""
        self._entries.pop(key, None)

    def __contains__(self, key: K) -> bool:
        entry = self._entries.get(key)
        return entry is not None and self._now() < entry.until

    def keys(self) -> frozenset[K]:
        """Return the keys to skip now."""
        if not self._entries:
            return frozenset()
        now = self._now()
        if self._max_s == self._first_s:  # else expired entries determine the next pause
            self._entries = {key: each for key, each in self._entries.items() if each.until > now}
        return frozenset(key for key, each in self._entries.items() if each.until > now)
