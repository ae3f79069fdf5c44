"""Groups of new jobs that are inserted in one transaction: all of them, or none.

The transaction is Ostinato's own, or one of the application.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from typing import Any, Final, overload

from pydantic_core import to_json

from ostinato.jobs.arq_queue.notifier import NOTIFY_WITHIN, Signal
from ostinato.jobs.documents import job_from
from ostinato.jobs.engine import Engine, to_client_error
from ostinato.jobs.errors import BadRequest, PayloadTooLarge, QuotaExceeded
from ostinato.jobs.mongo.caller_sessions import (
    BlockingSession,
    CallerSession,
    find_blocking,
    find_in,
    insert_blocking,
    insert_in,
    require_transaction,
)
from ostinato.jobs.mongo.client import Document, Session
from ostinato.jobs.mongo.job_documents import StoredJob, build_job_documents, existing_job
from ostinato.jobs.mongo.stored_json import escape_document
from ostinato.jobs.mongo.transaction import run_shielded_transaction
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.quotas.owner_quotas import GroupReservation, OwnerQuotas
from ostinato.jobs.records import Job
from ostinato.jobs.transactions.transactor import MAX_BYTES, MAX_JOBS

__all__ = [
    "BlockingSession",
    "CallerSession",
    "JobGroup",
    "ScheduledJobs",
    "insert_group",
    "insert_group_blocking",
    "prepare_in",
    "schedule_group",
]

Key = tuple[str | None, str]
RunInLoop = Callable[[Coroutine[Any, Any, None]], None]


class ScheduledJobs(Sequence[Job]):
    """The jobs of a group, in its order; each is decoded when it is read."""

    def __init__(self, found: Sequence[Job | Document]) -> None:
        self._found = [*found]

    @property
    def ids(self) -> list[str]:
        """Return their ids, without decoding them."""
        return [each.id if isinstance(each, Job) else each["_id"] for each in self._found]

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, position: int) -> Job: ...
    @overload
    def __getitem__(self, position: slice) -> "ScheduledJobs": ...
    def __getitem__(self, position: int | slice) -> "Job | ScheduledJobs":
        if isinstance(position, slice):
            return ScheduledJobs(self._found[position])
        found = self._found[position]
        if not isinstance(found, Job):
            found = self._found[position] = job_from(found)
        return found


class JobGroup:
    """New jobs, what becomes of those whose keys were used before, and their reservation.

    Close it, in the event loop of the engine, once the jobs are inserted or given up.
    """

    def __init__(
        self, new_jobs: Sequence[NewJob], documents: Sequence[Document], quotas: OwnerQuotas
    ) -> None:
        self._pairs: Final = tuple(zip(new_jobs, documents, strict=True))
        self._jobs: dict[int, Job | Document] = {}
        self._reservation: Final = GroupReservation(quotas)
        self.loop: Final = asyncio.get_running_loop()
        self.is_admitted = False

    async def admit(self, documents: Sequence[Document]) -> None:
        """Reserve room for documents of the group, unless it was admitted before.

        Raises QuotaExceeded.
        """
        if self.is_admitted:
            return
        ids = {document["_id"] for document in documents}
        admitted = [new for new, document in self._pairs if document["_id"] in ids]
        await self._reservation.add_jobs(admitted)
        self.is_admitted = True

    def close(self) -> None:
        """Release the reservation: a measurement of the owners' jobs finds these from now on."""
        self._reservation.release()

    @property
    def used_keys(self) -> Document | None:
        """Return the filter for jobs with the keys of the group; None without keys."""
        keys: defaultdict[str | None, list[str]] = defaultdict(list)
        for new, _ in self._pairs:
            if new.key is not None:
                keys[new.owner].append(new.key)
        owned = [{"owner": owner, "key": {"$in": each}} for owner, each in keys.items()]
        return {"$or": owned} if owned else None

    def resolve_keys(self, found: Sequence[Document]) -> list[Document]:
        """Return the documents to insert, given the stored jobs with the keys of the group.

        Raises Conflict if a key was used for a different function or different arguments.
        """
        stored: dict[Key, StoredJob] = {}
        for document in found:
            stored[document["owner"], document["key"]] = StoredJob(document)
        documents: list[Document] = []
        for position, (new, document) in enumerate(self._pairs):
            used = stored.get((new.owner, new.key)) if new.key is not None else None
            if used is None:
                self._jobs[position] = document
                documents.append(document)
                if new.key is not None:
                    stored[new.owner, new.key] = StoredJob(escape_document(document))
            else:
                self._jobs[position] = existing_job(used, new)
        return documents

    @property
    def jobs(self) -> ScheduledJobs:
        """Return the new and the existing jobs, in the order of the group."""
        return ScheduledJobs([self._jobs[position] for position in range(len(self._pairs))])


