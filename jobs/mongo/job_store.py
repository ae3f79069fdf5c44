"""Writes the `jobs` collection: each method is one guarded write.

A method returns None if another writer changed the job first; that is not an error.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import Enum, auto
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError, PyMongoError, WriteError
from pymongo.read_concern import ReadConcern

from ostinato.jobs.lifecycle import FINAL_STATES, TransitionName
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.claimed_jobs import (
    CLAIMED_FIELDS,
    ClaimedJob,
    Lease,
    LostJob,
    MalformedJob,
    read_claimed,
    read_leases,
    read_lost,
)
from ostinato.jobs.mongo.client import ZONELESS_CODEC, Document, Mongo, Session, is_transient
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.collections import JOBS
from ostinato.jobs.mongo.indexes import read_with_hint
from ostinato.jobs.mongo.job_documents import StoredJob
from ostinato.jobs.mongo.page_queries import owned_by
from ostinato.jobs.mongo.poisoned_jobs import HeldJob, PoisonedJobs, write_bisecting
from ostinato.jobs.mongo.stored_json import EncodedDocument, escape_document
from ostinato.jobs.records import JobState

DUPLICATE_KEY = 11000
LOCAL = ReadConcern("local")


class AttemptStatus(Enum):
    """Whether an attempt still holds its job."""

    HELD = auto()
    CANCEL_REQUESTED = auto()
    """Held, but cancellation was requested: jobs it schedules are inserted as canceled."""
    LOST = auto()
    """Another attempt is running, or the job has ended: this one's writes must have no effect."""


