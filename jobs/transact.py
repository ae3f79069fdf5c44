"""One body in one transaction, with a Context: a mutation function, or a write of the API."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from pydantic_core import to_json

from ostinato.jobs.clock import Clock
from ostinato.jobs.context import AttemptLost, Context, JobInfo, ReportProgress, Scheduler
from ostinato.jobs.errors import PayloadTooLarge
from ostinato.jobs.logs import Log, get_log
from ostinato.jobs.mongo.bound import BoundDatabase
from ostinato.jobs.mongo.client import Document, Mongo, Session
from ostinato.jobs.mongo.job_documents import NewJob, job_document
from ostinato.jobs.mongo.job_store import Hold, JobStore
from ostinato.jobs.mongo.line import IN_LINE_S
from ostinato.jobs.mongo.transaction import Body, run_transaction
from ostinato.jobs.records import Cause, CauseKind
from ostinato.jobs.registry import Registry
from ostinato.jobs.settings import Settings

T = TypeVar("T")

MAX_JOBS: Final = 1_000  # in one transaction: with their arguments they fit one oplog entry
MAX_BYTES: Final = 8 * 1024 * 1024
API_CAUSE: Final = Cause(kind=CauseKind.API)
TRANSACTION_MS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """On whose behalf a body runs, and as what."""

    owner: str | None
    cause: Cause = API_CAUSE
    job: JobInfo | None = None
    report_progress: ReportProgress | None = None


class RunBody(Protocol):
    """Runs a body in a transaction, within a deadline in seconds."""

    async def __call__(self, body: Body[T], deadline_s: float, /) -> T: ...


class Fence(Protocol):
    """What holds a mutation function's transaction to its attempt; either may raise to abort."""

    async def check(self, session: Session) -> None:
        """Called before the body runs again."""

    async def finish(self, session: Session, result: Any) -> None:
        """Called with the body's result, as the transaction's last write."""


def log_of(job: JobInfo | None) -> Log:
    """Give the log of a function, whose lines name its job."""
    if job is None:
        return get_log("functions")
    return get_log("functions", job_id=job.id, attempt=job.attempt)


@dataclass(slots=True, kw_only=True)
class _Buffer:
    """The jobs that a transaction schedules; they are inserted just before it commits."""

    store: JobStore
    database: BoundDatabase
    session: Session
    caller: JobInfo | None
    """The action's job in whose name the transaction runs: it may be canceled, or lost."""
    created_at: datetime
    offset_ms: int
    keep_ms: int
    documents: dict[str, Document] = field(default_factory=dict)
    size: int = 0
    canceled: set[str] = field(default_factory=set)
    is_over: bool = False
    """Whether the body has ended: the jobs of what outlives it would be in no transaction."""
    hold: Hold | None = None
    """How the caller stands; read when the first job is scheduled, or at the end."""

    async def put(self, new: NewJob) -> str:
        self._require_open()
        asked_to_end = await self.hold_of_caller() is Hold.ASKED_TO_END
        new = replace(new, canceled=asked_to_end)
        document = job_document(new, self.created_at, self.keep_ms)
        self._require_open()  # it may have ended while that was read
        self.size += len(to_json(new.args))
        if len(self.documents) >= MAX_JOBS or self.size > MAX_BYTES:
            raise PayloadTooLarge(
                f"one transaction schedules at most {MAX_JOBS:,} jobs with {MAX_BYTES:,} bytes "
                "of arguments in all: schedule the rest from a job that this one schedules"
            )
        self.documents[document["_id"]] = document
        return str(document["_id"])

    async def cancel(self, job_id: str, owner: str | None) -> bool:
        self._require_open()
        if self.documents.pop(job_id, None) is not None:
            return True
        canceling = self.store.cancel(job_id, self.offset_ms, self.session, owner=owner)
        changed = await self.database.answered(canceling)
        if changed is not None and changed["state"] == "inProgress":
            self.canceled.add(job_id)
        return changed is not None

    def close(self) -> None:
        """Refuse whatever comes later."""
        self.is_over = True

    def _require_open(self) -> None:
        if self.is_over:
            raise RuntimeError("the function has ended, and its transaction with it")

    async def hold_of_caller(self) -> Hold:
        """Tell how the caller stands in the transaction's snapshot; raises AttemptLost."""
        if self.hold is None:
            self.hold = await self._read_hold()
        if self.hold is Hold.LOST:
            raise AttemptLost
        return self.hold

    async def _read_hold(self) -> Hold:
        if self.caller is None:
            return Hold.HELD
        asking = self.store.hold(self.caller.id, self.caller.attempt, self.session)
        return await self.database.answered(asking)

    async def flush(self) -> None:
        if self.documents:
            await self.store.insert_in(self.session, list(self.documents.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transactor:
    """Runs bodies in transactions and notifies workers after they commit."""

    mongo: Mongo
    store: JobStore
    clock: Clock
    registry: Registry
    settings: Settings
    after_commit: Callable[[bool, frozenset[str]], Awaitable[None]]
    """Told whether jobs were scheduled, and which running jobs are to stop."""

    async def run(
        self,
        identity: Identity,
        body: Callable[[Context], Awaitable[T]],
        fence: Fence | None = None,
        *,
        timeout_ms: int = TRANSACTION_MS,
        run_body: RunBody | None = None,
    ) -> T:
        """Commit what `body` does, once, and return what it returned.

        The body runs again after a conflict. `run_body` replaces a transaction of its own. Raises
        TimeoutError after `timeout_ms` of real time, less its waiting in line, and whatever the
        fence raises.
        """
        offset_ms = await self.clock.offset_ms()
        created_at = await self.clock.now()
        buffer: _Buffer | None = None

        async def attempt(session: Session) -> T:
            nonlocal buffer
            if buffer is not None and fence is not None:
                await self.mongo.sessions.answered(session, fence.check(session))
            buffer = _Buffer(
                store=self.store,
                database=BoundDatabase(self.mongo, session),
                session=session,
                caller=identity.job if fence is None else None,
                created_at=created_at,
                offset_ms=offset_ms,
                keep_ms=self.settings.purge_after_ms,
            )
            context = self._context(identity, buffer)
            try:
                result = await body(context)
            finally:
                context.db.close()
                buffer.close()
            await context.db.require_unrefused()
            await self.mongo.sessions.answered(session, self._finish(buffer, fence, result))
            return result

        if run_body is not None:
            result = await run_body(attempt, timeout_ms / 1000)
        else:
            result = await run_transaction(
                self.mongo, attempt, timeout_ms / 1000, in_line_s=IN_LINE_S
            )
        if buffer is not None and (buffer.documents or buffer.canceled):
            await self.after_commit(bool(buffer.documents), frozenset(buffer.canceled))
        return result

    async def _finish(self, buffer: _Buffer, fence: Fence | None, result: Any) -> None:
        await buffer.hold_of_caller()
        await buffer.flush()
        if fence is not None:
            await fence.finish(buffer.session, result)

    def _context(self, identity: Identity, buffer: _Buffer) -> Context:
        return Context(
            owner=identity.owner,
            scheduler=Scheduler(self.registry, self.clock, buffer, identity.owner, identity.cause),
            registry=self.registry,
            settings=self.settings,
            clock=self.clock,
            log=log_of(identity.job),
            job=identity.job,
            database=buffer.database,
            report_progress=identity.report_progress,
        )
