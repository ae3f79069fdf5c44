"""The verbs that change a job, each one guarded write. None is returned where somebody else
moved first, which is no error."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import Enum, auto
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError, PyMongoError, WriteError
from pymongo.read_concern import ReadConcern

from ostinato.jobs.lifecycle import FINAL_STATES, Move
from ostinato.jobs.mongo import moves
from ostinato.jobs.mongo.client import Document, Mongo, Session, may_pass
from ostinato.jobs.mongo.collections import FAILURES, JOBS
from ostinato.jobs.mongo.finds import owned
from ostinato.jobs.mongo.indexes import with_index
from ostinato.jobs.mongo.poison import Held, PoisonedJobs, write_in_halves
from ostinato.jobs.mongo.stored_json import escape_document, restore_document
from ostinato.jobs.records import JobState

DUPLICATE_KEY = 11000
LOCAL = ReadConcern("local")

CLAIMED_FIELDS = (
    *("functionName", "args", "owner", "cause", "scheduledTime", "version"),
    *("attempt", "maxAttempts", "retry", "timeoutMs"),
)


class Hold(Enum):
    """How an attempt stands with the job that it runs."""

    HELD = auto()
    ASKED_TO_END = auto()
    """The job was canceled while it ran: what it schedules is born canceled."""
    LOST = auto()
    """The job is not its own any more: nothing it does may count."""


class JobStore:
    """The `jobs` collection, as the engine changes it."""

    def __init__(self, mongo: Mongo, keep_ms: int) -> None:
        self._mongo = mongo
        self._jobs = mongo[JOBS]
        self._keep_ms = keep_ms
        self.poisoned = PoisonedJobs(mongo)

    async def insert(self, documents: Sequence[Document]) -> dict[int, PyMongoError | None]:
        """Insert jobs in one write; returns the positions of those that it did not insert, with
        the error of one that MongoDB refuses, and None for one that exists already."""
        try:
            stored = [escape_document(document) for document in documents]
            await self._jobs.insert_many(stored, ordered=False)
        except BulkWriteError as error:
            if may_pass(error):  # or it is not known to be on most members: it could be rolled back
                raise
            return {one["index"]: _refusal(one) for one in error.details["writeErrors"]}
        return {}

    async def insert_in(self, session: Session, documents: Sequence[Document]) -> None:
        """Insert jobs in a transaction: they exist if and only if it commits."""
        stored = [escape_document(document) for document in documents]
        await self._jobs.insert_many(stored, ordered=True, session=session)

    async def get(self, job_id: str) -> Document | None:
        return _restored(await self._jobs.find_one({"_id": job_id}))

    async def count_events(self, job_id: str) -> int:
        """Count the entries of a job's timeline; 0 if there is none."""
        found = await self._jobs.find_one({"_id": job_id}, {"timeline.seq": 1})
        return len(found.get("timeline") or ()) if found else 0

    async def is_full(self, job_id: str, version: int) -> bool:
        """Return whether a job's timeline has no room for another attempt; False, too, if MongoDB
        does not answer. The version rises with each event: mostly it alone says that there is."""
        if version <= moves.FULL_AT:
            return False
        with suppress(PyMongoError):
            return await self.count_events(job_id) > moves.FULL_AT
        return False

    async def find_by_key(self, owner: str | None, key: str) -> Document | None:
        return _restored(await self._jobs.find_one({"owner": owner, "key": key}))

    async def claim(
        self, ids: Sequence[str], worker: str, token: str, offset_ms: int
    ) -> list[Document]:
        """Start the next attempt of those of `ids` that are pending and due by the server's
        clock; returns what an attempt needs of them. `token` must be new with each call.

        A job whose document cannot be written fails."""
        modified = 0
        left_alone = self.poisoned.unwritable()
        if left_alone and not (ids := [job_id for job_id in ids if job_id not in left_alone]):
            return []

        async def start(some: Sequence[str]) -> None:
            nonlocal modified
            modified += await self._start(some, {"worker": worker, "token": token}, offset_ms)

        refused = await write_in_halves(ids, start)
        await self._fail_refused(refused, offset_ms)
        return await self.claimed(ids, token) if modified or refused else []

    async def _start(self, ids: Sequence[str], lease: Document, offset_ms: int) -> int:
        due = moves.now(offset_ms)
        updated = await self._jobs.update_many(
            {
                **moves.guard(Move.CLAIM, ids),
                "$expr": {"$lte": ["$scheduledTime", due]},
            },
            moves.pipeline(
                Move.CLAIM,
                due,
                fields={
                    "attempt": {"$add": ["$attempt", 1]},
                    "lease": moves.literal(lease),
                },
                event={
                    "attempt": {"$add": ["$attempt", 1]},
                    "worker": moves.literal(lease["worker"]),
                },
            ),
        )
        return updated.modified_count

    async def claimed(self, ids: Sequence[str], token: str) -> list[Document]:
        """Find what a claim with `token` took out of `ids`."""
        found = self._jobs.find({"_id": {"$in": list(ids)}, "lease.token": token}, CLAIMED_FIELDS)
        return [restore_document(document) for document in await found.to_list(None)]

    async def reserve(self, starts: Mapping[str, datetime], offset_ms: int) -> None:
        """Give due jobs the later starts that their function's rate limit has reserved."""
        due = moves.now(offset_ms)
        start = moves.looked_up(list(starts), list(starts.values()))
        update = moves.pipeline(
            Move.RESERVE,
            due,
            fields={"scheduledTime": start, "lane": {"$concat": [moves.UNRESERVED, "!"]}},
            event={"nextRunAt": start},
        )

        async def write(ids: Sequence[str]) -> None:
            guard = moves.guard(Move.RESERVE, ids)
            is_due = {"$expr": {"$lte": ["$scheduledTime", due]}}
            await self._jobs.update_many({**guard, **is_due}, update)

        await self._fail_refused(await write_in_halves(list(starts), write), offset_ms)

    async def _fail_refused(self, refused: Mapping[str, PyMongoError], offset_ms: int) -> None:
        for job_id, error in refused.items():
            await self.poisoned.fail(Held(job_id, JobState.PENDING), error, offset_ms)

    async def cancel(
        self,
        job_id: str,
        offset_ms: int,
        session: Session | None = None,
        *,
        owner: str | None = None,
    ) -> Document | None:
        """Cancel a pending job, or ask for the end of a running one; returns it after.

        A second request changes nothing. None if it is in a final state, or unknown, or, where
        an owner is given, somebody else's.
        """
        theirs = owned(owner)
        while (changed := await self._try_cancel(job_id, theirs, offset_ms, session)) is None:
            # Between the two guards it may have gone from running to pending, and on to running.
            open_still = {"_id": job_id, "state": {"$nin": sorted(FINAL_STATES)}, **theirs}
            if await self._jobs.find_one(open_still, {"_id": 1}, session=session) is None:
                return None
        return restore_document(changed)

    async def _try_cancel(
        self, job_id: str, theirs: Document, offset_ms: int, session: Session | None
    ) -> Document | None:
        at = moves.now(offset_ms)
        canceled: Document | None = await self._jobs.find_one_and_update(
            {**moves.guard(Move.CANCEL, [job_id]), **theirs},
            moves.pipeline(Move.CANCEL, at, keep_ms=self._keep_ms),
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if canceled is not None:
            return canceled
        running = {**moves.guard(Move.REQUEST_CANCEL, [job_id]), **theirs}
        asked: Document | None = await self._jobs.find_one_and_update(
            {**running, "cancelRequestedAt": None},
            moves.pipeline(Move.REQUEST_CANCEL, at),
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if asked is not None:
            return asked
        # Running alone would not do: without a request that was written, nothing would end it.
        asked_before = {**running, "cancelRequestedAt": {"$ne": None}}
        return await self._jobs.find_one(asked_before, session=session)

    async def revive(self, session: Session, job_id: str, offset_ms: int) -> Document | None:
        """Give an ended job another round of attempts and drop its failure; returns it after.

        None if it has not failed, nor was canceled, or is unknown, or its timeline has no room.
        """
        at = moves.now(offset_ms)
        revived: Document | None = await self._jobs.find_one_and_update(
            {**moves.guard(Move.REVIVE, [job_id]), "$expr": moves.HAS_ROOM_FOR_A_ROUND},
            moves.pipeline(
                Move.REVIVE,
                at,
                fields={
                    "scheduledTime": at,
                    "maxAttempts": {"$add": ["$attempt", "$retry.retries", 1]},
                    "error": moves.REMOVE,
                    "result": moves.REMOVE,
                    "cancelRequestedAt": moves.REMOVE,
                },
                event={"nextRunAt": at},
            ),
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if revived is not None:
            await self._mongo[FAILURES].delete_one({"_id": job_id}, session=session)
        return _restored(revived)

    async def resolve(
        self, session: Session, failure_id: str, keep_ms: int, offset_ms: int
    ) -> Document | None:
        """Drop a failure and let its job, if it is still failed, be purged `keep_ms` from now;
        returns the failure, or None if there is none."""
        where = {"_id": failure_id}
        failures = self._mongo[FAILURES]
        failure: Document | None = await failures.find_one_and_delete(where, session=session)
        if failure is not None and failure.get("jobId") is not None:
            await self._jobs.update_one(
                {"_id": failure["jobId"], "state": JobState.FAILED.value},
                [
                    {
                        "$set": {
                            "purgeAt": {"$add": [moves.now(offset_ms), keep_ms]},
                            "version": {"$add": ["$version", 1]},
                        }
                    }
                ],
                session=session,
            )
        return _restored(failure)

    async def is_held(self, session: Session, job_id: str, attempt: int) -> bool:
        """Tell whether an attempt still holds its job and may go on."""
        held = moves.guard(Move.SUCCEED, [job_id], attempt)
        return await self._jobs.find_one(held, {"_id": 1}, session=session) is not None

    async def hold(self, job_id: str, attempt: int, session: Session | None = None) -> Hold:
        """Tell how an attempt stands with its job."""
        running = {"_id": job_id, "state": JobState.IN_PROGRESS.value, "attempt": attempt}
        # What a new primary knows most members to have may be older than the claim.
        jobs = self._jobs if session else self._jobs.with_options(read_concern=LOCAL)
        found = await jobs.find_one(running, {"cancelRequestedAt": 1}, session=session)
        if found is None:
            return Hold.LOST
        return Hold.ASKED_TO_END if found.get("cancelRequestedAt") else Hold.HELD

    async def set_progress(self, job_id: str, attempt: int, progress: Document) -> bool:
        """Record how far an attempt has come; False if it has lost the job."""
        changed = await self._jobs.update_one(
            {"_id": job_id, "state": JobState.IN_PROGRESS.value, "attempt": attempt},
            {"$set": {"progress": progress}, "$inc": {"version": 1}},
        )
        return changed.matched_count == 1

    async def held_by(self, worker: str) -> list[Document]:
        """Find what a worker holds: id, attempt and whether its end was asked for."""
        held = {
            "lease.worker": worker,
            "state": JobState.IN_PROGRESS.value,
            "attempt": {"$type": "number"},  # without one, it fails when the worker is gone
        }
        fields = {"attempt": 1, "cancelRequestedAt": 1, "lease": 1}
        return await with_index(
            "running", lambda **hint: self._jobs.find(held, fields, **hint).to_list(None)
        )

    async def held_in_full(self, worker: str, limit: int) -> list[Document]:
        """Find what a lost worker held, with the timelines."""
        held = {"lease.worker": worker, "state": JobState.IN_PROGRESS.value}
        return await self._jobs.find(held, {"result": 0}, limit=limit).to_list(None)


def _restored(document: Document | None) -> Document | None:
    return None if document is None else restore_document(document)


def _refusal(one: Mapping[str, Any]) -> PyMongoError | None:
    """Build the error of one insert, without the job that the driver quotes in full."""
    code, message = one["code"], one["errmsg"]
    return None if code == DUPLICATE_KEY else WriteError(message, code, {"errmsg": message})
