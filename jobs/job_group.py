"""Groups of new jobs that are inserted in one transaction: all of them, or none.

The transaction is Ostinato's own, or one of the application.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from pydantic_core import to_json

from ostinato.jobs.arq_queue.notifier import NOTIFY_WITHIN, Signal
from ostinato.jobs.documents import job_from
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import BadRequest, PayloadTooLarge
from ostinato.jobs.mongo.caller_sessions import (
    BlockingSession,
    CallerSession,
    insert_blocking,
    insert_in,
    require_transaction,
)
from ostinato.jobs.mongo.client import Document, Session
from ostinato.jobs.mongo.job_documents import StoredJob, build_job_document, existing_job
from ostinato.jobs.mongo.stored_json import escape_document
from ostinato.jobs.mongo.transaction import run_shielded_transaction
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.owner_quotas import Reservation
from ostinato.jobs.records import Job
from ostinato.jobs.transactions.transactor import MAX_BYTES, MAX_JOBS

__all__ = [
    "BlockingSession",
    "CallerSession",
    "JobGroup",
    "insert_group",
    "insert_group_blocking",
    "prepare_in",
    "schedule_group",
]

Key = tuple[str | None, str]


class JobGroup:
    """New jobs, and what becomes of those whose keys were used before. No I/O."""

    def __init__(self, new_jobs: Sequence[NewJob], documents: Sequence[Document]) -> None:
        self._pairs: Final = tuple(zip(new_jobs, documents, strict=True))
        self._jobs: dict[int, Job] = {}

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
                self._jobs[position] = job_from(document)
                documents.append(document)
                if new.key is not None:
                    stored[new.owner, new.key] = StoredJob(escape_document(document))
            else:
                self._jobs[position] = existing_job(used, new)
        return documents

    @property
    def jobs(self) -> list[Job]:
        """Return the new and the existing jobs, in the order of the group."""
        return [self._jobs[position] for position in range(len(self._pairs))]


async def build_group(engine: Engine, new_jobs: Sequence[NewJob], *, external: bool) -> JobGroup:
    """Build the documents of a group; `external` if the application commits the transaction.

    Raises BadRequest, PayloadTooLarge or QuotaExceeded. Until an open transaction of the
    application commits, its jobs do not count towards the quotas of other processes.
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
    with ExitStack() as stack:
        reservations: dict[str | None, Reservation] = {}
        for new in new_jobs:
            if new.owner not in reservations:
                reservations[new.owner] = stack.enter_context(engine.quotas.reserve(new.owner))
            await reservations[new.owner].add_job(new)
    documents = [
        build_job_document(new, now, engine.settings.purge_after_ms, external=external)
        for new in new_jobs
    ]
    return JobGroup(new_jobs, documents)


async def prepare_in(
    engine: Engine, new_jobs: Sequence[NewJob], session: CallerSession
) -> JobGroup:
    """Build a group for a transaction of the application, in which `insert_group` inserts it.

    Raises BadRequest at `session`, and what `build_group` raises.
    """
    require_transaction(session)
    await engine.deployment.require_same(session)
    return await build_group(engine, new_jobs, external=True)


async def insert_group(engine: Engine, group: JobGroup, session: CallerSession) -> list[Job]:
    """Insert a group: its jobs exist if and only if the transaction commits.

    The leader's change stream then wakes the dispatcher. Raises Conflict and the driver's errors,
    which an application handles as those of its own writes.
    """
    database = engine.settings.database
    await insert_in(session, database, group.used_keys, group.resolve_keys)
    return group.jobs


def insert_group_blocking(engine: Engine, group: JobGroup, session: BlockingSession) -> list[Job]:
    """Insert a group like `insert_group`, in the calling thread."""
    database = engine.settings.database
    insert_blocking(session, database, group.used_keys, group.resolve_keys)
    return group.jobs


async def schedule_group(engine: Engine, new_jobs: Sequence[NewJob]) -> list[Job]:
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

    await run_shielded_transaction(engine.mongo, insert)
    now = await engine.clock.now()
    if any(new.scheduled_time - now < NOTIFY_WITHIN for new in new_jobs):
        engine.notifier.notify(Signal.DUE)
    return group.jobs
