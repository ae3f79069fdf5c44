"""Checks the results of the functions: effects, jobs, notes, counters. Pure."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from benchmarks.chaos.expectations import EXPECTATIONS, REJECTION_ERRORS, Expectation
from benchmarks.chaos.history import History
from benchmarks.chaos.operations import Kind
from benchmarks.chaos.timelines import is_start, newest_events, retries, starts
from ostinato.jobs.lifecycle import FINAL_STATES, MAX_WORKERS_LOST
from ostinato.jobs.records import FunctionKind, Job, JobState

WORKER_LOST: Final = "WorkerLost"
KEPT_FOR: Final = timedelta(days=7)


def unfinished(history: History) -> Iterator[str]:
    """Every job has ended."""
    for job in history.jobs.values():
        if job.state not in FINAL_STATES:
            yield f"{job.id} ({job.function_name}) is {job.state}, due {job.scheduled_time}"


def purge_times(history: History) -> Iterator[str]:
    """Jobs are kept for a week, failed ones until they are resolved; internal jobs may be less."""
    for job in history.jobs.values():
        if job.completed_at is not None and not job.internal:
            is_failed = job.state is JobState.FAILED
            until = None if is_failed else job.completed_at + KEPT_FOR
            if job.purge_at != until and not is_resolved(history, job):
                yield f"{job.id} ({job.function_name}, {job.state}) is kept until {job.purge_at}"


def is_resolved(history: History, job: Job) -> bool:
    """Return whether a failed job has no failure any more, because a client resolved it."""
    if job.state is not JobState.FAILED or job.completed_at is None or job.purge_at is None:
        return False
    if job.id in history.failures or job.purge_at < job.completed_at + KEPT_FOR:
        return False
    return any(
        not call.has_failed and call.request.input["functionName"] == job.function_name
        for call in history.operations
        if call.request.kind is Kind.RESOLVE_FAILURES
    )


def effects(history: History) -> Iterator[str]:
    """The effects of a mutation exist once if it succeeded, and otherwise not at all."""
    for job, expectation in _expected(history):
        attempts = [effect.attempt for effect in history.effects_of.get(job.id, [])]
        expected = [job.attempt] * (expectation.effects if _succeeded(job) else 0)
        if attempts != expected:
            yield (
                f"{job.id} ({job.function_name}, {job.state} at attempt {job.attempt}) has "
                f"effects of attempts {attempts} instead of {expected}"
            )
    for job_id in history.effects_of.keys() - history.jobs.keys():
        yield f"there is an effect of {job_id}, which does not exist"


def counters(history: History) -> Iterator[str]:
    """Each counter equals the number of jobs that incremented it."""
    increments = Counter(
        str(job.args["name"])
        for job in history.jobs.values()
        if job.function_name == "ledger.tally" and _succeeded(job)
    )
    for name in increments.keys() | history.counters.keys():
        value = history.counters.get(name, 0)
        if value != increments[name]:
            yield f"{name} is {value}: {increments[name]} jobs incremented it"


def children(history: History) -> Iterator[str]:
    """The jobs that a mutation scheduled exist only if it succeeded; those of actions always."""
    for job, expectation in _expected(history):
        ids = {child.id for child in history.children_of.get(job.id, [])}
        if expectation.children is None:
            yield from _noted_children(history, job, ids)
        elif len(ids) != (expectation.children if _succeeded(job) else 0):
            yield f"{job.id} ({job.function_name}, {job.state}) has {len(ids)} children: {ids}"


def _noted_children(history: History, job: Job, ids: set[str]) -> Iterator[str]:
    notes = history.notes_of.get(job.id, [])
    noted = {note.scheduled for note in notes if note.event == "scheduled"}
    if noted - ids:
        yield f"{job.id} ({job.function_name}) noted {noted - ids}, which are gone"
    started = sum(note.event == "start" for note in notes)
    if len(ids) > started:
        yield f"{job.id} ({job.function_name}) started {started} times and has children {ids}"


def action_attempts(history: History) -> Iterator[str]:
    """An action starts each attempt at most once, and not more attempts than its policy allows."""
    for job, expectation in _expected(history):
        notes = history.notes_of.get(job.id, [])
        started = [note.attempt for note in notes if note.event == "start"]
        ended = {note.attempt for note in notes if note.event == "end"}
        if len(set(started)) < len(started):
            yield f"{job.id} ({job.function_name}) started attempts {started}"
        if unknown := set(started) - set(starts(job)):
            yield f"{job.id} ({job.function_name}) ran attempts {unknown}, not on its timeline"
        if len(started) > (expectation.retries + 1) * (retries(job) + 1):
            yield f"{job.id} ({job.function_name}) started {len(started)} times"
        is_action = expectation.kind is FunctionKind.ACTION
        if is_action and _succeeded(job) and job.attempt not in ended:
            yield f"{job.id} ({job.function_name}) succeeded with an attempt that never ended"
    for job_id in history.notes_of.keys() - history.jobs.keys():
        yield f"{job_id} ran but does not exist"


def final_states(history: History) -> Iterator[str]:
    """A failed job raised an exception or lost too many workers, and its failure is recorded."""
    jobs = history.jobs.values()
    failed = {job.id for job in jobs if job.state is JobState.FAILED}
    resolved = {job.id for job in jobs if is_resolved(history, job)}
    for job_id in failed - resolved ^ history.failures:
        yield f"{job_id} {'failed without' if job_id in failed else 'has'} a recorded failure"
    for job in history.jobs.values():
        expectation = EXPECTATIONS.get(job.function_name, Expectation(kind=FunctionKind.MUTATION))
        if _succeeded(job) and not expectation.succeeds:
            yield f"{job.id} ({job.function_name}) succeeded, but always fails"
        if job.id in failed and not _may_have_failed(history, job, expectation):
            yield f"{job.id} ({job.function_name}) failed at attempt {job.attempt}: {job.error}"


def _may_have_failed(history: History, job: Job, expectation: Expectation) -> bool:
    name = job.error.name if job.error else None
    if history.rejects_outcomes and name in REJECTION_ERRORS:
        return True
    events = newest_events(job)
    is_last = sum(map(is_start, events)) > expectation.retries
    if name == WORKER_LOST:
        times = sum(1 for event in events if event.error and event.error.name == name)
        return times >= MAX_WORKERS_LOST or (expectation.kind is FunctionKind.ACTION and is_last)
    return name in expectation.fails_by and is_last


def _expected(history: History) -> Iterator[tuple[Job, Expectation]]:
    for job in history.jobs.values():
        if job.function_name in EXPECTATIONS:
            yield job, EXPECTATIONS[job.function_name]


def _succeeded(job: Job) -> bool:
    return job.state is JobState.SUCCESS
