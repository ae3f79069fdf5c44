"""Holds one job's timeline to the table of transitions. Pure."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from ostinato.jobs.lifecycle import FINAL_STATES, TRANSITIONS
from ostinato.jobs.records import Job, JobEvent, JobState

_RUNNING: Final = JobState.IN_PROGRESS

STEPS: Final = frozenset(
    (source, target)
    for transition in TRANSITIONS.values()
    for source in transition.sources
    for target in (
        (transition.target, JobState.CANCELED)
        if transition.yields_to_cancel
        else (transition.target,)
    )
)
"""From where to where a job may go."""


def flaws(job: Job) -> Iterator[str]:
    """Say what is wrong with a timeline, and with a job that does not agree with it."""
    if not job.timeline:
        yield "it has no timeline"
        return
    yield from _beginning(job.timeline[0])
    yield from _numbers(job)
    for before, event in pairwise(job.timeline):
        yield from _step(before, event)
    yield from _dues(job)
    yield from _cancellation(job)
    yield from _ending(job)


def _beginning(first: JobEvent) -> Iterator[str]:
    if first.from_state is not None or first.attempt != 0:
        yield f"its first event is from {first.from_state}, of attempt {first.attempt}"
    if first.state not in (JobState.PENDING, JobState.CANCELED):
        yield f"it was born {first.state}"


def _numbers(job: Job) -> Iterator[str]:
    seqs = [event.seq for event in job.timeline]
    if seqs != list(range(1, len(seqs) + 1)):
        yield f"its events are numbered {seqs}"


def _step(before: JobEvent, event: JobEvent) -> Iterator[str]:
    if event.from_state != before.state:
        yield f"event {event.seq} is from {event.from_state}, though it was {before.state}"
    if (before.state, event.state) not in STEPS:
        yield f"no transition leads from {before.state} to {event.state}, as event {event.seq} says"
    started = is_start(event)
    if event.attempt != before.attempt + started:
        yield f"event {event.seq} is of attempt {event.attempt}, after {before.attempt}"
    if started and event.worker_id is None:
        yield f"nobody started attempt {event.attempt}"


def is_start(event: JobEvent) -> bool:
    return event.state is _RUNNING and event.from_state is JobState.PENDING


def starts(job: Job) -> list[int]:
    """Give the numbers of the attempts that were started."""
    return [event.attempt for event in job.timeline if is_start(event)]


def _dues(job: Job) -> Iterator[str]:
    due = None
    for event in job.timeline:
        if is_start(event) and due is not None and event.at < due:
            yield f"attempt {event.attempt} started at {event.at}, before it was due at {due}"
        due = event.next_run_at or due


def _cancellation(job: Job) -> Iterator[str]:
    """A running job is canceled only when asked to be, and then always."""
    was_asked = False
    for event in job.timeline:
        if event.from_state is not _RUNNING:
            continue
        if event.state is _RUNNING:
            was_asked = True
        elif was_asked != (event.state is JobState.CANCELED):
            asked = "was" if was_asked else "was not"
            yield f"it became {event.state} while it ran, and {asked} asked to stop"


def _ending(job: Job) -> Iterator[str]:
    """Nobody revives a job of the load: it ends once."""
    ends = [event.seq for event in job.timeline if event.state in FINAL_STATES]
    if len(ends) > 1:
        yield f"it ended {len(ends)} times, at events {ends}"
    last = job.timeline[-1]
    if (job.state, job.attempt) != (last.state, last.attempt):
        yield (
            f"it is {job.state} at attempt {job.attempt}, but its last event says {last.state} "
            f"at attempt {last.attempt}"
        )
    if (job.completed_at is not None) != (job.state in FINAL_STATES):
        yield f"it is {job.state} and was completed at {job.completed_at}"
    if job.version < len(job.timeline):
        yield f"its version {job.version} is less than its {len(job.timeline)} events"
