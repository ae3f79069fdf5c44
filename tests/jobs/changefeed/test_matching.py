"""Whether a change concerns a filter: decided by the change alone, and the same by index."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.changefeed import ChangeFilter
from ostinato.jobs.changefeed.index import SubscriptionIndex
from ostinato.jobs.changefeed.matching import match
from ostinato.jobs.changes import ChangeType, DocumentChange, MatchState, WatchedCollection
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.records import JobState
from tests.jobs.changefeed.test_fan_out import (
    AT,
    ENDED,
    HOUR,
    PENDING,
    Ear,
    change,
    event,
    watching,
)


@pytest.mark.parametrize(
    ("match_state", "left"),
    [
        (MatchState(JobState.PENDING, AT), False),
        (MatchState(JobState.SUCCESS, AT), None),
        (None, False),  # better told for nothing than not at all
    ],
)
def test_change_without_an_event_is_judged_by_where_the_job_stands(
    match_state: MatchState | None, left: bool | None
) -> None:
    watch = ChangeFilter(collection=WatchedCollection.JOBS, job_filter=PENDING)
    notice = match(watch, change()._replace(match_state=match_state))
    assert (notice.removed if notice else None) is left


IN, OUT = AT, AT + HOUR
"""Due times within the window and behind it."""


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (IN, IN, False),
        (OUT, IN, False),
        (IN, OUT, True),
        (OUT, OUT, None),  # it was never there
        (None, OUT, True),
        (IN, None, False),
    ],
)
def test_window_is_judged_by_when_the_job_was_due_at_that_event(
    before: datetime | None, after: datetime | None, left: bool | None
) -> None:
    window = watching(scheduled_from=AT, scheduled_to=OUT)
    moved = change(1, "j1", event(before=JobState.PENDING, due=before))
    if after is not None:
        moved = moved._replace(scheduled_time=after)
    notice = match(window, moved)
    assert (notice.removed if notice else None) is left


def test_new_job_has_left_no_window() -> None:
    assert match(watching(scheduled_from=OUT), change(1, "j1", event())) is None


def test_job_that_is_gone_has_left_every_window() -> None:
    groups, ear = SubscriptionIndex(), Ear()
    for watch in (watching(scheduled_from=OUT), watching(states=ENDED)):
        groups.join(watch, ear)
    groups.publish([change()._replace(type=ChangeType.DELETED)])
    assert [notice.removed for notice in ear.heard] == [True, True]


instants = st.one_of(
    st.none(),
    st.builds(lambda minutes: AT + timedelta(minutes=minutes), st.floats(-200, 200)),
    st.datetimes(timezones=st.just(UTC)),
)
states = st.sampled_from(JobState)
filters = st.builds(
    JobFilter,
    states=st.one_of(st.none(), st.lists(states).map(tuple)),
    scheduled_from=instants,
    scheduled_to=instants,
)
changes = st.builds(
    lambda entry, at: change(1, "j1", entry)._replace(scheduled_time=at),
    st.builds(event, states, st.one_of(st.none(), states), instants),
    instants,
)


@given(st.lists(st.tuples(filters, st.booleans())), st.one_of(changes, st.builds(change)))
def test_every_group_that_a_change_concerns_is_found(
    wanted: list[tuple[JobFilter, bool]], happened: DocumentChange
) -> None:
    groups, ear, watches = SubscriptionIndex(), Ear(), set[ChangeFilter]()
    for job_filter, another_leaves in wanted:
        watches.add(watch := ChangeFilter(collection=WatchedCollection.JOBS, job_filter=job_filter))
        groups.join(watch, ear)
        if another_leaves:
            groups.leave(gone := min(watches, key=hash), ear)
            watches.discard(gone)
    found = list(groups.candidates(happened))
    assert len(found) == len(set(found))
    assert set(found) >= {watch for watch in watches if match(watch, happened) is not None}


def window(start: int, end: int) -> ChangeFilter:
    """ChangeFilter a window of days from AT."""
    bounds = [AT + timedelta(days=days) for days in (start, end)]
    wanted = JobFilter(scheduled_from=bounds[0], scheduled_to=bounds[1])
    return ChangeFilter(collection=WatchedCollection.JOBS, job_filter=wanted)


def test_a_window_that_nothing_can_match_hides_nothing_from_others() -> None:
    groups, ear = SubscriptionIndex(), Ear()
    inverted, another, wanted = window(9, 1), window(-1, 1), window(-2, 2)
    groups.join(inverted, ear)
    groups.join(another, ear)
    groups.leave(another, ear)
    groups.join(wanted, ear)
    groups.leave(inverted, ear)
    assert wanted in set(groups.candidates(change(1, "j1", event(JobState.PENDING, None, AT))))
