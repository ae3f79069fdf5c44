"""The jobs that a worker holds: their records, and the decoding of their documents."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from ostinato.jobs.documents import cause_from, root_id_of
from ostinato.jobs.json_values import to_whole_number
from ostinato.jobs.lifecycle import FINAL_STATES, MAX_ATTEMPTS, MAX_EVENTS, WORKER_LOST
from ostinato.jobs.mongo.client import Document
from ostinato.jobs.mongo.stored_json import restore
from ostinato.jobs.records import Cause, JobInfo, JsonObject

CLAIMED_FIELDS: Final = (
    *("functionName", "args", "owner", "cause", "scheduledTime", "version"),
    *("attempt", "maxAttempts", "retry", "timeoutMs", "startedAt"),
    *("traceparent", "rootId"),
)
MALFORMED_ERRORS: Final = (KeyError, TypeError, ValueError, AttributeError)
"""Exceptions raised when decoding a malformed document."""
MAX_STORED_ATTEMPTS: Final = (
    MAX_EVENTS + MAX_ATTEMPTS
)  # each start is a timeline event; a manual retry adds attempts


class ClaimedJob(NamedTuple):
    """A running job, with what its worker needs to run it."""

    id: str
    function_name: str
    attempt: int
    max_attempts: int
    owner: str | None
    cause: Cause
    root_id: str
    scheduled_time: datetime
    args: JsonObject
    policy: Document
    """The job's `Retry` as stored; decoded only when an attempt fails."""
    timeout_ms: int | None
    """Timeout in real time, not scheduler time; None: the function's default."""
    version: int
    """The job's version when it was read."""
    started_at: datetime | None
    """When the attempt was claimed, in scheduler time."""
    traceparent: object
    """The position in a trace, as stored."""

    @property
    def info(self) -> JobInfo:
        """Build what the function sees of the job."""
        return JobInfo(
            id=self.id,
            function_name=self.function_name,
            attempt=self.attempt,
            max_attempts=self.max_attempts,
            owner=self.owner,
            cause=self.cause,
            root_id=self.root_id,
            scheduled_time=self.scheduled_time,
        )


@dataclass(frozen=True, slots=True)
class MalformedJob:
    """A running job whose document cannot be decoded: it must fail."""

    id: str
    error: Exception
    """One of MALFORMED_ERRORS."""


class LostJob(NamedTuple):
    """A running job of a lost worker."""

    claimed: ClaimedJob
    times_lost: int
    """The number of workers that were lost while running it, including this one."""


class Lease(NamedTuple):
    """A worker's hold on a running job."""

    job_id: str
    attempt: int | None
    """None if it is malformed."""
    is_cancel_requested: bool


def claimed_job_from(document: Document) -> ClaimedJob:
    """Decode a job document; raises one of MALFORMED_ERRORS if it is malformed."""
    if type(name := document["functionName"]) is not str:  # a BSON Code is a str, but not hashable
        raise TypeError(f"functionName must be a string, got {name!r}")
    return ClaimedJob(
        id=document["_id"],
        function_name=name,
        attempt=_attempts(document, "attempt"),
        max_attempts=_attempts(document, "maxAttempts"),
        owner=document["owner"],
        cause=cause_from(document["cause"]),
        root_id=root_id_of(document),
        scheduled_time=_in_utc(document["scheduledTime"]),
        args=document["args"],
        policy=document["retry"],
        timeout_ms=document.get("timeoutMs"),
        version=int(document["version"]),
        started_at=_in_utc(document.get("startedAt")),
        traceparent=document.get("traceparent"),
    )


def read_claimed(document: Document) -> ClaimedJob | MalformedJob:
    """Decode the CLAIMED_FIELDS of a job, whose dates may have no zone."""
    try:
        job = claimed_job_from(document)
        if restore(job.args) is job.args:
            return job
        return job._replace(args=cast("JsonObject", restore(_in_utc(job.args))))
    except MALFORMED_ERRORS as error:
        return MalformedJob(document["_id"], error)


def read_lost(document: Document) -> LostJob | MalformedJob:
    """Decode a job of a lost worker, with its timeline."""
    try:
        claimed = claimed_job_from(document)
        times_lost = 1 + _count_lost_workers(document["timeline"])
    except MALFORMED_ERRORS as error:
        return MalformedJob(document["_id"], error)
    return LostJob(claimed, times_lost)


def _count_lost_workers(timeline: list[Document]) -> int:
    """Return how often a worker of the job was lost since its last manual retry."""
    count = 0
    for event in timeline:
        error = event.get("error") or {}
        count += error.get("name") == WORKER_LOST
        if event.get("from") in FINAL_STATES:
            count = 0
    return count


def read_leases(documents: list[Document]) -> list[Lease]:
    """Decode leases; those without a valid job id are left out."""
    return [
        Lease(
            document["_id"],
            attempt if isinstance(attempt := document.get("attempt"), int) else None,
            document.get("cancelRequestedAt") is not None,
        )
        for document in documents
        if type(document["_id"]) is str
    ]


def _in_utc(value: Any) -> Any:
    """Add the zone to a date, or to the dates in a document; return other values unchanged."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, dict):
        return {name: _in_utc(inner) for name, inner in value.items()}
    return [_in_utc(inner) for inner in value] if isinstance(value, list) else value


def _attempts(document: Document, name: str) -> int:
    number = document[name]
    if type(number) is int and 0 <= number <= MAX_STORED_ATTEMPTS:
        return number
    return to_whole_number(number, name, minimum=0, maximum=MAX_STORED_ATTEMPTS)
