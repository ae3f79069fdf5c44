"""Reads the cluster's metrics, at most once a second however many readers there are."""

from dataclasses import dataclass
from typing import Final, Self

from ostinato.jobs.engine import Engine
from ostinato.jobs.hub import Hub
from ostinato.jobs.mongo.counting import JobCounts
from ostinato.jobs.mongo.figures import WorkerTotals, read_earliest_due, read_worker_totals
from ostinato.jobs.single_flight import SingleFlight

MAX_AGE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStats:
    """What an operator monitors of an installation."""

    counts: JobCounts
    oldest_due_wait_s: float
    """How long the oldest due job has waited, in queues that are not paused; 0 if none is due."""
    workers: WorkerTotals


class ClusterStatsReader:
    """Reads the metrics for one API process."""

    def __init__(self, engine: Engine, hub: Hub) -> None:
        self._engine = engine
        self._hub = hub
        self._kept = SingleFlight(self._read)
        self.reads = 0
        """How often MongoDB was queried."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._kept.close()

    async def read(self) -> ClusterStats:
        """Return metrics of the last second; raises the errors of MongoDB's driver."""
        return await self._kept.get(MAX_AGE_S)

    async def _read(self) -> ClusterStats:
        self.reads += 1
        mongo, settings = self._engine.mongo, self._engine.settings
        queues = await self._engine.queues.store.all()
        paused = [name for name, queue in queues.items() if queue.paused]
        first_due = await read_earliest_due(mongo, paused)
        waited_s = 0.0
        if first_due is not None:
            waited_s = (await self._engine.clock.now() - first_due).total_seconds()
        return ClusterStats(
            counts=await self._hub.counts.of(None, MAX_AGE_S),
            oldest_due_wait_s=max(waited_s, 0.0),
            workers=await read_worker_totals(mongo, settings.lease_ms),
        )
