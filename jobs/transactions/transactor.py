"""Runs a body with a Context in one transaction: a mutation function or a GraphQL mutation."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar, assert_never

from pydantic_core import to_json

from ostinato.jobs.bulk_actions import BulkActionKind, BulkPage, BulkRow, BulkRows
from ostinato.jobs.clock import Clock
from ostinato.jobs.context import (
    AttemptLost,
    Context,
    JobWriter,
    Origin,
    ReportProgress,
    Scheduler,
)
from ostinato.jobs.errors import PayloadTooLarge, QuotaExceeded
from ostinato.jobs.logs import Log, get_log
from ostinato.jobs.mongo.bulk_pages import BulkPages
from ostinato.jobs.mongo.client import Document, Mongo, Session
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.function_db import FunctionDatabase
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.mongo.job_store import AttemptStatus, JobStore
from ostinato.jobs.mongo.stored_json import size_bytes
from ostinato.jobs.mongo.transaction import MAX_QUEUE_TIME_S, Body, RerunNeeded, run_transaction
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.quotas.owner_quotas import DOCUMENT_BYTES, OwnerQuotas, Reservation
from ostinato.jobs.records import Cause, CauseKind, JobInfo, JobState
from ostinato.jobs.registry import Registry, retention_ms_of
from ostinato.jobs.settings import Settings

T = TypeVar("T")

MAX_JOBS: Final = 1_000  # per transaction: with their arguments they fit one oplog entry
MAX_BYTES: Final = 8 * 1024 * 1024
API_CAUSE: Final = Cause(kind=CauseKind.API)
TRANSACTION_MS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionIdentity:
    """The owner on whose behalf a body runs, and the job that runs it."""

    owner: str | None
    cause: Cause = API_CAUSE
    job: JobInfo | None = None
    report_progress: ReportProgress | None = None
    log: Log | None = None
    """Where its lines go; None: to the log of the process alone."""


class RunBody(Protocol):
    """Runs a body in a transaction, with a timeout in seconds."""

    async def __call__(self, body: Body[T], timeout_s: float, /) -> T: ...


class Fence(Protocol):
    """Ties a mutation function's transaction to its attempt; a method may raise to abort it."""

    async def check(self, session: Session) -> None:
        """Called before each rerun of the body."""

    async def finish(self, session: Session, result: Any) -> None:
        """Called with the body's result; makes the transaction's last write."""


def scheduler_for(
    registry: Registry, clock: Clock, writer: JobWriter, identity: ExecutionIdentity
) -> Scheduler:
    """Return the scheduler of a function: its jobs belong to the tree of the job that runs it."""
    root_id = None if identity.job is None else identity.job.root_id
    origin = Origin(owner=identity.owner, cause=identity.cause, root_id=root_id)
    return Scheduler(registry, clock, writer, origin)


def function_log(job: JobInfo | None) -> Log:
    """Return a function's logger; each line contains the job id and attempt."""
    if job is None:
        return get_log("functions")
    return get_log("functions", job_id=job.id, attempt=job.attempt)


