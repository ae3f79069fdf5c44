"""Builds new job documents and reads stored ones."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from ostinato.jobs.documents import cause_document, job_from
from ostinato.jobs.errors import Conflict, Malformed
from ostinato.jobs.ids import new_id
from ostinato.jobs.malformed import FIX, problem_of, read_as
from ostinato.jobs.mongo.client import Document
from ostinato.jobs.mongo.stored_json import restore_document, size_bytes
from ostinato.jobs.mongo.transitions import first_event
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import CauseKind, Job, JobState, JsonObject
from ostinato.jobs.retry import Retry

CHAINS: Final = frozenset(
    {CauseKind.CRON, CauseKind.RECURRING, CauseKind.BATCH, CauseKind.BULK_ACTION}
)
"""Causes of jobs that start new trees and traces: each job schedules the next one, possibly for
years."""


class StoredJob:
    """A stored job, decoded lazily: malformed fields raise no error until they are read."""

    def __init__(self, document: Document) -> None:
        self._document = restore_document(document)

    @property
    def state(self) -> JobState:
        return JobState(self._document["state"])

    @property
    def owner(self) -> str | None:
        owner: str | None = self._document["owner"]
        return owner

    @property
    def version(self) -> int:
        return int(self._document["version"])

    @property
    def attempt(self) -> int:
        return int(self._document["attempt"])

    @property
    def retries(self) -> int:
        """Return the number of retries per set of attempts."""
        return int(self._document["retry"]["retries"])

    @property
    def size_bytes(self) -> int:
        """Return the size of the document; encodes it."""
        return size_bytes(self._document)

    def calls(self, function_name: str, args: JsonObject) -> bool:
        """Return whether the job calls this function with these arguments."""
        if self._document["functionName"] != function_name:
            return False
        # Compared as text: in Python, True == 1.
        return _to_text(self._document["args"]) == _to_text(args)

    def record(self) -> Job:
        """Return the job; raises Malformed."""
        return read_as(job_from, self._document)


def existing_job(found: StoredJob, new: NewJob) -> Job:
    """Return the job that has used the key of `new`.

    Raises Conflict if it is another call, and Malformed.
    """
    try:
        is_same_call = found.calls(new.function.name, new.args)
        job = found.record()
    except Exception as error:  # a document of any content can raise anything
        raise Malformed(
            f"the key {new.key!r} belongs to a job that is not in Ostinato's format: "
            f"{problem_of(error)}; {FIX}"
        ) from error
    if not is_same_call:
        raise Conflict(
            f"the key {new.key!r} was already used for a job with a different function or "
            "different arguments"
        )
    return job


def build_job_document(
    new: NewJob, created_at: datetime, retention_ms: int, *, external: bool = False
) -> dict[str, Any]:
    """Build the document of a new job, including its first event.

    `external` marks a job of a transaction that the application commits: no process signals that
    commit, so the leader's change stream looks for the mark.
    """
    # Indexed fields come first: on each update, MongoDB scans for them from the front.
    document: dict[str, Any] = {
        "_id": new_id(),
        "state": (JobState.CANCELED if new.canceled else JobState.PENDING).value,
        "lane": str(new.function.lane(new.queue, new.priority)),
        "scheduledTime": new.scheduled_time,
        "owner": new.owner,
        "internal": new.function.internal,
        "functionName": new.function.name,
        "cause": cause_document(new.cause),
        **({"tags": list(new.tags)} if new.tags else {}),
        "attempt": 0,
        "version": 1,
        "queue": new.queue,
        "priority": new.priority,
        "maxAttempts": new.function.retry.max_attempts,
        "retry": retry_document(new.function.retry),
        "args": new.args,
        "createdAt": created_at,
    }
    if new.timeout_ms is not None:
        document["timeoutMs"] = new.timeout_ms
    document |= _inherited(new)
    if new.key is not None:
        document["key"] = new.key
    if external:
        document["external"] = True
    if new.canceled:
        document["completedAt"] = created_at
        document["purgeAt"] = created_at + timedelta(milliseconds=retention_ms)
    elif new.tick is not None:
        document["tick"] = new.tick
    document["timeline"] = [first_event(document)]
    return document


def build_job_documents(
    new_jobs: Sequence[NewJob], created_at: datetime, retention_ms: int, *, external: bool
) -> list[dict[str, Any]]:
    """Build the documents of new jobs; jobs that differ in little share the work."""
    documents: list[dict[str, Any]] = []
    model: NewJob | None = None
    for new in new_jobs:
        if model is not None and _is_alike(new, model):
            documents.append(_copy_for(new, documents[-1]))
        else:
            model = new
            documents.append(build_job_document(new, created_at, retention_ms, external=external))
    return documents


def _is_alike(new: NewJob, model: NewJob) -> bool:
    """Return whether two jobs differ at most in their owners, arguments, times and ids."""
    return (
        new.function is model.function
        and new.cause == model.cause
        and (new.queue, new.priority, new.tags, new.timeout_ms, new.traceparent, new.root_id)
        == (
            *(model.queue, model.priority, model.tags),
            *(model.timeout_ms, model.traceparent, model.root_id),
        )
        and not (new.key or model.key or new.tick or model.tick)
        and not (new.canceled or model.canceled)
    )


def _copy_for(new: NewJob, document: dict[str, Any]) -> dict[str, Any]:
    """Copy the document of a job that is alike."""
    due = new.scheduled_time
    common = {"scheduledTime": due, "owner": new.owner}
    event = {**document["timeline"][0], **common, "nextRunAt": due}
    return {**document, **common, "_id": new_id(), "args": new.args, "timeline": [event]}


def _inherited(new: NewJob) -> dict[str, Any]:
    """Return the fields that a job takes over from what schedules it."""
    if new.cause.kind in CHAINS:
        return {}
    fields = {"rootId": new.root_id, "traceparent": new.traceparent}
    return {name: value for name, value in fields.items() if value is not None}


def _to_text(args: JsonObject) -> str:
    return json.dumps(args, sort_keys=True)


def retry_document(retry: Retry) -> dict[str, Any]:
    return {
        "retries": retry.retries,
        "baseMs": retry.base_ms,
        "factor": retry.factor,
        "jitter": retry.jitter,
        "maxMs": retry.max_ms,
    }


def retry_from(document: dict[str, Any]) -> Retry:
    return Retry(
        retries=document["retries"],
        base_ms=document["baseMs"],
        factor=document["factor"],
        jitter=document["jitter"],
        max_ms=document["maxMs"],
    )
