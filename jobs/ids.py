"""Document ids: 24 hexadecimal characters that sort by creation time."""

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SAMPLE_ID: Final = "0" * 24  # where only its size counts
ID_PATTERN: Final = re.compile(r"[0-9a-f]{24}")


def _host_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class _IdFactory:
    process: str
    sequence: "itertools.count[int]"
    now_ms: Callable[[], int]


_factory = _IdFactory(os.urandom(3).hex(), itertools.count(int.from_bytes(os.urandom(3))), _host_ms)

# A forked process must not continue its parent's sequence.
os.register_at_fork(after_in_child=lambda: setattr(_factory, "process", os.urandom(3).hex()))


def new_id() -> str:
    """Return a new id: 6 bytes of milliseconds, 3 random bytes per process, 3 of a counter.

    Ids of one process sort by creation time, except where the counter wraps.
    Has the layout of a BSON ObjectId, with milliseconds in place of seconds.
    """
    number = next(_factory.sequence) & 0xFFFFFF
    return f"{_factory.now_ms():012x}{_factory.process}{number:06x}"


@contextmanager
def reproducible_ids(process: str, now_ms: Callable[[], int]) -> Iterator[None]:
    """Build all ids of this process from 6 hexadecimal digits, a clock of a test, and a counter
    that starts at 0."""
    before = _factory.process, _factory.sequence, _factory.now_ms
    _factory.process, _factory.sequence, _factory.now_ms = process, itertools.count(), now_ms
    try:
        yield
    finally:
        _factory.process, _factory.sequence, _factory.now_ms = before


def created_at(document_id: str) -> datetime:
    """Return when an id was created, by the clock of its process."""
    return EPOCH + timedelta(milliseconds=int(document_id[:12], 16))


def first_id_at(instant: datetime) -> str:
    """Return the smallest id that can be created at an instant."""
    ms = max((instant - EPOCH) // timedelta(milliseconds=1), 0)
    return f"{ms:012x}{'0' * 12}"


def is_id(text: str) -> bool:
    return ID_PATTERN.fullmatch(text) is not None
