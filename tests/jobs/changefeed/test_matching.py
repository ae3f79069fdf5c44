"""Matching of changes to filters, by the change alone and by the index."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.changefeed import ChangeFilter
from ostinato.jobs.changefeed.index import SubscriptionIndex
from ostinato.jobs.changefeed.matching import match
from ostinato.jobs.changes import DocumentChange, MatchState, WatchedCollection, WriteType
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.records import JobState
from tests.jobs.changefeed.test_fan_out import (
    AT,
    ENDED,
    HOUR,
    PENDING,
    RecordingListener,
    change,
    event,
    watching,
)


@pytest.mark.parametrize(
    ("match_state", "left"),
    [
        (MatchState(JobState.PENDING, AT), False),
        (MatchState(JobState.SUCCESS, AT), None),
        (None, False),  # unknown: it is sent
    ],
)
def test_a_change_without_event_is_matched_by_the_current_state_of_its_job(
    match_state: MatchState | None, left: bool | None
) -> None:
    watch = ChangeFilter(collection=WatchedCollection.JOBS, job_filter=PENDING)
    notice = match(watch, change()._replace(match_state=match_state))
    assert (notice.removed if notice else None) is left


IN, OUT = AT, AT + HOUR
"""Due times inside and after the window."""


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (IN, IN, False),
        (OUT, IN, False),
        (IN, OUT, True),
        (OUT, OUT, None),  # it never matched
        (None, OUT, True),
        (IN, None, False),
    ],
)
def test_a_window_matches_the_due_time_before_and_after_an_event(
    before: datetime | None, after: datetime | None, left: bool | None
) -> None:
    window = watching(scheduled_from=AT, scheduled_to=OUT)
    moved = change(1, "j1", event(before=JobState.PENDING, due=before))
    if after is not None:
        moved = moved._replace(scheduled_time=after)
    notice = match(window, moved)
    assert (notice.removed if notice else None) is left


def test_a_new_job_outside_a_window_does_not_match() -> None:
    assert match(watching(scheduled_from=OUT), change(1, "j1", event())) is None


def test_a_deleted_job_leaves_every_filter() -> None:
    groups, listener = SubscriptionIndex(), RecordingListener()
    for watch in (watching(scheduled_from=OUT), watching(states=ENDED)):
        groups.join(watch, listener)
    groups.publish([change()._replace(type=WriteType.DELETED)])
    assert [notice.removed for notice in listener.received] == [True, True]


instants = st.one_of(
    st.none(),
    st.builds(lambda minutes: AT + timedelta(minutes=minutes), st.floats(-200, 200)),
    st.datetimes(timezones=st.just(UTC)),
)
states = st.sampled_from(JobState)
tags = st.lists(st.sampled_from("abc"), max_size=3, unique=True)
filters = st.builds(
    JobFilter,
    states=st.one_of(st.none(), st.lists(states).map(tuple)),
    scheduled_from=instants,
    scheduled_to=instants,
    created_from=instants,
    created_to=instants,
    key=st.sampled_from([None, None, "k", "l"]),
    tags=tags.map(tuple),
)
changes = st.builds(
    lambda entry, at, labels: change(1, "j1", entry | labels)._replace(scheduled_time=at),
    st.builds(event, states, st.one_of(st.none(), states), instants),
    instants,
    st.fixed_dictionaries(
        {"createdAt": instants, "key": st.sampled_from(["k", "l"]), "tags": tags}
    ),
)


@given(st.lists(st.tuples(filters, st.booleans())), st.one_of(changes, st.builds(change)))
def test_candidates_include_every_matching_filter(
    filters_and_leaves: list[tuple[JobFilter, bool]], event_change: DocumentChange
) -> None:
    groups, listener, watches = SubscriptionIndex(), RecordingListener(), set[ChangeFilter]()
    for job_filter, removes_one in filters_and_leaves:
        watches.add(watch := ChangeFilter(collection=WatchedCollection.JOBS, job_filter=job_filter))
        groups.join(watch, listener)
        if removes_one:
            groups.leave(removed := min(watches, key=hash), listener)
            watches.discard(removed)
    found = list(groups.candidates(event_change))
    assert len(found) == len(set(found))
    assert set(found) >= {watch for watch in watches if match(watch, event_change) is not None}


def window(start: int, end: int) -> ChangeFilter:
    """Return a filter with a window, in days from AT."""
    bounds = [AT + timedelta(days=days) for days in (start, end)]
    wanted = JobFilter(scheduled_from=bounds[0], scheduled_to=bounds[1])
    return ChangeFilter(collection=WatchedCollection.JOBS, job_filter=wanted)


def test_an_empty_window_does_not_affect_other_windows() -> None:
    groups, listener = SubscriptionIndex(), RecordingListener()
    inverted, another, wanted = window(9, 1), window(-1, 1), window(-2, 2)
    groups.join(inverted, listener)
    groups.join(another, listener)
    groups.leave(another, listener)
    groups.join(wanted, listener)
    groups.leave(inverted, listener)
    assert wanted in set(groups.candidates(change(1, "j1", event(JobState.PENDING, None, AT))))
