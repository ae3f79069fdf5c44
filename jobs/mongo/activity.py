"""The activity of the installation: each worker adds its counts to the buckets of the time at which
it reports them.

A document contains the counts of all functions in one bucket, so that a report is one write of
three documents, however many jobs have run.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from ostinato.jobs.activity import ActivityRange, BucketCounts
from ostinato.jobs.function_counters import FINE_BOUNDS_S, FunctionCounts
from ostinato.jobs.malformed import report
from ostinato.jobs.mongo.claimed_jobs import MALFORMED_ERRORS
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import ACTIVITY

KEPT_RANGES: Final = 2  # a series is complete even if TTL deletions and clocks differ by minutes
MAX_POSITION: Final = len(FINE_BOUNDS_S)
TOTAL: Final = "total"
"""The counts of all functions but internal ones."""


class ActivityStore:
    """Counts by bucket, deleted after the time of two ranges."""

    def __init__(self, mongo: Mongo, is_internal: Callable[[str], bool]) -> None:
        """`is_internal` tells which labels the totals do not contain."""
        self._activity = mongo[ACTIVITY]
        self._is_internal = is_internal

    async def add(self, counts: Mapping[str, FunctionCounts], at: datetime) -> None:
        """Add the counts of a worker to the buckets that contain an instant of scheduler time.

        Counts for malformed documents are dropped.
        """
        if not counts:
            return
        added = dict(self._increments(counts))
        starts = [(reach, reach.buckets.start_of(at)) for reach in ActivityRange]
        updates = [_update(reach, start, added) for reach, start in starts]
        try:
            await self._activity.bulk_write(updates, ordered=False)
        except BulkWriteError as error:  # the other buckets have the counts
            for failed in error.details["writeErrors"]:
                document_id = _document_id(*starts[failed["index"]])
                report(ACTIVITY, document_id, ValueError(failed["errmsg"]))

    async def read(
        self, reach: ActivityRange, label: str | None, now: datetime
    ) -> dict[datetime, BucketCounts]:
        """Return the counts of a function, or of all but internal ones, by start of the bucket.

        Malformed documents are logged and left out.
        """
        path = TOTAL if label is None else f"functions.{_key(label)}"
        ids = [_document_id(reach, start) for start in reach.buckets.starts(now)]
        cursor = self._activity.find(
            {"_id": {"$in": ids}}, {"start": 1, path: 1}, batch_size=len(ids) + 1
        )
        found: dict[datetime, BucketCounts] = {}
        for row in await cursor.to_list(None):
            try:
                found[reach.buckets.start_of(row["start"])] = _counts_from(row, label)
            except MALFORMED_ERRORS as error:
                report(ACTIVITY, row["_id"], error)
        return found

    async def read_outcomes(
        self, reach: ActivityRange, now: datetime
    ) -> dict[str, tuple[int, int]]:
        """Return how many jobs of each function have succeeded, and have failed, in a range."""
        ids = [_document_id(reach, start) for start in reach.buckets.starts(now)]
        rows = await self._activity.find({"_id": {"$in": ids}}, {"functions": 1}).to_list(None)
        totals: dict[str, tuple[int, int]] = {}
        for row in rows:
            try:
                for key in row.get("functions", {}):
                    label = key.replace("/", ".")
                    counts, (succeeded, failed) = (
                        _counts_from(row, label),
                        totals.get(label, (0, 0)),
                    )
                    totals[label] = succeeded + counts.succeeded, failed + counts.failed
            except MALFORMED_ERRORS as error:
                report(ACTIVITY, row["_id"], error)
        return totals

    def _increments(self, counts: Mapping[str, FunctionCounts]) -> Iterator[tuple[str, float]]:
        total = FunctionCounts()
        for label, each in counts.items():
            yield from _fields(f"functions.{_key(label)}", each)
            if not self._is_internal(label):
                total.add(each)
        yield from _fields(TOTAL, total)


def _update(reach: ActivityRange, start: datetime, added: Mapping[str, float]) -> UpdateOne:
    buckets = reach.buckets
    kept = timedelta(seconds=KEPT_RANGES * buckets.count * buckets.size_s)
    new = {"start": start, "purgeAt": start + kept}
    update = {"$inc": added, "$setOnInsert": new}
    return UpdateOne({"_id": _document_id(reach, start)}, update, upsert=True)


def _fields(path: str, counts: FunctionCounts) -> Iterator[tuple[str, float]]:
    """Yield the numbers that are not zero, by path."""
    numbers = (
        ("succeeded", counts.successes),
        ("failed", counts.failures),
        ("retried", counts.retries),
    )
    yield from ((f"{path}.{name}", number) for name, number in numbers if number)
    for name, histogram in (("runTimes", counts.run_time), ("lateness", counts.lateness)):
        for position, number in histogram.fine_counts.items():
            yield f"{path}.{name}.{position}", number


def _document_id(reach: ActivityRange, start: datetime) -> str:
    return f"{reach.value}/{start.isoformat()}"


def _key(label: str) -> str:
    """Return a label as the name of a field: a dot would separate names."""
    return label.replace(".", "/")


def _counts_from(row: Document, label: str | None) -> BucketCounts:
    found = row.get(TOTAL, {}) if label is None else row.get("functions", {}).get(_key(label), {})
    return BucketCounts(
        succeeded=int(found.get("succeeded", 0)),
        failed=int(found.get("failed", 0)),
        retried=int(found.get("retried", 0)),
        run_times=_positions_from(found.get("runTimes", {})),
        lateness=_positions_from(found.get("lateness", {})),
    )


def _positions_from(stored: Mapping[str, Any]) -> Counter[int]:
    counts = Counter({int(position): int(number) for position, number in stored.items()})
    if any(not 0 <= each <= MAX_POSITION for each in counts) or any(
        number < 0 for number in counts.values()
    ):
        raise ValueError("a position or count of a histogram is out of range")
    return counts
