"""Reads, pauses and resumes queues for operators."""

from dataclasses import dataclass, replace
from typing import Self

from ostinato.jobs.arq_queue.notifier import Notifier, Signal
from ostinato.jobs.clock import Clock
from ostinato.jobs.lanes import Queue
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.due_jobs import DueJobs
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

    async def all(self) -> list[Queue]:
        """Return every known queue with its counts, sorted by name."""
        stored = await self.store.all()
        fleet = await self.workers.read_fleet()
        names = stored.keys() | fleet.queues() | await self.due.find_queues()
        return [
            await self._with_counts(stored.get(name) or Queue(name=name)) for name in sorted(names)
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
        due = await self.due.count_due(queue.name, await self.clock.now())
        fleet = await self.workers.read_fleet()
        return replace(queue, pending_due=due, workers=fleet.size(queue.name))
