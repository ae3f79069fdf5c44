"""The API of the job system in one process: schedules, cancels, retries and reads jobs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Self, TypeVar

from ostinato.jobs.arq_queue.connection import close, connect
from ostinato.jobs.arq_queue.notifier import NOTIFY_WITHIN, Notifier, Signal
from ostinato.jobs.arq_queue.shared_buckets import SharedBuckets
from ostinato.jobs.async_tools.group_commit import GroupCommit
from ostinato.jobs.clock import Clock
from ostinato.jobs.context import AttemptLost, Context
from ostinato.jobs.documents import job_from
from ostinato.jobs.errors import (
    Conflict,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    TimedOut,
    Unavailable,
)
from ostinato.jobs.failure_hooks import HookJobs
from ostinato.jobs.failure_log import FailureLog
from ostinato.jobs.function_counters import FunctionCounters
from ostinato.jobs.ids import new_id
from ostinato.jobs.job_changes import JobChanges, cannot, state_of
from ostinato.jobs.modules import BUILT_IN
from ostinato.jobs.mongo.alerts import AlertStore
from ostinato.jobs.mongo.audit_log import AuditLog
from ostinato.jobs.mongo.caller_sessions import Deployment
from ostinato.jobs.mongo.client import (
    Mongo,
    is_transient,
    require_replica_set,
)
from ostinato.jobs.mongo.clock import ServerClock
from ostinato.jobs.mongo.function_metrics import FunctionMetrics
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.jobs.mongo.job_documents import build_job_document, existing_job
from ostinato.jobs.mongo.job_store import AttemptStatus, JobStore
from ostinato.jobs.mongo.job_trees import SETTLE_S
from ostinato.jobs.mongo.manual_changes import ManualChanges
from ostinato.jobs.mongo.owners import OwnerStore
from ostinato.jobs.mongo.poisoned_jobs import PoisonedJobs
from ostinato.jobs.mongo.reads import Reads
from ostinato.jobs.mongo.revocations import RevocationStore
from ostinato.jobs.mongo.stored_json import EncodedDocument, encode_document
from ostinato.jobs.mongo.transaction import Contended
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.overview_reader import OverviewReader
from ostinato.jobs.queues import Queues
from ostinato.jobs.quotas.counts import QuotaReader
from ostinato.jobs.quotas.owner_quotas import OwnerQuotas
from ostinato.jobs.records import Cause, CauseKind, Job, JobInfo, JobState
from ostinato.jobs.registry import Registry, registry
from ostinato.jobs.run_history import RELEASE_QUEUED
from ostinato.jobs.settings import Settings
from ostinato.jobs.transactions.transactor import ExecutionIdentity, Transactor

T = TypeVar("T")

INSERT_BATCH_SIZE = 1_000  # documents per write
INSERT_BATCH_BYTES = 1024 * 1024  # of documents, per write
CLOSE_TIMEOUT_S = 2.0
FLUSH_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    settings: Settings
    registry: Registry
    clock: Clock
    mongo: Mongo
    store: JobStore
    changes: JobChanges
    function_counters: FunctionCounters
    function_metrics: FunctionMetrics
    overview: OverviewReader
    reads: Reads
    owners: OwnerStore
    revocations: RevocationStore
    audit: AuditLog
    alerts: AlertStore
    notifier: Notifier
    shared_buckets: SharedBuckets
    transactor: Transactor
    workers: WorkerStore
    queues: Queues
    quotas: OwnerQuotas
    deployment: Deployment
    inserts: "GroupCommit[EncodedDocument, bool]"
    """Concurrent `schedule` calls share one write."""

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, app_name: str | None = None) -> AsyncIterator[Self]:
        """Connect, load the functions, create missing collections and indexes; close on exit.

        Raises RuntimeError if MongoDB is not a replica set.
        """
        registry.load([BUILT_IN, *settings.functions])
        mongo = Mongo.connect(settings, app_name or f"ostinato-api-{new_id()}")
        redis = connect(settings.redis_url, f"{settings.redis_prefix}:queue")
        try:
            await require_replica_set(mongo)
            await ensure_collections(mongo)
            notifier = Notifier(redis, settings.redis_prefix)
            buckets = SharedBuckets(redis, settings.redis_prefix)
            engine = cls._assemble(settings, mongo, notifier, buckets)
            try:
                yield engine
            finally:
                await engine.flush()
        finally:
            await close(redis)
            await mongo.sessions.close()
            with suppress(TimeoutError):  # a function may occupy every thread of the pool
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await asyncio.to_thread(mongo.close)  # blocks until the server replies

    async def flush(self) -> None:
        """Wait for pending writes, up to FLUSH_TIMEOUT_S, and then for their signals."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self.queues.warnings.close()
                await self.owners.close()
                await self.inserts.close()
                await self.audit.close()
                await self.overview.close()
        await self.notifier.close()

    @classmethod
    def _assemble(
        cls, settings: Settings, mongo: Mongo, notifier: Notifier, buckets: SharedBuckets
    ) -> Self:
        clock = Clock(ServerClock(mongo), settings.mode)
        names = [function.name for function in registry]
        counters = FunctionCounters(names, {each.name for each in registry if each.internal})
        store = _job_store(mongo, settings, counters)
        workers = WorkerStore(mongo)
        quotas = OwnerQuotas(QuotaReader(mongo.aggregate, settings), settings)
        return cls(
            settings=settings,
            registry=registry,
            clock=clock,
            mongo=mongo,
            store=store,
            changes=JobChanges(store, ManualChanges(mongo), clock, quotas, notifier, settings),
            function_counters=counters,
            function_metrics=FunctionMetrics(mongo),
            overview=OverviewReader.of(mongo, clock, counters),
            reads=Reads(mongo),
            owners=OwnerStore(mongo),
            revocations=RevocationStore(mongo, settings),
            audit=AuditLog(mongo, settings.audit_retention_ms),
            alerts=AlertStore.of(mongo, settings),
            notifier=notifier,
            shared_buckets=buckets,
            transactor=Transactor(
                mongo=mongo,
                store=store,
                clock=clock,
                registry=registry,
                settings=settings,
                quotas=quotas,
                after_commit=partial(_notify_workers, notifier),
            ),
            workers=workers,
            queues=Queues.of(mongo, workers, clock, notifier, settings.lease_ms),
            quotas=quotas,
            deployment=Deployment(mongo),
            inserts=GroupCommit(
                partial(_insert, store), INSERT_BATCH_SIZE, max_weight=INSERT_BATCH_BYTES
            ),
        )

    async def schedule(self, new: NewJob) -> Job:
        """Insert a job, batched with concurrent inserts; signal the dispatcher if it is due soon.

        If the owner has used the key before, returns the existing job; raises Conflict if its
        function or arguments differ, and for a second tick job with one deduplication key. Raises
        QuotaExceeded.
        """
        now = await self.clock.now()
        document = build_job_document(new, now, self.settings.purge_after_ms)
        stored = encode_document(document)
        size_bytes = len(stored.raw)
        with self.quotas.reserve(new.owner) as reservation:
            try:
                await reservation.add_job(new, size_bytes)
            except QuotaExceeded:
                if new.key is None or not await self.store.find_by_key(new.owner, new.key):
                    raise
                return await self._existing(new)
            is_new = await self.inserts.submit(stored, size_bytes)
        if not is_new:
            return await self._existing(new)
        if new.scheduled_time - now < NOTIFY_WITHIN:
            self.notifier.notify(Signal.DUE)
        return job_from(document)

    async def cancel(self, job_id: str, owner: str | None = None) -> Job:
        """Cancel a pending job, or ask a running one to stop; `owner` restricts it to their jobs.

        Raises NotFound, or PreconditionFailed if it has ended.
        """
        changed = await self.store.cancel(job_id, await self.clock.read(), owner=owner)
        if changed is None:
            raise cannot("canceled", await state_of(self.store, job_id, owner))
        if changed.state is JobState.IN_PROGRESS:
            self.notifier.notify(Signal.CANCEL)
        return changed.record()

    async def release_queued_tick(self, function_name: str, cause: Cause) -> None:
        """Schedule the job that starts the next waiting tick of a cron, if the job that has ended,
        of this function and cause, was its run, and ticks are queued or left of a backfill."""
        if cause.kind is not CauseKind.CRON:
            return
        function, cron_id = self.registry.get(function_name), cause.id
        if function is None or function.internal:
            return
        lists = ("queuedTicks.0", "backfillTicks.0")
        waiting = {"_id": cron_id, "$or": [{each: {"$exists": True}} for each in lists]}
        found = await self.mongo["crons"].find_one(waiting, {"owner": 1})
        if found is not None:
            new = NewJob(
                function=self.registry.resolve(RELEASE_QUEUED),
                args={"cron_id": cron_id},
                owner=found["owner"],
                cause=Cause(kind=CauseKind.CRON, id=cron_id),
                scheduled_time=await self.clock.now(),
            )
            await self.schedule(new)

    async def transact(self, owner: str | None, body: Callable[[Context], Awaitable[T]]) -> T:
        """Run `body` in one transaction with a Context and return its result.

        The body runs again after a write conflict; its jobs exist after the commit.
        """
        return await self.transactor.run(ExecutionIdentity(owner=owner), body)

    async def advance(self, ms: int) -> None:
        """Advance scheduler time in every process; in test and development modes only."""
        await self.clock.advance(ms)
        self.notifier.notify(Signal.DUE)

    async def now(self) -> datetime:
        return await self.clock.now()

    async def _existing(self, new: NewJob) -> Job:
        found = await self.store.find_by_key(new.owner, new.key) if new.key else None
        if found is None:
            raise Conflict("a job for this due time already exists")
        return existing_job(found, new)


