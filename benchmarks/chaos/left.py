"""Checks what the functions left behind: effects, jobs, notes, counters. Pure."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from benchmarks.chaos.history import History
from benchmarks.chaos.promises import BY_REFUSAL, PROMISES, Promise
from benchmarks.chaos.timelines import starts
from ostinato.jobs.lifecycle import FINAL_STATES, MAX_WORKERS_LOST
from ostinato.jobs.records import FunctionKind, Job, JobState

WORKER_LOST: Final = "WorkerLost"
KEPT: Final = timedelta(days=7)


def undone(history: History) -> Iterator[str]:
    """Every job that there is has ended."""
    for job in history.jobs.values():
        if job.state not in FINAL_STATES:
            yield f"{job.id} ({job.function_name}) is {job.state}, due {job.scheduled_time}"


def kept(history: History) -> Iterator[str]:
    """What ended well is kept for a week, what failed until somebody has seen to it."""
    for job in history.jobs.values():
        if job.completed_at is not None:
            is_failed = job.state is JobState.FAILED
            until = None if is_failed else job.completed_at + KEPT
            if job.purge_at != until:
                yield f"{job.id} ({job.function_name}, {job.state}) is kept until {job.purge_at}"


def effects(history: History) -> Iterator[str]:
    """A mutation's effects are there once if it succeeded, and not at all if it did not."""
    for job, promise in _promised(history):
        attempts = [effect.attempt for effect in history.effects_of.get(job.id, [])]
        expected = [job.attempt] * (promise.effects if _succeeded(job) else 0)
        if attempts != expected:
            yield (
                f"{job.id} ({job.function_name}, {job.state} at attempt {job.attempt}) left "
                f"effects of attempts {attempts}, not {expected}"
            )
    for job_id in history.effects_of.keys() - history.jobs.keys():
        yield f"there is an effect of {job_id}, which does not exist"


def tallies(history: History) -> Iterator[str]:
    """A counter stands at the number of those that raised it."""
    raised = Counter(
        str(job.args["name"])
        for job in history.jobs.values()
        if job.function_name == "ledger.tally" and _succeeded(job)
    )
    for name in raised.keys() | history.tallies.keys():
        if history.tallies.get(name, 0) != raised[name]:
            yield f"{name} is {history.tallies.get(name, 0)}: {raised[name]} jobs raised it"


def children(history: History) -> Iterator[str]:
    """What a job scheduled exists if and only if it succeeded; of an action, if it was told so."""
    for job, promise in _promised(history):
        ids = {child.id for child in history.children_of.get(job.id, [])}
        if promise.children is None:
            yield from _told(history, job, ids)
        elif len(ids) != (promise.children if _succeeded(job) else 0):
            yield f"{job.id} ({job.function_name}, {job.state}) has {len(ids)} children: {ids}"


def _told(history: History, job: Job, ids: set[str]) -> Iterator[str]:
    notes = history.notes_of.get(job.id, [])
    told = {note.scheduled for note in notes if note.what == "scheduled"}
    if told - ids:
        yield f"{job.id} ({job.function_name}) was told of {told - ids}, which are gone"
    begun = sum(note.what == "start" for note in notes)
    if len(ids) > begun:
        yield f"{job.id} ({job.function_name}) was begun {begun} times and has children {ids}"


def runs_of_actions(history: History) -> Iterator[str]:
    """An attempt of an action begins once at most, and no more attempts than its policy has."""
    for job, promise in _promised(history):
        notes = history.notes_of.get(job.id, [])
        begun = [note.attempt for note in notes if note.what == "start"]
        ended = {note.attempt for note in notes if note.what == "end"}
        if len(set(begun)) < len(begun):
            yield f"{job.id} ({job.function_name}) began attempts {begun}"
        if unknown := set(begun) - set(starts(job)):
            yield f"{job.id} ({job.function_name}) ran attempts {unknown}, not on its timeline"
        if len(begun) > promise.retries + 1:
            yield f"{job.id} ({job.function_name}) began {len(begun)} times"
        is_action = promise.kind is FunctionKind.ACTION
        if is_action and _succeeded(job) and job.attempt not in ended:
            yield f"{job.id} ({job.function_name}) is a success of an attempt that never ended"
    for job_id in history.notes_of.keys() - history.jobs.keys():
        yield f"{job_id} ran and does not exist"


def endings(history: History) -> Iterator[str]:
    """A job that failed did so by itself, or lost too many workers; its failure is recorded."""
    failed = {job.id for job in history.jobs.values() if job.state is JobState.FAILED}
    for job_id in failed ^ history.failures:
        yield f"{job_id} {'failed' if job_id in failed else 'did not fail'}: see its failure"
    for job in history.jobs.values():
        promise = PROMISES.get(job.function_name, Promise(kind=FunctionKind.MUTATION))
        if _succeeded(job) and not promise.succeeds:
            yield f"{job.id} ({job.function_name}) succeeded, and never can"
        if job.id in failed and not _may_have_failed(history, job, promise):
            yield f"{job.id} ({job.function_name}) failed at attempt {job.attempt}: {job.error}"


def _may_have_failed(history: History, job: Job, promise: Promise) -> bool:
    name = job.error.name if job.error else None
    if history.completions_were_refused and name in BY_REFUSAL:
        return True
    is_last = job.attempt > promise.retries
    if name == WORKER_LOST:
        times = sum(1 for event in job.timeline if event.error and event.error.name == name)
        return times >= MAX_WORKERS_LOST or (promise.kind is FunctionKind.ACTION and is_last)
    return name in promise.fails_by and is_last


def _promised(history: History) -> Iterator[tuple[Job, Promise]]:
    for job in history.jobs.values():
        if job.function_name in PROMISES:
            yield job, PROMISES[job.function_name]


def _succeeded(job: Job) -> bool:
    return job.state is JobState.SUCCESS
