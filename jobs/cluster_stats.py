"""Reads the cluster's metrics, cached for one second."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from ostinato.jobs.alerts import AlertKind
from ostinato.jobs.async_tools.single_flight import SingleFlight
from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.jobs.function_counters import FunctionCounts
from ostinato.jobs.mongo.workers import WorkerTotals
from ostinato.jobs.worker_records import JobCounts

MAX_AGE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStats:
    """Cluster-wide metrics for operators."""

    counts: JobCounts
    oldest_due_wait_s: float
    """Age of the oldest due job in queues that are not paused; 0 if none is due."""
    workers: WorkerTotals
    alerts: Mapping[AlertKind, int]
    """The number of unresolved alerts of each kind."""
    functions: Mapping[str, FunctionCounts]
    """Totals of all workers since they were first counted, by function."""


class ClusterStatsReader:
    """The cached metrics of one API process."""

    def __init__(self, engine: Engine, feed: ChangeFeed) -> None:
        self._engine = engine
        self._feed = feed
        self._latest = SingleFlight(self._read)
        self.reads = 0
        """Number of reads from MongoDB so far."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._latest.close()

    async def read(self) -> ClusterStats:
        """Return metrics at most one second old; raises the errors of MongoDB's driver."""
        return await self._latest.get(MAX_AGE_S)

    async def _read(self) -> ClusterStats:
        self.reads += 1
        queues = self._engine.queues
        paused = [name for name, queue in (await queues.store.all()).items() if queue.paused]
        earliest = await queues.due.find_earliest_due(paused)
        waited_s = 0.0
        if earliest is not None:
            waited_s = (await self._engine.clock.now() - earliest).total_seconds()
        return ClusterStats(
            counts=await self._feed.counts.get(None, MAX_AGE_S),
            oldest_due_wait_s=max(waited_s, 0.0),
            workers=await self._engine.workers.read_totals(self._engine.settings.lease_ms),
            alerts=await self._engine.alerts.count_unresolved(),
            functions=await self._engine.function_metrics.read(),
        )
