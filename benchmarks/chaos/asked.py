"""Checks what the client was told against what the database holds. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from benchmarks.chaos.history import History
from benchmarks.chaos.operations import Answered, Kind, Operation
from ostinato.jobs.records import CauseKind, Job, JobState

NEVER_SENT: Final = ""
MASKED: Final = "INTERNAL_SERVER_ERROR"


def lost(history: History) -> Iterator[str]:
    """Every acknowledged job exists, and is the one that was asked for."""
    for operation in _of(history, Kind.SCHEDULE):
        if not operation.is_ok:
            continue
        job = history.jobs.get(_scheduled(operation))
        if job is None:
            yield f"{_scheduled(operation)} was acknowledged and is gone: {_said(operation)}"
        elif not _is_asked(job, operation):
            yield f"{job.id} is {job.function_name} {job.args}, not {_said(operation)}"


def answered_twice(history: History) -> Iterator[str]:
    """A call makes one job at most, one that failed none, and no call no job."""
    calls = defaultdict(list)
    for operation in _of(history, Kind.SCHEDULE):
        calls[_mark(operation)].append(operation)
    for mark, jobs in history.asked_for.items():
        ids = [job.id for job in jobs]
        if len(jobs) > 1:
            yield f"{mark} became {len(jobs)} jobs: {ids}"
        if all(each.answer.answered is Answered.FAILED for each in calls[mark]):
            yield f"{ids} exist, though every call for {mark} was refused, or none was made"


def keys(history: History) -> Iterator[str]:
    """The same key gives the same job, and no key two different ones."""
    found = defaultdict(set)
    for operation in _of(history, Kind.SCHEDULE):
        if operation.is_ok and "key" in operation.request.input:
            key = str(operation.request.input["key"])
            found[key].add((_mark(operation), _scheduled(operation)))
    for key, jobs in found.items():
        if len(jobs) > 1:
            yield f"{key} was acknowledged as {sorted(jobs)}"


def refusals(history: History) -> Iterator[str]:
    """Nothing is refused but what must be, and no error is one that we did not foresee."""
    known = defaultdict(set)
    for operation in _of(history, Kind.SCHEDULE):
        if operation.is_ok and "key" in operation.request.input:
            known[operation.request.input["key"]].add(_mark(operation))
    for operation in history.operations:
        given, code = operation.request.input, operation.answer.value.get("code", NEVER_SENT)
        if code == "CONFLICT" and known.get(given.get("key"), set()) - {_mark(operation)}:
            continue
        if code == "PRECONDITION_FAILED" and operation.request.kind is Kind.CANCEL:
            continue
        if code == MASKED or (operation.answer.answered is Answered.FAILED and code != NEVER_SENT):
            yield f"{_said(operation)} was refused: {operation.answer.value}"


def cancellations(history: History) -> Iterator[str]:
    """What was acknowledged as canceled, or as asked to stop, is canceled; nothing else is."""
    asked = set()
    for operation in _of(history, Kind.CANCEL):
        job_id = str(operation.request.input["jobId"])
        if operation.answer.answered is not Answered.FAILED:
            asked.add(job_id)
        job = history.jobs.get(job_id)
        if operation.is_ok and job is not None and job.state is not JobState.CANCELED:
            yield f"{job_id} was canceled ({operation.answer.value}) and is {job.state}"
    for job in history.jobs.values():
        is_canceled = job.state is JobState.CANCELED and not job.internal
        if is_canceled and not asked & {job.id, job.cause.id}:  # born canceled, as its cause is
            yield f"{job.id} is canceled, and nobody asked for it"


def _of(history: History, kind: Kind) -> Iterator[Operation]:
    return (each for each in history.operations if each.request.kind is kind)


def _mark(operation: Operation) -> str:
    args = operation.request.input.get("args")
    return str(args["mark"]) if isinstance(args, dict) else ""


def _scheduled(operation: Operation) -> str:
    return str(operation.answer.value["scheduled"])


def _is_asked(job: Job, operation: Operation) -> bool:
    given = operation.request.input
    is_same = (job.function_name, job.args["mark"]) == (given["functionName"], _mark(operation))
    return is_same and job.key == given.get("key") and job.cause.kind is CauseKind.API


def _said(operation: Operation) -> str:
    return f"operation {operation.number} ({operation.request.kind} {operation.request.input})"