async def build_group(engine: Engine, new_jobs: Sequence[NewJob], *, external: bool) -> JobGroup:
    """Build the documents of a group; `external` if the application commits the transaction.

    At a quota, a group with keys is not admitted yet: jobs whose keys were used before need no
    room. Raises BadRequest, PayloadTooLarge, or QuotaExceeded for a group without keys. Until a
    transaction commits, its jobs do not count towards the quotas of other processes.
    """
    if not 1 <= len(new_jobs) <= MAX_JOBS:
        message = f"one call can schedule 1 to {MAX_JOBS:,} jobs, got {len(new_jobs):,}"
        raise BadRequest.at("jobs", message=message, code="out_of_range")
    sizes = [len(to_json(new.args)) for new in new_jobs]
    if sum(sizes) > MAX_BYTES:
        raise PayloadTooLarge(
            f"the arguments of one call can have {MAX_BYTES:,} bytes as JSON in total, got "
            f"{sum(sizes):,}: schedule fewer jobs at once"
        )
    now = await engine.clock.now()
    retention_ms = engine.settings.purge_after_ms
    documents = build_job_documents(new_jobs, now, retention_ms, external=external)
    group = JobGroup(new_jobs, documents, engine.quotas)
    try:
        await group.admit(documents)
    except QuotaExceeded:
        if group.used_keys is None:
            raise
    return group


async def prepare_in(
    engine: Engine, new_jobs: Sequence[NewJob], session: CallerSession
) -> JobGroup:
    """Build a group for a transaction of the application, in which `insert_group` inserts it.

    Raises BadRequest at `session`, and what `build_group` raises.
    """
    require_transaction(session)
    await engine.deployment.require_same(session)
    return await build_group(engine, new_jobs, external=True)


async def insert_group(engine: Engine, group: JobGroup, session: CallerSession) -> ScheduledJobs:
    """Insert a group: its jobs exist if and only if the transaction commits.

    The leader's change stream then wakes the dispatcher. Raises Conflict, QuotaExceeded, and the
    driver's errors, which an application handles as those of its own writes.
    """
    database = engine.settings.database
    with closing(group):
        found = await find_in(session, database, group.used_keys)
        documents = group.resolve_keys(found)
        await _admit(group, documents)
        await insert_in(session, database, documents)
    return group.jobs


def insert_group_blocking(
    engine: Engine, group: JobGroup, session: BlockingSession, run: RunInLoop
) -> ScheduledJobs:
    """Insert a group like `insert_group`, in the calling thread.

    `run` runs a coroutine in the event loop of the engine.
    """
    database = engine.settings.database
    try:
        found = find_blocking(session, database, group.used_keys)
        documents = group.resolve_keys(found)
        if not group.is_admitted:
            run(_admit(group, documents))
        insert_blocking(session, database, documents)
    finally:
        group.loop.call_soon_threadsafe(group.close)
    return group.jobs


async def _admit(group: JobGroup, documents: Sequence[Document]) -> None:
    """Reserve room; errors of Ostinato's own client are not those of the application's session."""
    try:
        await group.admit(documents)
    except Exception as error:
        converted = to_client_error(error)
        if converted is error:
            raise
        raise converted from error


async def schedule_group(engine: Engine, new_jobs: Sequence[NewJob]) -> ScheduledJobs:
    """Insert all jobs of a group in one transaction, and signal the dispatcher if one is due soon.

    A job whose owner has used its key before is not inserted again: the existing one is returned.
    Raises Conflict for another use of a key, and what `build_group` raises; then none is inserted.
    """
    group = await build_group(engine, new_jobs, external=False)
    jobs = engine.mongo["jobs"]

    async def insert(session: Session) -> None:
        keys = group.used_keys
        found = await jobs.find(keys, session=session).to_list(None) if keys else []
        if documents := group.resolve_keys(found):
            await engine.store.insert_in_transaction(session, documents)

    with closing(group):
        if not group.is_admitted:
            found = await jobs.find(group.used_keys).to_list(None)
            await group.admit(group.resolve_keys(found))
        await run_shielded_transaction(engine.mongo, insert)
    now = await engine.clock.now()
    if any(new.scheduled_time - now < NOTIFY_WITHIN for new in new_jobs):
        engine.notifier.notify(Signal.DUE)
    return group.jobs
