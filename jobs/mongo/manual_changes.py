"""Writes what clients change about stored jobs and failures: each method is one transaction, or one
guarded write."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument

from ostinato.jobs.documents import failure_from
from ostinato.jobs.filters import FailureState
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.malformed import read_as
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.client import Document, Mongo, Session
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.collections import FAILURES, JOBS
from ostinato.jobs.mongo.job_documents import StoredJob
from ostinato.jobs.mongo.stored_json import escape, restore_document
from ostinato.jobs.mongo.transaction import run_shielded_transaction
from ostinato.jobs.records import Failure, JobState, JsonObject


class ManualChanges:
    """Retries and reschedules jobs, and resolves failures."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._jobs = mongo[JOBS]

    async def retry(
        self,
        job_id: str,
        clock_time: ClockTime,
        args: JsonObject | None = None,
        by: str | None = None,
    ) -> StoredJob | None:
        """Requeue a failed or canceled job with another set of attempts; delete its failure.

        `args` replaces its arguments, if given; `by` is the user who asked for it. Returns None in
        any other state, or if the timeline has no capacity for the set.
        """

        async def body(session: Session) -> Document | None:
            return await self.retry_in(session, job_id, clock_time, args, by)

        return _stored(await run_shielded_transaction(self._mongo, body))

    async def retry_in(
        self,
        session: Session,
        job_id: str,
        clock_time: ClockTime,
        args: JsonObject | None = None,
        by: str | None = None,
    ) -> Document | None:
        """Retry a job in a transaction, and return its document; None like `retry`."""
        at = transitions.now(clock_time)
        fields: dict[str, Any] = {"maxAttempts": {"$add": ["$attempt", "$retry.retries", 1]}}
        event: dict[str, Any] = {} if by is None else {"by": transitions.literal(by)}
        if args is not None:
            fields["args"] = transitions.literal(escape(args))
            event["argsChanged"] = True
        retried: Document | None = await self._jobs.find_one_and_update(
            {
                **transitions.guard(TransitionName.MANUAL_RETRY, [job_id]),
                "$expr": transitions.HAS_TIMELINE_ROOM,
            },
            transitions.pipeline(TransitionName.MANUAL_RETRY, at, fields, event),
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if retried is not None:
            await delete_failures(self._mongo, session, [job_id])
        return retried

    async def reschedule(
        self,
        job_id: str,
        due: datetime,
        clock_time: ClockTime,
        expected_version: int | None = None,
    ) -> StoredJob | None:
        """Change when a pending job is due; a start that a rate limit has reserved is given up.

        Returns None in any other state or version, or if the timeline has no capacity.
        """
        version = {} if expected_version is None else {"version": expected_version}
        changed: Document | None = await self._jobs.find_one_and_update(
            {
                **transitions.guard(TransitionName.RESCHEDULE, [job_id]),
                **version,
                "$expr": transitions.HAS_TIMELINE_ROOM,
            },
            transitions.pipeline(
                TransitionName.RESCHEDULE,
                transitions.now(clock_time),
                fields={"scheduledTime": due},
                event={"nextRunAt": due},
            ),
            return_document=ReturnDocument.AFTER,
        )
        return _stored(changed)

    async def resolve_failure(
        self, failure_id: str, retention_ms: int, clock_time: ClockTime
    ) -> Failure | None:
        """Resolve an open failure; if its job is failed, schedule its purge after `retention_ms`.

        Returns the failure, or None if there is no open one; raises Malformed after the change.
        """

        async def body(session: Session) -> Document | None:
            return await self.resolve_failure_in(session, failure_id, retention_ms, clock_time)

        failure = await run_shielded_transaction(self._mongo, body)
        return None if failure is None else read_as(failure_from, restore_document(failure))

    async def resolve_failure_in(
        self, session: Session, failure_id: str, retention_ms: int, clock_time: ClockTime
    ) -> Document | None:
        failure: Document | None = await self._mongo[FAILURES].find_one_and_update(
            {"_id": failure_id, "resolvedAt": None},
            resolution(clock_time),
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if failure is not None and failure.get("jobId") is not None:
            await self._jobs.update_one(
                {"_id": failure["jobId"], "state": JobState.FAILED.value},
                [
                    {
                        "$set": {
                            "purgeAt": {"$add": [transitions.now(clock_time), retention_ms]},
                            "version": {"$add": ["$version", 1]},
                        }
                    }
                ],
                session=session,
            )
        return failure


def resolution(clock_time: ClockTime) -> list[Document]:
    """Return the update that resolves failures; `stateChange` is for subscriptions."""
    changed = {
        "resolvedAt": transitions.now(clock_time),
        "stateChange": f"{FailureState.OPEN} {FailureState.RESOLVED}",
        "version": {"$add": ["$version", 1]},
    }
    return [{"$set": changed}]


async def delete_failures(mongo: Mongo, session: Session, ids: Sequence[str]) -> None:
    """Delete failures, and tell subscribers what filters use, which a deletion does not contain."""
    failures, by_ids = mongo[FAILURES], {"_id": {"$in": ids}}
    route = {name: f"${name}" for name in ("owner", "functionName", "fingerprint", "at")}
    await failures.update_many(by_ids, [{"$set": {"deleted": route}}], session=session)
    await failures.delete_many(by_ids, session=session)


def _stored(document: Document | None) -> StoredJob | None:
    return None if document is None else StoredJob(document)
