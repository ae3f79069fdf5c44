"""Reads, pauses and resumes queues for operators."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from ostinato.jobs.arq_queue.notifier import Notifier, Signal
from ostinato.jobs.clock import Clock
from ostinato.jobs.lanes import Lane, Queue
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.due_jobs import MAX_COUNT, DueJobs
from ostinato.jobs.mongo.queues import QueueStore
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.queue_warnings import QueueWarnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    store: QueueStore
    due: DueJobs
    workers: WorkerStore
    clock: Clock
    notifier: Notifier
    warnings: QueueWarnings

    @classmethod
    def of(
        cls, mongo: Mongo, workers: WorkerStore, clock: Clock, notifier: Notifier, lease_ms: int
    ) -> Self:
        store = QueueStore(mongo)
        return cls(
            store=store,
            due=DueJobs(mongo),
            workers=workers,
            clock=clock,
            notifier=notifier,
            warnings=QueueWarnings(workers, store, lease_ms),
        )

    async def report_unserved(self) -> int:
        """Log each queue whose due jobs do not start, once. Returns the number of repairs: 0."""
        now, heads = await self.clock.now(), await self.due.all_lane_heads()
        for queue in sorted({lane.queue for lane, at in heads.items() if at <= now}):
            await self.warnings.report(queue)
        return 0

    async def find(self, limit: int, after: str = "") -> list[Queue]:
        """Return up to `limit` known queues with names after `after`, with counts, by name.

        The number of queries does not depend on the number of queues.
        """
        stored, fleet = await self.store.all(), await self.workers.read_fleet()
        heads = await self.due.all_lane_heads()
        known = stored.keys() | fleet.queues() | {lane.queue for lane in heads}
        names = sorted(name for name in known if name > after)[:limit]
        due = await self._count_due(heads, names)
        return [
            replace(
                stored.get(name) or Queue(name=name),
                pending_due=due[name],
                workers=fleet.size(name),
            )
            for name in names
        ]

    async def pause(self, name: str) -> Queue:
        """Stop starting a queue's jobs; takes effect on every worker within a second."""
        return await self._notify_workers(await self.store.pause(name))

    async def resume(self, name: str, weight: int | None = None) -> Queue:
        """Resume starting a queue's jobs; sets its weight if given."""
        return await self._notify_workers(await self.store.resume(name, weight))

    async def _notify_workers(self, queue: Queue) -> Queue:
        self.notifier.notify(Signal.QUEUES)
        return await self._with_counts(queue)

    async def _with_counts(self, queue: Queue) -> Queue:
        heads = await self.due.lane_heads(queue.name)
        due = await self._count_due(heads, [queue.name])
        fleet = await self.workers.read_fleet()
        return replace(queue, pending_due=due[queue.name], workers=fleet.size(queue.name))

    async def _count_due(
        self, heads: Mapping[Lane, datetime], queues: Collection[str]
    ) -> dict[str, int]:
        """Count the due jobs of queues, up to MAX_COUNT each; `heads` are those of their lanes."""
        now, names = await self.clock.now(), frozenset(queues)
        lanes = [lane for lane, at in heads.items() if lane.queue in names and at <= now]
        counts = await self.due.count_due(lanes, now)
        return {name: min(counts[name], MAX_COUNT) for name in queues}
