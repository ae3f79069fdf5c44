"""The parts of the change feed that need no MongoDB: the ring, the index, the filters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ostinato.jobs.changefeed import ChangeFilter, MatchedChange
from ostinato.jobs.changefeed.index import SubscriptionIndex
from ostinato.jobs.changefeed.matching import match
from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changes import DocumentChange, Position, Route, WatchedCollection, WriteType
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.records import JobState

AT = datetime(2030, 1, 1, tzinfo=UTC)
ANN = Route(owner="ann", function_name="a.b", queue="default")
PENDING = JobFilter(states=(JobState.PENDING,))
ENDED = (JobState.CANCELED, JobState.SUCCESS)
HOUR = timedelta(hours=1)


def event(
    state: JobState = JobState.PENDING, before: JobState | None = None, due: datetime | None = AT
) -> dict[str, Any]:
    entry = {"seq": 1, "at": AT, "from": before, "state": state, "attempt": 0}
    return entry | ({} if due is None else {"scheduledTime": due})


def change(
    position: int = 1, document_id: str = "j1", event_raw: dict[str, Any] | None = None
) -> DocumentChange:
    return DocumentChange(
        collection=WatchedCollection.JOBS,
        document_id=document_id,
        type=WriteType.CHANGED,
        position=Position(f"{position:04}"),
        version=position,
        route=ANN,
        event_raw=event_raw,
    )


def watching(owner: str | None = None, **wanted: Any) -> ChangeFilter:
    return ChangeFilter(
        collection=WatchedCollection.JOBS, owner=owner, job_filter=JobFilter(**wanted)
    )


class RecordingListener:
    """Records the changes that it receives."""

    def __init__(self) -> None:
        self.received: list[MatchedChange] = []

    def on_changes(self, notices: Sequence[MatchedChange]) -> None:
        self.received += notices


ALL_JOBS = ChangeFilter(collection=WatchedCollection.JOBS)
MATCHES = [
    watching(function_name="a.b"),
    watching(states=PENDING.states),
    watching(scheduled_from=AT),
]
"""Filters that match a claim of `change`."""


def test_ring_keeps_the_newest_changes_and_knows_its_start() -> None:
    ring = Ring(capacity=3)
    for number in range(1, 11):
        ring.append(change(number, f"j{number % 2}"))
    assert len(ring) == 3
    assert (ring.covers(Position("0006")), ring.covers(Position("0007"))) == (False, True)
    found = ring.after(ALL_JOBS.partition_key, Position("0008"), 10)
    assert [c.position for c in found] == ["0009", "0010"]


@pytest.mark.parametrize(
    ("watch", "positions"),
    [
        (ALL_JOBS, ["0001", "0002", "0003"]),
        (ChangeFilter(collection=WatchedCollection.JOBS, owner="ann"), ["0001", "0003"]),
        (ChangeFilter(collection=WatchedCollection.JOBS, document_id="j2"), ["0002"]),
        (ChangeFilter(collection=WatchedCollection.CRONS), []),
    ],
)
def test_ring_finds_by_owner_document_and_collection(
    watch: ChangeFilter, positions: list[str]
) -> None:
    ring = Ring(capacity=10)
    for document_change in (
        change(1),
        change(2, "j2")._replace(route=Route(owner="bob")),
        change(3),
    ):
        ring.append(document_change)
    assert [c.position for c in ring.after(watch.partition_key, Position(""), 10)] == positions


def test_ring_removes_empty_partitions() -> None:
    ring = Ring(capacity=2)
    for number in range(100):
        ring.append(change(number, f"j{number}"))
    assert len(ring._partitions) == 4
    assert ring.newest_of(WatchedCollection.JOBS, "j1") is None
    assert ring.newest_of(WatchedCollection.JOBS, "j99") == change(99, "j99")


def test_a_filter_is_matched_once_for_all_its_listeners() -> None:
    groups, first, second, other = (
        SubscriptionIndex(),
        RecordingListener(),
        RecordingListener(),
        RecordingListener(),
    )
    pending = ChangeFilter(collection=WatchedCollection.JOBS, owner="ann", job_filter=PENDING)
    groups.join(pending, first)
    groups.join(pending, second)
    groups.join(ChangeFilter(collection=WatchedCollection.JOBS, owner="bob"), other)
    groups.publish([change(1, "j1", event())])
    assert first.received[0] is second.received[0]
    assert not other.received


def test_an_event_is_decoded_once_for_all_filters() -> None:
    groups, first, second = SubscriptionIndex(), RecordingListener(), RecordingListener()
    groups.join(ALL_JOBS, first)
    groups.join(
        ChangeFilter(collection=WatchedCollection.JOBS, owner="ann", job_filter=PENDING), second
    )
    groups.publish([change(1, "j1", event())])
    events = [matched.change.event for listener in (first, second) for matched in listener.received]
    assert len(events) == 2
    assert events[0] is not None
    assert events[0].seq == 1
    assert events[0] is events[1]


@pytest.mark.parametrize(
    "wanted",
    [
        [ChangeFilter(collection=WatchedCollection.JOBS, owner=f"u{n}") for n in range(999)],
        [watching(states=(JobState.SUCCESS, state)) for state in (JobState.FAILED, *ENDED)],
        [watching(scheduled_from=AT + n * HOUR) for n in range(1, 999)],
        [watching(scheduled_to=AT - n * HOUR) for n in range(1, 999)],
        [
            watching(scheduled_from=AT + n * HOUR, scheduled_to=AT + (n + 1) * HOUR, states=states)
            for n in (*range(-300, -1), *range(1, 300))
            for states in (None, (JobState.PENDING,))
        ],
        [ChangeFilter(collection=WatchedCollection.JOBS, document_id=f"d{n}") for n in range(999)],
        [
            watching(owner, **{name: f"x{n}"})
            for n in range(333)
            for owner in ("ann", None)
            for name in ("function_name", "queue", "cause_id")
        ],
        [
            watching(owner, ids=(f"x{n}", f"y{n}", f"x{n}"))
            for n in range(99)
            for owner in ("a", None)
        ],
        [watching(ids=())],
    ],
)
def test_only_filters_that_may_match_are_candidates_for_a_change(
    wanted: list[ChangeFilter],
) -> None:
    groups, listener = SubscriptionIndex(), RecordingListener()
    for watch in wanted:
        groups.join(watch, listener)
    claimed = change(1, "j1", event(JobState.IN_PROGRESS, JobState.PENDING))
    assert list(groups.candidates(claimed)) == []
    for watch in MATCHES:
        groups.join(watch, listener)
    assert set(groups.candidates(claimed)) == set(MATCHES)
    for watch in (*wanted, *MATCHES):
        groups.leave(watch, listener)
    assert not groups._buckets


def test_a_filter_is_removed_with_its_last_listener() -> None:
    groups, listener = SubscriptionIndex(), RecordingListener()
    groups.join(ALL_JOBS, listener)
    groups.leave(ALL_JOBS, listener)
    groups.leave(ALL_JOBS, listener)
    groups.publish([change()])
    assert (len(groups), listener.received) == (0, [])


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (None, JobState.PENDING, False),
        (JobState.IN_PROGRESS, JobState.PENDING, False),
        (JobState.PENDING, JobState.IN_PROGRESS, True),
        (JobState.IN_PROGRESS, JobState.SUCCESS, None),
    ],
)
def test_state_filter_matches_jobs_that_enter_and_leave_it(
    before: JobState | None, after: JobState, left: bool | None
) -> None:
    watch = ChangeFilter(collection=WatchedCollection.JOBS, job_filter=PENDING)
    notice = match(watch, change(1, "j1", event(after, before)))
    assert (notice.removed if notice else None) is left


def test_a_change_without_routing_matches_no_filter() -> None:
    assert match(ALL_JOBS, change()._replace(route=None)) is None
