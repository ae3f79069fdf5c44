"""Compares the answers to the client with the database. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from benchmarks.chaos import bulk
from benchmarks.chaos.history import History
from benchmarks.chaos.operations import Kind, Operation, Outcome
from benchmarks.chaos.timelines import retries
from ostinato.jobs.records import CauseKind, Job, JobState

NEVER_SENT: Final = ""
MASKED: Final = "INTERNAL_SERVER_ERROR"
DEPEND_ON_STATE: Final = frozenset(
    {
        *(Kind.CANCEL, Kind.RETRY, Kind.RESCHEDULE),
        *(Kind.SKIP_NEXT_RUN, Kind.TRIGGER_CRON, Kind.BACKFILL_CRON),
    }
)
"""Calls that the state of their job or cron may not allow."""


def lost_jobs(history: History) -> Iterator[str]:
    """Every acknowledged job exists and matches its request."""
    for operation in history.schedule_calls:
        if not operation.is_ok:
            continue
        job = history.jobs.get(_scheduled_id(operation))
        if job is None:
            job_id = _scheduled_id(operation)
            yield f"{job_id} was acknowledged but is gone: {_described(operation)}"
        elif not _matches(job, operation):
            yield f"{job.id} is {job.function_name} {job.args}, not {_described(operation)}"


def unexpected_jobs(history: History) -> Iterator[str]:
    """A call creates at most one job; a failed call creates none, and so does no call."""
    calls = defaultdict(list)
    for operation in history.schedule_calls:
        calls[_mark(operation)].append(operation)
    for mark, jobs in history.jobs_by_mark.items():
        ids = [job.id for job in jobs]
        if len(jobs) > 1:
            yield f"{mark} created {len(jobs)} jobs: {ids}"
        if all(call.answer.outcome is Outcome.FAILED for call in calls[mark]):
            yield f"{ids} exist, but every call for {mark} was rejected, or there was none"


def keys(history: History) -> Iterator[str]:
    """A key always returns the same job."""
    found = defaultdict(set)
    for operation in history.schedule_calls:
        if operation.is_ok and "key" in operation.request.input:
            key = str(operation.request.input["key"])
            found[key].add((_mark(operation), _scheduled_id(operation)))
    for key, jobs in found.items():
        if len(jobs) > 1:
            yield f"{key} was acknowledged as {sorted(jobs)}"


def rejections(history: History) -> Iterator[str]:
    """Calls are rejected only for a reason, and only with expected errors."""
    known = defaultdict(set)
    for operation in history.schedule_calls:
        if operation.is_ok and "key" in operation.request.input:
            known[operation.request.input["key"]].add(_mark(operation))
    for operation in history.operations:
        input_, code = operation.request.input, operation.answer.value.get("code", NEVER_SENT)
        if code == "CONFLICT" and known.get(input_.get("key"), set()) - {_mark(operation)}:
            continue
        if code == "PRECONDITION_FAILED" and operation.request.kind in DEPEND_ON_STATE:
            continue
        if code == MASKED or (operation.answer.outcome is Outcome.FAILED and code != NEVER_SENT):
            yield f"{_described(operation)} was rejected: {operation.answer.value}"


def cancellations(history: History) -> Iterator[str]:
    """A job is canceled if a cancellation was acknowledged, and only if one was requested."""
    requested = bulk.matching_ids(history, Kind.CANCEL_JOBS)
    for operation in _operations_of(history, Kind.CANCEL):
        job_id = str(operation.request.input["jobId"])
        if operation.answer.outcome is not Outcome.FAILED:
            requested.add(job_id)
        job = history.jobs.get(job_id)
        was_canceled = job is not None and (job.state is JobState.CANCELED or retries(job) > 0)
        if operation.is_ok and job is not None and not was_canceled:
            yield f"{job_id} was canceled ({operation.answer.value}) but is {job.state}"
    for job in history.jobs.values():
        is_canceled = job.state is JobState.CANCELED and not job.internal
        # A job is created canceled if the job that scheduled it is canceled.
        if is_canceled and not requested & {job.id, job.cause.id}:
            yield f"{job.id} is canceled without a request"


def _operations_of(history: History, kind: Kind) -> Iterator[Operation]:
    return (operation for operation in history.operations if operation.request.kind is kind)


def _mark(operation: Operation) -> str:
    args = operation.request.input.get("args")
    return str(args["mark"]) if isinstance(args, dict) else ""


def _scheduled_id(operation: Operation) -> str:
    return str(operation.answer.value["scheduled"])


def _matches(job: Job, operation: Operation) -> bool:
    input_ = operation.request.input
    is_same = (job.function_name, job.args["mark"]) == (input_["functionName"], _mark(operation))
    return is_same and job.key == input_.get("key") and job.cause.kind is CauseKind.API


def _described(operation: Operation) -> str:
    return f"operation {operation.number} ({operation.request.kind} {operation.request.input})"