class ImmediateJobWriter:
    """Schedules and cancels jobs for an action at once, whatever its outcome.

    Implements JobWriter.
    """

    def __init__(self, engine: Engine, job: JobInfo) -> None:
        self._engine = engine
        self._job = job

    async def schedule(self, new: NewJob) -> str:
        """Insert a job; raises AttemptLost if the action's attempt no longer holds its job.

        A cancellation of the action's descendants waits SETTLE_S for this insert. If it takes
        longer, cancels the new job if the action was canceled meanwhile.
        """
        started = time.monotonic()
        status = await self._engine.store.read_attempt_status(self._job.id, self._job.attempt)
        if status is AttemptStatus.LOST:
            raise AttemptLost
        canceled = status is AttemptStatus.CANCEL_REQUESTED
        job_id = (await self._engine.schedule(replace(new, canceled=canceled))).id
        is_slow = time.monotonic() - started > SETTLE_S / 2
        if is_slow and not canceled and await self._was_canceled():
            await self.cancel(job_id, new.owner)
        return job_id

    async def _was_canceled(self) -> bool:
        store, job = self._engine.store, self._job
        status = await store.read_attempt_status(job.id, job.attempt)
        if status is not AttemptStatus.LOST:
            return status is AttemptStatus.CANCEL_REQUESTED
        found = await store.find(job.id)
        return found is not None and found.state is JobState.CANCELED

    async def cancel(self, job_id: str, owner: str | None) -> bool:
        try:
            await self._engine.cancel(job_id, owner)
        except (NotFound, PreconditionFailed):
            return False
        return True