@dataclass(slots=True, kw_only=True)
class TransactionJobWriter:
    """The jobs scheduled in a transaction, inserted just before the commit.

    Implements JobWriter.
    """

    store: JobStore
    database: FunctionDatabase
    session: Session
    caller: JobInfo | None
    """The job of the action that called `ctx.run_mutation`; None in a mutation's own transaction,
    whose fence checks the attempt, and in the API."""
    created_at: datetime
    clock_time: ClockTime
    retention_ms: int
    reservation: Reservation
    documents: dict[str, Document] = field(default_factory=dict)
    size_bytes: int = 0
    """Size of the arguments as JSON."""
    canceled: set[str] = field(default_factory=set)
    """The running jobs whose cancellation the transaction requests."""
    has_due_jobs: bool = False
    """Whether the transaction makes stored jobs due."""
    is_closed: bool = False
    """Whether the body has ended: a task that outlives it must not write."""
    attempt_status: AttemptStatus | None = None
    """Whether the caller holds its job; read when the first job is scheduled, or at the end."""

    async def schedule(self, new: NewJob) -> str:
        self._require_open()
        if await self.caller_status() is AttemptStatus.CANCEL_REQUESTED:
            new = replace(new, canceled=True)
        document = build_job_document(new, self.created_at, self.retention_ms)
        self._require_open()  # the body may have ended during the read
        self.size_bytes += len(to_json(new.args))
        if len(self.documents) >= MAX_JOBS or self.size_bytes > MAX_BYTES:
            raise PayloadTooLarge(
                f"one transaction can schedule at most {MAX_JOBS:,} jobs with {MAX_BYTES:,} bytes "
                "of arguments in total: schedule the rest from a follow-up job"
            )
        if self.reservation.counts(new):
            await self.reservation.add_job(new, DOCUMENT_BYTES + size_bytes(new.args))
        self._require_open()
        self.documents[document["_id"]] = document
        return str(document["_id"])

    async def cancel(self, job_id: str, owner: str | None) -> bool:
        self._require_open()
        if self.documents.pop(job_id, None) is not None:
            return True
        canceling = self.store.cancel(job_id, self.clock_time, self.session, owner=owner)
        changed = await self.database.track(canceling)
        if changed is not None and changed.state is JobState.IN_PROGRESS:
            self.canceled.add(job_id)
        return changed is not None

    @property
    def makes_due(self) -> bool:
        """Whether the dispatcher has something new to find after the commit."""
        return bool(self.documents) or self.has_due_jobs

    def close(self) -> None:
        """Make every later call raise RuntimeError."""
        self.is_closed = True

    def _require_open(self) -> None:
        if self.is_closed:
            raise RuntimeError("the function has returned, so its transaction is closed")

    async def caller_status(self) -> AttemptStatus:
        """Return the caller's status in the transaction's snapshot; raises AttemptLost."""
        if self.attempt_status is None:
            self.attempt_status = await self._read_caller_status()
        if self.attempt_status is AttemptStatus.LOST:
            raise AttemptLost
        return self.attempt_status

    async def _read_caller_status(self) -> AttemptStatus:
        if self.caller is None:
            return AttemptStatus.HELD
        reading = self.store.read_attempt_status(self.caller.id, self.caller.attempt, self.session)
        return await self.database.track(reading)

    async def flush(self) -> None:
        if self.documents:
            await self.store.insert_in_transaction(self.session, list(self.documents.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChanges:
    """Implements BulkChanger."""

    mongo: Mongo
    registry: Registry
    settings: Settings
    writer: TransactionJobWriter

    async def read_page(self, page: BulkPage) -> BulkRows:
        """Read the next objects of a bulk action."""
        return await self.writer.database.track(
            BulkPages(self.mongo).read(self.writer.session, page)
        )

    async def change(
        self,
        kind: BulkActionKind,
        rows: Sequence[BulkRow],
        run_at: datetime | None,
        by: str | None,
    ) -> None:
        """Change objects of a page that was read in this transaction; `by` asked for it."""
        await self.writer.database.track(self._change(kind, rows, run_at, by))

    async def _change(
        self,
        kind: BulkActionKind,
        rows: Sequence[BulkRow],
        run_at: datetime | None,
        by: str | None,
    ) -> None:
        pages, session, clock_time = (
            BulkPages(self.mongo),
            self.writer.session,
            self.writer.clock_time,
        )
        match kind:
            case BulkActionKind.CANCEL_JOBS:
                retention_ms = self.settings.purge_after_ms
                await pages.cancel(session, rows, clock_time, retention_ms)
                self.writer.canceled |= {row.id for row in rows if row.is_running}
            case BulkActionKind.RETRY_JOBS | BulkActionKind.RETRY_FAILURES:
                await pages.retry(session, rows, clock_time, by)
                self.writer.has_due_jobs = True
            case BulkActionKind.RESCHEDULE_JOBS:
                assert run_at is not None
                await pages.reschedule(session, rows, clock_time, run_at)
                self.writer.has_due_jobs = True
            case BulkActionKind.RESOLVE_FAILURES:
                await pages.resolve(session, rows, clock_time, self._retention_ms_of)
            case never:
                assert_never(never)

    def _retention_ms_of(self, function_name: str) -> int:
        return retention_ms_of(self.registry.get(function_name), self.settings)


async def _run_body(
    body: Callable[[Context], Awaitable[T]], context: Context, reservation: Reservation
) -> T:
    """Run a body once; raises RerunNeeded if what others may roll back leaves it no room."""
    try:
        return await body(context)
    except QuotaExceeded as error:
        if not reservation.was_contended:
            raise
        reservation.give_up()
        raise RerunNeeded("other transactions may fill the quota") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Transactor:
    """Runs bodies in transactions, and signals workers after a commit."""

    mongo: Mongo
    store: JobStore
    clock: Clock
    registry: Registry
    settings: Settings
    quotas: OwnerQuotas
    after_commit: Callable[[bool, frozenset[str]], Awaitable[None]]
    """Called with whether jobs were scheduled, and the ids of running jobs to stop.

    It signals for jobs of any due time, unlike `Engine.schedule`: what was due later when the body
    scheduled it may be due after a long transaction.
    """

    async def run(
        self,
        identity: ExecutionIdentity,
        body: Callable[[Context], Awaitable[T]],
        fence: Fence | None = None,
        *,
        timeout_ms: int = TRANSACTION_MS,
        run_body: RunBody | None = None,
    ) -> T:
        """Commit the writes of `body` exactly once, and return its result.

        The body is rerun after a conflict. `run_body`, if given, runs it in a shared transaction.
        Raises TimeoutError after `timeout_ms` of real time, excluding the wait for the conflict
        lock, and propagates errors of the fence.
        """
        clock_time = await self.clock.read()
        created_at = await self.clock.now()
        writer: TransactionJobWriter | None = None
        reservation = self.quotas.reserve(identity.owner)

        async def run_once(session: Session) -> T:
            nonlocal writer
            reservation.give_up()  # what an earlier run added was rolled back
            if writer is not None and fence is not None:
                await self.mongo.sessions.track(session, fence.check(session))
            writer = TransactionJobWriter(
                store=self.store,
                database=FunctionDatabase(self.mongo, session),
                session=session,
                caller=identity.job if fence is None else None,
                created_at=created_at,
                clock_time=clock_time,
                retention_ms=self.settings.purge_after_ms,
                reservation=reservation,
            )
            context = self.context_for(identity, writer)
            try:
                result = await _run_body(body, context, reservation)
            finally:
                context.db.close()
                writer.close()
            await context.db.require_not_aborted()
            await self.mongo.sessions.track(session, self._finish(writer, fence, result))
            return result

        with reservation:
            if run_body is not None:
                result = await run_body(run_once, timeout_ms / 1000)
            else:
                result = await run_transaction(
                    self.mongo, run_once, timeout_ms / 1000, queue_time_s=MAX_QUEUE_TIME_S
                )
        if writer is not None and (writer.makes_due or writer.canceled):
            await self.after_commit(writer.makes_due, frozenset(writer.canceled))
        return result

    async def _finish(self, writer: TransactionJobWriter, fence: Fence | None, result: Any) -> None:
        await writer.caller_status()
        await writer.flush()
        if fence is not None:
            await fence.finish(writer.session, result)

    def context_for(self, identity: ExecutionIdentity, writer: TransactionJobWriter) -> Context:
        """Return the context of a body whose jobs `writer` collects."""
        return Context(
            owner=identity.owner,
            db=writer.database,
            scheduler=scheduler_for(self.registry, self.clock, writer, identity),
            registry=self.registry,
            settings=self.settings,
            clock=self.clock,
            log=identity.log or function_log(identity.job),
            running_job=identity.job,
            report_progress=identity.report_progress,
            bulk_changer=BulkChanges(
                mongo=self.mongo, registry=self.registry, settings=self.settings, writer=writer
            ),
        )
