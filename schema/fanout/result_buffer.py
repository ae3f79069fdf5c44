"""The newest results of a broadcast, buffered for slow and resuming subscribers."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Final, NamedTuple

from ostinato.jobs.changes import Position
from ostinato.resolvers.live.messages import EventPosition
from ostinato.schema.execution.encoding import EncodedResult

WRITE_BATCH_SIZE: Final = 100  # results per write
MAX_WRITE_BATCH_BYTES: Final = 262_144  # per write; a stalled socket buffers one write
MAX_BUFFER_BYTES: Final = 8_388_608  # per broadcast, for slow subscribers
RETAINED_BYTES: Final = 1_048_576  # per broadcast, for resuming clients
TOTAL_RETAINED_BYTES: Final = 33_554_432  # for all broadcasts, for resuming clients
RESULT_OVERHEAD_BYTES: Final = 500  # memory per result in addition to its payload

NOWHERE: Final = EventPosition(Position(""))


class PositionedResult(NamedTuple):
    """An encoded result and its position in the change history."""

    encoded: EncodedResult
    event_position: EventPosition = NOWHERE

    @property
    def size_bytes(self) -> int:
        return len(self.encoded.payload) + RESULT_OVERHEAD_BYTES


@dataclass(slots=True)
class BufferLimits:
    """The buffer limits of the broadcasts of a process."""

    results: int
    """The maximum number of results per broadcast, for slow subscribers."""
    broadcasts: int = 0
    """The number of broadcasts; updated by the registry."""

    @property
    def retained_bytes(self) -> int:
        return min(RETAINED_BYTES, TOTAL_RETAINED_BYTES // max(self.broadcasts, 1))


class ResultBuffer:
    """Results in change order, numbered from 0; the oldest are dropped first."""

    def __init__(self, start_position: Position, limits: BufferLimits) -> None:
        self.start_position = start_position
        """The buffer has, or will have, every result after this position."""
        self.first_number = 0
        """The number of the oldest result."""
        self._limits = limits
        self._results: deque[PositionedResult] = deque()
        self.size_bytes = 0

    def __getitem__(self, number: int) -> PositionedResult:
        return self._results[number - self.first_number]

    def __iter__(self) -> Iterator[PositionedResult]:
        return iter(self._results)

    @property
    def end_number(self) -> int:
        """The number of the next result."""
        return self.first_number + len(self._results)

    def is_full(self) -> bool:
        """Return whether the buffer exceeds its limits for slow subscribers."""
        return len(self._results) > self._limits.results or self.size_bytes > MAX_BUFFER_BYTES

    def number_after(self, position: Position) -> int:
        """Return the number of the first result after `position`."""
        return self.first_number + bisect_right(self._results, position, key=_position_of)

    def between(self, start: int, end: int) -> Sequence[PositionedResult]:
        return list(islice(self._results, start - self.first_number, end - self.first_number))

    def write_batch(self, start: int, end: int) -> Sequence[PositionedResult]:
        """Return the results from `start` to `end` that fit in one write, at least one if any."""
        results = self.between(start, min(end, start + WRITE_BATCH_SIZE))
        sizes = accumulate(result.size_bytes for result in results)
        return results[: max(1, sum(size <= MAX_WRITE_BATCH_BYTES for size in sizes))]

    def append(self, result: PositionedResult) -> None:
        self._results.append(result)
        self.size_bytes += result.size_bytes

    def drop_oldest(self) -> None:
        result = self._results.popleft()
        self.size_bytes -= result.size_bytes
        self.start_position = result.event_position.position
        self.first_number += 1

    def trim(self, needed: int) -> None:
        """Drop results with numbers below `needed` down to the retention limits."""
        limits = self._limits
        while self.first_number < needed and (
            len(self._results) > limits.results // 2 or self.size_bytes > limits.retained_bytes
        ):
            self.drop_oldest()


def _position_of(result: PositionedResult) -> Position:
    return result.event_position.position