class JobStore:
    """The `jobs` collection: inserts, claims, cancellations and retries."""

    def __init__(self, mongo: Mongo, retention_ms: int, poisoned: PoisonedJobs) -> None:
        self._mongo = mongo
        self._jobs = mongo[JOBS]
        self._zoneless_jobs = self._jobs.with_options(codec_options=ZONELESS_CODEC)
        self._retention_ms = retention_ms
        self.poisoned = poisoned

    async def insert(self, documents: Sequence[EncodedDocument]) -> dict[int, PyMongoError | None]:
        """Insert encoded jobs in one write; returns the positions of those not inserted.

        The values are MongoDB's errors, or None for a job that already exists.
        """
        try:
            await self._jobs.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            if is_transient(error):  # the write may lack a majority and be rolled back
                raise
            return {one["index"]: _insert_error(one) for one in error.details["writeErrors"]}
        return {}

    async def insert_in_transaction(self, session: Session, documents: Sequence[Document]) -> None:
        """Insert jobs in a transaction: they exist if and only if it commits."""
        stored = [escape_document(document) for document in documents]
        await self._jobs.insert_many(stored, ordered=True, session=session)

    async def find(self, job_id: str) -> StoredJob | None:
        """Return a job, or None if it does not exist."""
        return _stored(await self._jobs.find_one({"_id": job_id}))

    async def count_events(self, job_id: str) -> int:
        """Return the number of entries of a job's timeline; 0 if the job does not exist."""
        found = await self._jobs.find_one({"_id": job_id}, {"timeline.seq": 1})
        return len(found.get("timeline") or ()) if found else 0

    async def is_timeline_full(self, job_id: str, version: int) -> bool:
        """Return whether a job's timeline has no capacity for another attempt.

        Returns False if the read fails. The version increases with each event, so a low version
        skips the read.
        """
        if version <= transitions.MAX_EVENTS_BEFORE_CLAIM:
            return False
        with suppress(PyMongoError):
            return await self.count_events(job_id) > transitions.MAX_EVENTS_BEFORE_CLAIM
        return False

    async def find_by_key(self, owner: str | None, key: str) -> StoredJob | None:
        """Return the owner's job with this idempotency key, or None."""
        return _stored(await self._jobs.find_one({"owner": owner, "key": key}))

    async def claim(
        self, ids: Sequence[str], worker: str, token: str, clock_time: ClockTime
    ) -> list[ClaimedJob | MalformedJob]:
        """Start the next attempt of the pending jobs among `ids` that are due, by server time.

        Returns these jobs. `token` must be unique per call. A job whose document cannot be updated
        fails.
        """
        modified = 0
        unwritable = self.poisoned.unwritable()
        if unwritable and not (ids := [job_id for job_id in ids if job_id not in unwritable]):
            return []

        async def claim(some: Sequence[str]) -> None:
            nonlocal modified
            modified += await self._claim_some(some, {"worker": worker, "token": token}, clock_time)

        rejected = await write_bisecting(ids, claim)
        await self._fail_rejected(rejected, clock_time)
        return await self._find_claimed(ids, token) if modified or rejected else []

    async def _claim_some(self, ids: Sequence[str], lease: Document, clock_time: ClockTime) -> int:
        now = transitions.now(clock_time)
        updated = await self._jobs.update_many(
            {
                **transitions.guard(TransitionName.CLAIM, ids),
                "$expr": {"$lte": ["$scheduledTime", now]},
            },
            transitions.pipeline(
                TransitionName.CLAIM,
                now,
                fields={
                    "attempt": {"$add": ["$attempt", 1]},
                    "lease": transitions.literal(lease),
                },
                event={
                    "attempt": {"$add": ["$attempt", 1]},
                    "worker": transitions.literal(lease["worker"]),
                },
            ),
        )
        return updated.modified_count

    async def _find_claimed(
        self, ids: Sequence[str], token: str
    ) -> list[ClaimedJob | MalformedJob]:
        held = {"_id": {"$in": list(ids)}, "lease.token": token}
        found = self._zoneless_jobs.find(held, CLAIMED_FIELDS)
        return [read_claimed(document) for document in await found.to_list(None)]

    async def reserve(self, starts: Mapping[str, datetime], clock_time: ClockTime) -> None:
        """Postpone due jobs to the starts reserved by their function's rate limit."""
        now = transitions.now(clock_time)
        start = transitions.value_by_id(list(starts), list(starts.values()))
        update = transitions.pipeline(
            TransitionName.RESERVE,
            now,
            fields={
                "scheduledTime": start,
                "lane": {"$concat": [transitions.LANE_WITHOUT_RESERVATION, "!"]},
            },
            event={"nextRunAt": start},
        )

        async def write(ids: Sequence[str]) -> None:
            guard = transitions.guard(TransitionName.RESERVE, ids)
            is_due = {"$expr": {"$lte": ["$scheduledTime", now]}}
            await self._jobs.update_many({**guard, **is_due}, update)

        await self._fail_rejected(await write_bisecting(list(starts), write), clock_time)

    async def _fail_rejected(
        self, rejected: Sequence[tuple[str, PyMongoError]], clock_time: ClockTime
    ) -> None:
        for job_id, error in rejected:
            await self.poisoned.fail(HeldJob(job_id, JobState.PENDING), error, clock_time)

    async def cancel(
        self,
        job_id: str,
        clock_time: ClockTime,
        session: Session | None = None,
        *,
        owner: str | None = None,
    ) -> StoredJob | None:
        """Cancel a pending job, or request a running one's cancellation; returns the updated job.

        A repeated request has no effect. Returns None if the job has ended, is unknown, or does not
        belong to `owner` (if given).
        """
        owner_filter = owned_by(owner)
        while (
            changed := await self._try_cancel(job_id, owner_filter, clock_time, session)
        ) is None:
            # The job may have been rescheduled and restarted between the two guards.
            is_open = {"_id": job_id, "state": {"$nin": sorted(FINAL_STATES)}, **owner_filter}
            if await self._jobs.find_one(is_open, {"_id": 1}, session=session) is None:
                return None
        return StoredJob(changed)

    async def _try_cancel(
        self, job_id: str, owner_filter: Document, clock_time: ClockTime, session: Session | None
    ) -> Document | None:
        at = transitions.now(clock_time)
        canceled: Document | None = await self._jobs.find_one_and_update(
            {**transitions.guard(TransitionName.CANCEL, [job_id]), **owner_filter},
            transitions.pipeline(TransitionName.CANCEL, at, retention_ms=self._retention_ms),
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if canceled is not None:
            return canceled
        running = {**transitions.guard(TransitionName.REQUEST_CANCEL, [job_id]), **owner_filter}
        requested: Document | None = await self._jobs.find_one_and_update(
            {**running, "cancelRequestedAt": None},
            transitions.pipeline(TransitionName.REQUEST_CANCEL, at),
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if requested is not None:
            return requested
        # A running job is not enough: only a stored request stops it.
        requested_before = {**running, "cancelRequestedAt": {"$ne": None}}
        return await self._jobs.find_one(requested_before, session=session)

    async def holds(self, session: Session, job_id: str, attempt: int) -> bool:
        """Return whether an attempt still holds its job, without a cancel request."""
        held = transitions.guard(TransitionName.SUCCEED, [job_id], attempt)
        return await self._jobs.find_one(held, {"_id": 1}, session=session) is not None

    async def read_attempt_status(
        self, job_id: str, attempt: int, session: Session | None = None
    ) -> AttemptStatus:
        """Return whether an attempt still holds its job, and whether a cancel was requested."""
        running = {"_id": job_id, "state": JobState.IN_PROGRESS.value, "attempt": attempt}
        # A new primary's majority-committed state may be older than the claim.
        jobs = self._jobs if session else self._jobs.with_options(read_concern=LOCAL)
        found = await jobs.find_one(running, {"cancelRequestedAt": 1}, session=session)
        if found is None:
            return AttemptStatus.LOST
        has_request = found.get("cancelRequestedAt")
        return AttemptStatus.CANCEL_REQUESTED if has_request else AttemptStatus.HELD

    async def set_progress(self, job_id: str, attempt: int, progress: Document) -> bool:
        """Write an attempt's progress; returns False if the attempt was lost."""
        changed = await self._jobs.update_one(
            {"_id": job_id, "state": JobState.IN_PROGRESS.value, "attempt": attempt},
            {"$set": {"progress": progress}, "$inc": {"version": 1}},
        )
        return changed.matched_count == 1

    async def find_leases(self, worker: str) -> list[Lease]:
        """Return a worker's leases."""
        held = {
            "lease.worker": worker,
            "state": JobState.IN_PROGRESS.value,
            "attempt": {"$type": "number"},  # a job without one fails when its worker is lost
        }
        fields = {"attempt": 1, "cancelRequestedAt": 1, "lease": 1}
        found = await read_with_hint(
            "running", lambda **hint: self._jobs.find(held, fields, **hint).to_list(None)
        )
        return read_leases(found)

    async def find_lost(self, worker: str, limit: int) -> list[LostJob | MalformedJob]:
        """Return the running jobs of a lost worker."""
        held = {"lease.worker": worker, "state": JobState.IN_PROGRESS.value}
        found = await self._jobs.find(held, {"result": 0}, limit=limit).to_list(None)
        return [read_lost(document) for document in found]


def _stored(document: Document | None) -> StoredJob | None:
    return None if document is None else StoredJob(document)


def _insert_error(one: Mapping[str, Any]) -> PyMongoError | None:
    """Build the error of one insert, omitting the document that the driver quotes."""
    code, message = one["code"], one["errmsg"]
    return None if code == DUPLICATE_KEY else WriteError(message, code, {"errmsg": message})
