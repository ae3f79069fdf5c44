"""The counts of functions of all workers: each worker adds its own, `/metrics` reads the totals."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from ostinato.jobs.function_counters import BOUNDS_S, MAX_FUNCTIONS, FunctionCounts, Histogram
from ostinato.jobs.malformed import report
from ostinato.jobs.mongo.claimed_jobs import MALFORMED_ERRORS
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import FUNCTION_METRICS

MAX_READ: Final = 2 * MAX_FUNCTIONS  # also of functions that a deployment has removed


class FunctionMetrics:
    """Totals by label, which only increase; those not changed for a month are deleted."""

    def __init__(self, mongo: Mongo) -> None:
        self._metrics = mongo[FUNCTION_METRICS]

    async def add(self, counts: Mapping[str, FunctionCounts]) -> None:
        """Add the counts of a worker to the totals; those of malformed totals are dropped."""
        if not counts:
            return
        updates = [_update(label, each) for label, each in counts.items()]
        try:
            await self._metrics.bulk_write(updates, ordered=False)
        except BulkWriteError as error:  # the other counts are added: they must not be added again
            labels = list(counts)
            for failed in error.details["writeErrors"]:
                problem = ValueError(failed["errmsg"])
                report(FUNCTION_METRICS, labels[failed["index"]], problem)

    async def read(self) -> dict[str, FunctionCounts]:
        """Return the totals; malformed ones are logged and left out."""
        found: dict[str, FunctionCounts] = {}
        for row in await self._metrics.find({}, sort=[("_id", 1)], limit=MAX_READ).to_list(None):
            try:
                found[str(row["_id"])] = _counts_from(row)
            except MALFORMED_ERRORS as error:
                report(FUNCTION_METRICS, row["_id"], error)
        return found


def _update(label: str, counts: FunctionCounts) -> UpdateOne:
    added: Document = {"failures": counts.failures, "retries": counts.retries}
    for name, histogram in (("runTime", counts.run_time), ("lateness", counts.lateness)):
        added[f"{name}.sum"] = histogram.sum_s
        added |= {f"{name}.{position}": number for position, number in histogram.counts.items()}
    update = {"$inc": added, "$currentDate": {"updatedAt": True}}
    return UpdateOne({"_id": label}, update, upsert=True)


def _counts_from(row: Mapping[str, Any]) -> FunctionCounts:
    return FunctionCounts(
        failures=int(row["failures"]),
        retries=int(row["retries"]),
        run_time=_histogram_from(row["runTime"]),
        lateness=_histogram_from(row["lateness"]),
    )


def _histogram_from(row: Mapping[str, Any]) -> Histogram:
    positions = range(len(BOUNDS_S) + 1)
    counts = Counter({position: int(row.get(str(position), 0)) for position in positions})
    return Histogram(counts=counts, sum_s=float(row["sum"]))
