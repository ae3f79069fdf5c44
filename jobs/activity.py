"""The activity of an installation or an owner: what attempts did, in buckets of time. No I/O."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Final

from ostinato.jobs.function_counters import FINE_BOUNDS_S

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ActivityRange(StrEnum):
    """How far a series reaches back."""

    FIFTEEN_MINUTES = "fifteenMinutes"
    ONE_HOUR = "oneHour"
    ONE_DAY = "oneDay"

    @property
    def buckets(self) -> "Buckets":
        return BUCKETS[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """The buckets of a range, aligned to the epoch."""

    size_s: int
    count: int

    @property
    def size(self) -> timedelta:
        return timedelta(seconds=self.size_s)

    def start_of(self, at: datetime) -> datetime:
        """Return the start of the bucket that contains an instant."""
        return EPOCH + (at - EPOCH) // self.size * self.size

    def starts(self, now: datetime) -> list[datetime]:
        """Return the starts of all buckets, oldest first; the newest contains `now`."""
        newest = self.start_of(now)
        return [newest - position * self.size for position in reversed(range(self.count))]


BUCKETS: Final[Mapping[ActivityRange, Buckets]] = {
    ActivityRange.FIFTEEN_MINUTES: Buckets(size_s=15, count=60),
    ActivityRange.ONE_HOUR: Buckets(size_s=60, count=60),
    ActivityRange.ONE_DAY: Buckets(size_s=900, count=96),
}


@dataclass(slots=True, kw_only=True)
class BucketCounts:
    """What was counted in one bucket."""

    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    run_times: Counter[int] = field(default_factory=Counter)
    """By position in FINE_BOUNDS_S, like the next."""
    lateness: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Estimates of two percentiles, within a quarter of the value; None without observations."""

    p50_ms: int | None
    p95_ms: int | None

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> "Percentiles":
        return cls(p50_ms=_quantile_ms(counts, 0.5), p95_ms=_quantile_ms(counts, 0.95))


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityPoint:
    """One bucket of a series."""

    start: datetime
    succeeded: int
    """Jobs that have succeeded."""
    failed: int
    """Jobs that have failed for good."""
    retried: int
    """Failed attempts that are followed by another one."""
    run_time: Percentiles
    """Of the attempts that have ended."""
    lateness: Percentiles
    """From the due time to the start, of the same attempts."""

    @classmethod
    def of(cls, start: datetime, counts: BucketCounts) -> "ActivityPoint":
        return cls(
            start=start,
            succeeded=counts.succeeded,
            failed=counts.failed,
            retried=counts.retried,
            run_time=Percentiles.of(counts.run_times),
            lateness=Percentiles.of(counts.lateness),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A series, oldest point first."""

    at: datetime
    """Scheduler time of the read: the newest bucket contains it."""
    bucket_ms: int
    points: tuple[ActivityPoint, ...]
    counted_from: datetime | None = None
    """None if all jobs were counted; otherwise the due time of the oldest job that was read."""

    @classmethod
    def build(
        cls,
        buckets: Buckets,
        now: datetime,
        counts: Mapping[datetime, BucketCounts],
        counted_from: datetime | None = None,
    ) -> "Activity":
        """Build the series that ends now; buckets without counts are zero."""
        none = BucketCounts()
        starts = buckets.starts(now)
        points = tuple(ActivityPoint.of(start, counts.get(start, none)) for start in starts)
        return cls(
            at=now, bucket_ms=buckets.size_s * 1_000, points=points, counted_from=counted_from
        )


def _quantile_ms(counts: Mapping[int, int], quantile: float) -> int | None:
    """Return a quantile, interpolated between the bounds of its position, in whole ms."""
    rank = quantile * sum(counts.values())
    if not rank:
        return None
    below = 0
    for position in sorted(counts):
        if below + counts[position] >= rank:
            break
        below += counts[position]
    last = len(FINE_BOUNDS_S) - 1
    lower = FINE_BOUNDS_S[min(position - 1, last)] if position else 0.0
    upper = FINE_BOUNDS_S[min(position, last)]
    within = (rank - below) / counts[position]
    return ceil((lower + (upper - lower) * within) * 1_000)
