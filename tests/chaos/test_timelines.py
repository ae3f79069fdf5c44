"""Timelines that follow the table of transitions are legal; any change to one is detected."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chaos.timelines import flaws, starts
from ostinato.jobs.lifecycle import FINAL_STATES, TRANSITIONS, TransitionName, is_allowed
from ostinato.jobs.records import Job, JobEvent, JobState
from tests.chaos.histories import BEGIN, SECOND, SUCCEEDED, make_job

MAX_STEPS = 12
TRANSITIONS_TO_END = {
    JobState.PENDING: [*SUCCEEDED],
    JobState.IN_PROGRESS: [TransitionName.SUCCEED],
}


@st.composite
def job_transitions(draw: st.DrawFn) -> list[TransitionName]:
    """Choose transitions at random until the job has ended and is not retried."""
    transitions: list[TransitionName] = []
    state, was_requested = JobState.PENDING, False
    while len(transitions) < MAX_STEPS:
        may_retry = is_allowed(TransitionName.MANUAL_RETRY, state)
        if state in FINAL_STATES and not (may_retry and draw(st.booleans())):
            break
        allowed = [
            name
            for name in TRANSITIONS
            if is_allowed(name, state)
            and not (name is TransitionName.REQUEST_CANCEL and was_requested)
            and not (name is TransitionName.STOP and not was_requested)
        ]
        name = draw(st.sampled_from(allowed))
        transitions.append(name)
        stops = was_requested and TRANSITIONS[name].yields_to_cancel
        state = JobState.CANCELED if stops else TRANSITIONS[name].target
        was_requested = was_requested or name is TransitionName.REQUEST_CANCEL
        was_requested = was_requested and name is not TransitionName.MANUAL_RETRY
    return [*transitions, *TRANSITIONS_TO_END.get(state, [])]


def with_events(job: Job, events: list[JobEvent]) -> Job:
    """Return the job with other events, numbered from 1."""
    numbered = (replace(event, seq=number) for number, event in enumerate(events, 1))
    return replace(job, timeline=tuple(numbered))


@given(job_transitions())
def test_every_timeline_of_allowed_transitions_is_legal(transitions: list[TransitionName]) -> None:
    job = make_job("j", transitions)
    assert list(flaws(job)) == []
    assert starts(job) == list(range(1, transitions.count(TransitionName.CLAIM) + 1))


@given(job_transitions(), st.data())
def test_missing_event_is_detected(transitions: list[TransitionName], data: st.DataObject) -> None:
    job = make_job("j", transitions)
    removed = data.draw(st.sampled_from(job.timeline))
    left = [event for event in job.timeline if event is not removed]
    assert list(flaws(replace(job, timeline=tuple(left))))
    if (removed.from_state, removed.state) != (JobState.PENDING, JobState.PENDING):
        assert list(flaws(with_events(job, left)))


@given(job_transitions(), st.data())
def test_duplicated_event_is_detected(
    transitions: list[TransitionName], data: st.DataObject
) -> None:
    job = make_job("j", transitions)
    duplicated = data.draw(st.sampled_from(job.timeline))
    events = [copy for event in job.timeline for copy in [event] * (1 + (event is duplicated))]
    assert list(flaws(replace(job, timeline=tuple(events))))
    if duplicated.from_state is not duplicated.state:
        assert list(flaws(with_events(job, events)))


@given(job_transitions(), st.data())
def test_changed_attempt_or_state_in_an_event_is_detected(
    transitions: list[TransitionName], data: st.DataObject
) -> None:
    job = make_job("j", transitions)
    number = data.draw(st.integers(0, len(job.timeline) - 1))
    event = job.timeline[number]
    others = [state for state in JobState if state is not event.state]
    for changed in (
        replace(event, attempt=event.attempt + 1),
        replace(event, state=data.draw(st.sampled_from(others))),
    ):
        events = [changed if original is event else original for original in job.timeline]
        assert list(flaws(replace(job, timeline=tuple(events))))


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"timeline": ()}, "it has no timeline"),
        ({"version": 2}, "its version 2 is less than its 3 events"),
        ({"completed_at": None}, "it is success and was completed at None"),
        ({"attempt": 2}, "it is success at attempt 2, but its last event is success at"),
    ],
)
def test_job_that_contradicts_its_timeline_is_detected(
    changes: dict[str, object], flaw: str
) -> None:
    (found,) = flaws(replace(make_job("j"), **changes))  # type: ignore[arg-type]  # by name
    assert found.startswith(flaw)


def test_start_before_the_due_time_is_detected() -> None:
    job = make_job("j")
    first, *rest = job.timeline
    late = replace(first, next_run_at=BEGIN + 2 * SECOND)
    assert "before it was due" in "".join(flaws(replace(job, timeline=(late, *rest))))
    start = replace(rest[0], worker_id=None)
    (found,) = flaws(replace(job, timeline=(first, start, *rest[1:])))
    assert found == "attempt 1 has no worker"
