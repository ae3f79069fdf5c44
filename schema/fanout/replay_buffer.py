"""Keeps the newest results of a group: for members that are behind, and for who comes late."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Final

from ostinato.jobs.changes import Position
from ostinato.schema.fanout.subscriber import EncodedEvent

BURST_SIZE: Final = 100  # results executed before anybody else's turn, and sent in one write
MAX_BURST_BYTES: Final = 262_144  # the same: what a socket holds that has stopped reading
MAX_BUFFER_BYTES: Final = 8_388_608  # of a group, for its slower members
RETAINED_BYTES: Final = 1_048_576  # of a group, for who comes late
TOTAL_RETAINED_BYTES: Final = 33_554_432  # the same, of all groups together
EVENT_OVERHEAD_BYTES: Final = 500  # what a result takes beside its payload


@dataclass(slots=True)
class BufferLimits:
    """How much the groups of a process may keep."""

    results: int
    """Of one group, for its slower members."""
    groups: int = 0

    @property
    def retained_bytes(self) -> int:
        return min(RETAINED_BYTES, TOTAL_RETAINED_BYTES // max(self.groups, 1))


class ReplayBuffer:
    """Results in the order of the history, numbered from 0; the oldest go first."""

    def __init__(self, begins_at: Position, room: BufferLimits) -> None:
        self.start_position = begins_at
        """Every result behind this is here, or still to come."""
        self.first = 0
        """The number of the oldest result."""
        self._room = room
        self._results: deque[EncodedEvent] = deque()
        self._bytes = 0

    def __getitem__(self, number: int) -> EncodedEvent:
        return self._results[number - self.first]

    def __iter__(self) -> Iterator[EncodedEvent]:
        return iter(self._results)

    @property
    def end(self) -> int:
        """The number of the next result."""
        return self.first + len(self._results)

    def is_full(self) -> bool:
        return len(self._results) > self._room.results or self._bytes > MAX_BUFFER_BYTES

    def behind(self, position: Position) -> int:
        """Return the number of the first result for who knows everything up to there."""
        return self.first + bisect_right(self._results, position, key=_position_of)

    def between(self, start: int, end: int) -> Sequence[EncodedEvent]:
        return list(islice(self._results, start - self.first, end - self.first))

    def burst(self, start: int, end: int) -> Sequence[EncodedEvent]:
        """Return as many as one write may hold, one at least if there is one."""
        told = self.between(start, min(end, start + BURST_SIZE))
        sizes = accumulate(map(bytes_of, told))
        return told[: max(1, sum(size <= MAX_BURST_BYTES for size in sizes))]

    def append(self, told: EncodedEvent) -> None:
        self._results.append(told)
        self._bytes += bytes_of(told)

    def drop(self) -> None:
        """Forget the oldest."""
        told = self._results.popleft()
        self._bytes -= bytes_of(told)
        self.start_position = told.place.position
        self.first += 1

    def trim(self, needed: int) -> None:
        """Forget results before that number until the mark_idle is little enough to be kept."""
        most, most_bytes = self._room.results // 2, self._room.retained_bytes
        while self.first < needed and (len(self._results) > most or self._bytes > most_bytes):
            self.drop()


def _position_of(told: EncodedEvent) -> Position:
    return told.place.position


def bytes_of(told: EncodedEvent) -> int:
    return len(told.encoded.payload) + EVENT_OVERHEAD_BYTES
