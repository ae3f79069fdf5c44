"""Checks the timeline of a job against the table of transitions. Pure."""

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
"""The allowed pairs of source and target state."""


def flaws(job: Job) -> Iterator[str]:
    """Return the errors of a timeline, and contradictions between it and its job."""
    if not job.timeline:
        yield "it has no timeline"
        return
    yield from _first_event(job.timeline[0])
    yield from _numbers(job)
    for before, event in pairwise(job.timeline):
        yield from _step(before, event)
    yield from _due_times(job)
    yield from _cancellation(job)
    yield from _ending(job)


def _first_event(first: JobEvent) -> Iterator[str]:
    if first.from_state is not None or first.attempt != 0:
        yield f"its first event is from {first.from_state}, of attempt {first.attempt}"
    if first.state not in (JobState.PENDING, JobState.CANCELED):
        yield f"it was created {first.state}"


def _numbers(job: Job) -> Iterator[str]:
    seqs = [event.seq for event in job.timeline]
    if seqs != list(range(1, len(seqs) + 1)):
        yield f"its events are numbered {seqs}"


def _step(before: JobEvent, event: JobEvent) -> Iterator[str]:
    if event.from_state != before.state:
        yield f"event {event.seq} is from {event.from_state}, but the state was {before.state}"
    if (before.state, event.state) not in STEPS:
        yield f"event {event.seq}: there is no transition from {before.state} to {event.state}"
    started = is_start(event)
    if event.attempt != before.attempt + started:
        yield f"event {event.seq} is of attempt {event.attempt}, after {before.attempt}"
    if started and event.worker_id is None:
        yield f"attempt {event.attempt} has no worker"


def is_start(event: JobEvent) -> bool:
    return event.state is _RUNNING and event.from_state is JobState.PENDING


def is_retry(event: JobEvent) -> bool:
    """Return whether a client retried the job, which had ended."""
    return event.from_state in FINAL_STATES


def retries(job: Job) -> int:
    """Return how often clients have retried a job."""
    return sum(map(is_retry, job.timeline))


def newest_events(job: Job) -> list[JobEvent]:
    """Return the events since a client has retried the job, or all."""
    found: list[JobEvent] = []
    for event in job.timeline:
        found = [event] if is_retry(event) else [*found, event]
    return found


def starts(job: Job) -> list[int]:
    """Return the numbers of the started attempts."""
    return [event.attempt for event in job.timeline if is_start(event)]


def _due_times(job: Job) -> Iterator[str]:
    due = None
    for event in job.timeline:
        if is_start(event) and due is not None and event.at < due:
            yield f"attempt {event.attempt} started at {event.at}, before it was due at {due}"
        due = event.next_run_at or due


def _cancellation(job: Job) -> Iterator[str]:
    """A running job is canceled if and only if this was requested."""
    was_requested = False
    for event in job.timeline:
        if event.from_state is not _RUNNING:
            was_requested = was_requested and not is_retry(event)
            continue
        if event.state is _RUNNING:
            was_requested = True
        elif was_requested != (event.state is JobState.CANCELED):
            requested = "with" if was_requested else "without"
            yield f"it became {event.state} while it ran, {requested} a cancellation request"


def _ending(job: Job) -> Iterator[str]:
    last = job.timeline[-1]
    if (job.state, job.attempt) != (last.state, last.attempt):
        yield (
            f"it is {job.state} at attempt {job.attempt}, but its last event is {last.state} "
            f"at attempt {last.attempt}"
        )
    if (job.completed_at is not None) != (job.state in FINAL_STATES):
        yield f"it is {job.state} and was completed at {job.completed_at}"
    if job.version < len(job.timeline):
        yield f"its version {job.version} is less than its {len(job.timeline)} events"