async def _notify_workers(notifier: Notifier, scheduled: bool, canceled: frozenset[str]) -> None:
    if scheduled:
        notifier.notify(Signal.DUE)
    if canceled:
        notifier.notify(Signal.CANCEL)


def _job_store(mongo: Mongo, settings: Settings, counters: FunctionCounters) -> JobStore:
    poisoned = PoisonedJobs(mongo, HookJobs(registry), FailureLog(counters))
    return JobStore(mongo, settings.purge_after_ms, poisoned)


async def _insert(
    store: JobStore, documents: Sequence[EncodedDocument]
) -> Sequence[bool | Exception]:
    not_inserted = await store.insert(documents)
    return [_insert_result(not_inserted, position) for position in range(len(documents))]


def _insert_result(not_inserted: Mapping[int, Exception | None], position: int) -> bool | Exception:
    """Return True for an inserted job, False for a duplicate, or the error of a rejected job."""
    if position not in not_inserted:
        return True
    return not_inserted[position] or False


def to_client_error(error: Exception) -> Exception:
    """Convert transient errors and timeouts for a client; return any other error unchanged."""
    if is_transient(error):
        return Unavailable("the database is unavailable: try again")
    if isinstance(error, Contended):
        return Unavailable(
            "it took longer than 10 s, or other changes to the same objects were in its way: try "
            "again, or change fewer objects at once"
        )
    if isinstance(error, TimeoutError):
        return TimedOut("it timed out, but may have taken effect: check before you try again")
    return error
