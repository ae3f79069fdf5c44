"""Fails poisoned jobs, whose documents cannot be updated by any transition.

The document is too large or malformed. A poisoned job must leave the states PENDING and
IN_PROGRESS, or it would be retried forever and block other jobs.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from pymongo.errors import OperationFailure, PyMongoError

from ostinato.jobs.failure_hooks import HOOK_JOB_FIELDS, HookJobs
from ostinato.jobs.failure_log import FailedAttempt, FailureLog
from ostinato.jobs.fingerprints import fingerprint_of
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.claimed_jobs import MalformedJob
from ostinato.jobs.mongo.client import (
    ENCODING_ERRORS,
    Document,
    Mongo,
    Session,
    error_codes,
    summarize,
)
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.collections import CRONS, FAILURES, JOBS
from ostinato.jobs.mongo.transaction import run_shielded_transaction
from ostinato.jobs.quarantine import Quarantine
from ostinato.jobs.records import CauseKind, JobState

TOO_LARGE: Final = frozenset({10334, 17419, 17420})
DOCUMENT_ERROR_CODES: Final = frozenset({2, 9, 14, 15, 28, 52, 54, 56, 57, 66, 10334})
FIRST_LOCATION: Final = 15_000  # codes from here on are expression errors
CLIENT_KILLED: Final = 46841
CONSTRAINT_CODES: Final = frozenset({121, 11000})
"""Rejections by a validator or unique index, which may be changed or dropped later."""
MAX_FAILURE_DATA_BYTES: Final = 1024 * 1024
QUARANTINE_S: Final = 60.0
MAX_LOGGED: Final = 100  # a validator may reject all jobs
QUARANTINE_SIZE: Final = 1_000  # heartbeats contain these ids
MAX_MESSAGE_CHARACTERS: Final = 512

T = TypeVar("T")

log = get_log(__name__)


class HeldJob(NamedTuple):
    """A job and its expected state: after any other transition, it is left alone."""

    job_id: str
    state: JobState
    attempt: int | None = None


def is_document_error(error: BaseException) -> bool:
    """Return whether MongoDB rejected a write because of one of its documents."""
    if not isinstance(error, OperationFailure):
        return False
    return any(map(_is_document_code, error_codes(error)))


def rejects_content(error: BaseException) -> bool:
    """Return whether a write was rejected because of its content, so that a retry is pointless.

    Any other rejection (a full disk, a missing privilege, an unknown code) may be temporary.
    """
    return isinstance(error, ENCODING_ERRORS) or is_document_error(error)


def _is_document_code(code: int | None) -> bool:
    if code in DOCUMENT_ERROR_CODES or code in CONSTRAINT_CODES:
        return True
    return code is not None and code >= FIRST_LOCATION and code != CLIENT_KILLED


async def write_bisecting(
    items: Sequence[T], write: Callable[[Sequence[T]], Awaitable[object]]
) -> list[tuple[T, PyMongoError]]:
    """Write all items at once; after a rejection, bisect to isolate the documents. Returns the
    rejected items with their errors."""
    try:
        await write(items)
    except OperationFailure as error:
        if not is_document_error(error):
            raise
        if len(items) == 1:
            return [(items[0], error)]
        middle = len(items) // 2
        halves = items[:middle], items[middle:]
        first, second = [await write_bisecting(half, write) for half in halves]
        return first + second
    return []


class PoisonedJobs:
    """Fails poisoned jobs with updates that tolerate malformed documents."""

    def __init__(
        self,
        mongo: Mongo,
        hook_jobs: HookJobs | None = None,
        failure_log: FailureLog | None = None,
    ) -> None:
        """`hook_jobs` and `failure_log` are also used for failures of valid jobs."""
        self._mongo = mongo
        self.hook_jobs = hook_jobs
        self.failure_log = failure_log or FailureLog()
        self._unwritable: Quarantine[str] = Quarantine(QUARANTINE_SIZE, QUARANTINE_S)

    def unwritable(self) -> frozenset[str]:
        """Return the quarantined jobs: they could not be failed, and are skipped for a minute."""
        return self._unwritable.keys()

    async def fail(self, held: HeldJob, cause: Exception, clock_time: ClockTime) -> bool:
        """Fail a job and record its failure; returns False if MongoDB rejects all updates."""
        if held.job_id in self.unwritable():
            return False
        error, rejection = _stored_error(cause), cause
        by_constraint = isinstance(cause, OperationFailure) and cause.code in CONSTRAINT_CODES
        updates = (
            [] if by_constraint else transitions.fail_pipelines(transitions.now(clock_time), error)
        )
        for update in updates:
            try:
                failed = await self._fail(held, update)
            except PyMongoError as again:
                if not is_document_error(again):
                    raise
                rejection = again
                continue
            if failed is not None:
                self.failure_log.write(_failed_attempt(failed), cause=_logged(cause))
            return True
        self._quarantine(held.job_id, rejection)
        return False

    async def fail_malformed(self, job: MalformedJob, clock_time: ClockTime) -> bool:
        """Fail a running job that cannot be decoded; returns like `fail`."""
        return await self.fail(HeldJob(job.id, JobState.IN_PROGRESS), job.error, clock_time)

    def _quarantine(self, job_id: str, rejection: Exception) -> None:
        if len(self._unwritable.keys()) < MAX_LOGGED:
            error = summarize(rejection)[:MAX_MESSAGE_CHARACTERS]
            log.error("job.unwritable", job_id=job_id, for_s=QUARANTINE_S, error=error)
        self._unwritable.add(job_id)

    async def _fail(self, held: HeldJob, pipeline: transitions.Pipeline) -> Document | None:
        """Fail a job; return its failure, or None if another writer changed the job first."""
        guard: Document = {"_id": held.job_id, "state": held.state.value}
        if held.attempt is not None:
            guard["attempt"] = held.attempt

        async def body(session: Session) -> Document | None:
            changed = await self._mongo[JOBS].update_one(guard, pipeline, session=session)
            if not changed.modified_count:
                return None
            return await self._record_failure(session, held.job_id)

        return await run_shielded_transaction(self._mongo, body)

    async def _record_failure(self, session: Session, job_id: str) -> Document:
        fields = {**_FAILURE, **dict.fromkeys(_JOB_FIELDS, 1)}
        pipeline: list[dict[str, Any]] = [{"$match": {"_id": job_id}}, {"$project": fields}]
        (failure,) = await self._mongo[JOBS].aggregate(pipeline, session=session).to_list(None)
        job = {name: failure.pop(name, None) for name in _JOB_FIELDS}
        where = {"_id": job_id}
        error = failure["error"]
        failure["fingerprint"] = fingerprint_of(error.get("name"), error.get("message"))
        await self._mongo[FAILURES].replace_one(where, failure, upsert=True, session=session)
        jobs = await self.build_checks(session, [{**job, "completedAt": failure["at"]}])
        if self.hook_jobs and (hook_job := self.hook_jobs.build(failure, job)):
            jobs.append(hook_job)
        if jobs:
            await self._mongo[JOBS].insert_many(jobs, session=session)
        recorded: Document = failure
        return recorded

    async def build_checks(self, session: Session, failed: Sequence[Document]) -> list[Document]:
        """Build the jobs to insert with failed jobs: those that check the crons of failed runs,
        if they are paused after a number of failures."""
        causes = [job.get("cause") for job in failed if not job.get("internal")]
        ids = [
            cause["id"]
            for cause in causes
            if isinstance(cause, dict) and cause.get("kind") == CauseKind.CRON and "id" in cause
        ]
        if not ids or self.hook_jobs is None:
            return []
        counting = {"_id": {"$in": ids}, "enabled": True, "pauseAfterFailures": {"$gte": 1}}
        crons = await self._mongo[CRONS].find(counting, {"owner": 1}, session=session).to_list(None)
        at = max(job["completedAt"] for job in failed)
        return [self.hook_jobs.build_check(cron, at) for cron in crons]


_JOB_FIELDS: Final = (*HOOK_JOB_FIELDS, "cause", "internal")
_SMALL_ARGS: Final = {
    "$cond": [{"$eq": [{"$type": "$args"}, "object"]}, {"$bsonSize": "$args"}, 2**31 - 1]
}
_FAILURE: Final = {
    "jobId": "$_id",
    "owner": 1,
    "functionName": 1,
    "error": 1,
    "data": {
        "$cond": [{"$lte": [_SMALL_ARGS, MAX_FAILURE_DATA_BYTES]}, "$args", transitions.literal({})]
    },
    "attempts": "$attempt",
    "at": "$completedAt",
    "version": transitions.literal(1),
}


def _failed_attempt(failure: Document) -> FailedAttempt:
    return FailedAttempt(
        function_name=str(failure.get("functionName")),  # the document may be malformed
        job_id=str(failure["_id"]),
        attempt=failure["attempts"],
        error=failure["error"],
    )


def _logged(cause: Exception) -> str:
    return (summarize(cause) if isinstance(cause, PyMongoError) else str(cause))[
        :MAX_MESSAGE_CHARACTERS
    ]


def _reason(cause: Exception) -> str:
    """Return the reason without the text of MongoDB's expressions, which is only logged."""
    if isinstance(cause, OperationFailure):
        if "$concatArrays" in str(cause):
            return "timeline must be a list"
        return f"MongoDB rejected the update, error {cause.code}"
    return (
        summarize(cause) if isinstance(cause, PyMongoError) else f"{type(cause).__name__}: {cause}"
    )


def _stored_error(cause: Exception) -> Document:
    if isinstance(cause, OperationFailure) and cause.code in TOO_LARGE:
        return {
            "name": "DocumentTooLarge",
            "message": "the job's document has reached MongoDB's limit of 16 MB; its large fields "
            "were removed: schedule a new job",
            "traceback": None,
        }
    text = _reason(cause)
    return {
        "name": "MalformedDocument",
        "message": "the job's document is malformed "
        f"({text[:MAX_MESSAGE_CHARACTERS]}): schedule a new job",
        "traceback": None,
    }
