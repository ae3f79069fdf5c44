"""The pure choice of jobs: queues by weight, jobs by priority, owners in turn, within limits."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.dispatch.fairness import (
    Demand,
    OwnerShare,
    StartLimits,
    by_rank,
    owner_limit,
    rank,
    round_robin,
    split_by_owner,
    weighted_share,
)
from ostinato.jobs.lanes import Lane, PendingJob, owner_tag

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LIMITED = Lane(function="f.f")

names = st.sampled_from("abcd")
demands = st.dictionaries(
    names, st.builds(Demand, st.integers(0, 50), st.integers(1, 9)), min_size=1
)
lanes = st.builds(
    Lane,
    function=st.sampled_from([None, "f.f"]),
    priority=st.integers(0, 9),
    has_reservation=st.booleans(),
)
queues_of_jobs = st.lists(
    st.tuples(lanes, st.integers(0, 600), st.sampled_from([None, "ann", "bob", "cy"])), max_size=60
).map(
    lambda rows: [
        job(lane=lane, late_s=late, owner=owner, number=number)
        for number, (lane, late, owner) in enumerate(rows)
    ]
)


def job(
    lane: Lane | None = None, late_s: float = 0, owner: str | None = "ann", number: int = 0
) -> PendingJob:
    at = NOON - timedelta(seconds=late_s)
    return PendingJob(id=f"{number:024x}", lane=lane or Lane(), scheduled_time=at, owner=owner)


def limits() -> StartLimits:
    return StartLimits(remaining_slots={LIMITED: 5}, remaining_starts={LIMITED: 3})


@given(demands, st.integers(0, 120))
def test_no_slot_is_unused_while_a_queue_has_jobs(queues: dict[str, Demand], room: int) -> None:
    shares = weighted_share(room, queues, {})
    assert sum(shares.granted.values()) == min(
        room, sum(demand.count for demand in queues.values())
    )
    assert all(shares.granted[name] <= queues[name].count for name in queues)


@given(
    st.dictionaries(names, st.integers(1, 9), min_size=2), st.lists(st.integers(0, 9), min_size=1)
)
def test_weights_are_kept_within_one_job_over_any_rounds(
    weights: dict[str, int], rooms: list[int]
) -> None:
    virtual_times: dict[str, float] = {}
    granted: Counter[str] = Counter()
    for room in rooms:
        shares = weighted_share(
            room, {name: Demand(room, weights[name]) for name in weights}, virtual_times
        )
        virtual_times = shares.virtual_times if room else virtual_times
        granted.update(shares.granted)
    by_weight = [granted[name] / weights[name] for name in weights]
    assert max(by_weight) - min(by_weight) <= 1 / min(weights.values()) + 1e-9


@given(st.dictionaries(names, st.integers(1, 9), min_size=2))
def test_every_queue_gets_a_turn_with_a_single_slot(weights: dict[str, int]) -> None:
    virtual_times: dict[str, float] = {}
    granted: Counter[str] = Counter()
    for _ in range(sum(weights.values()) + len(weights)):
        shares = weighted_share(
            1, {name: Demand(9, weights[name]) for name in weights}, virtual_times
        )
        virtual_times = shares.virtual_times
        granted.update(shares.granted)
    assert all(granted[name] >= 1 for name in weights)


def test_idle_queue_accumulates_no_credit() -> None:
    virtual_times = weighted_share(1_000, {"busy": Demand(1_000)}, {}).virtual_times
    shares = weighted_share(100, {"busy": Demand(100), "new": Demand(100)}, virtual_times)
    assert shares.granted == {"busy": 50, "new": 50}


@given(queues_of_jobs, st.integers(0, 60))
def test_jobs_are_chosen_by_rank(jobs: list[PendingJob], room: int) -> None:
    ordered = sorted(jobs, key=rank)
    assert by_rank([ordered[::2], ordered[1::2]], room, StartLimits()) == ordered[:room]


def test_one_priority_point_equals_a_minute_of_waiting() -> None:
    late = job(late_s=121, number=1)
    urgent = job(lane=Lane(priority=2), number=2)
    assert by_rank([[urgent], [late]], 2, StartLimits()) == [late, urgent]
    less_late = job(late_s=119, number=3)
    assert by_rank([[urgent], [less_late]], 2, StartLimits()) == [urgent, less_late]


@given(queues_of_jobs, st.integers(0, 60), st.sampled_from([None, "ann", "bob", "cy"]))
def test_round_robin_uses_all_slots_and_gives_owners_equal_shares(
    jobs: list[PendingJob], room: int, after: str | None
) -> None:
    chosen = round_robin(jobs, room, StartLimits(), after)
    assert len(chosen) == min(room, len(jobs))
    granted, demands = (
        Counter(pending.owner for pending in chosen),
        Counter(pending.owner for pending in jobs),
    )
    least = min(
        (granted[owner] for owner in demands if granted[owner] < demands[owner]), default=room
    )
    assert all(granted[owner] <= least + 1 for owner in demands)


@given(queues_of_jobs, st.integers(1, 60), st.sampled_from(["ann", "bob", "cy"]))
def test_jobs_of_one_owner_are_chosen_by_rank(
    jobs: list[PendingJob], room: int, owner: str
) -> None:
    own = [
        pending
        for pending in round_robin(jobs, room, StartLimits(), None)
        if pending.owner == owner
    ]
    assert (
        own == sorted((pending for pending in jobs if pending.owner == owner), key=rank)[: len(own)]
    )


@given(queues_of_jobs, st.booleans())
def test_function_limits_are_kept_and_do_not_delay_other_functions(
    jobs: list[PendingJob], by_owner: bool
) -> None:
    ordered = sorted(jobs, key=rank)
    chosen = (
        round_robin(ordered, 60, limits(), None) if by_owner else by_rank([ordered], 60, limits())
    )
    limited = [pending for pending in chosen if pending.lane.limit_lane == LIMITED]
    assert len(limited) <= 5
    assert sum(not pending.lane.has_reservation for pending in limited) <= 3
    assert {pending.id for pending in jobs if pending.lane.function is None} <= {
        pending.id for pending in chosen
    }


@given(queues_of_jobs, st.integers(1, 9), st.booleans())
def test_share_of_each_owner_is_kept_and_does_not_delay_other_owners(
    jobs: list[PendingJob], most: int, by_owner: bool
) -> None:
    ordered = sorted(jobs, key=rank)
    owners = OwnerShare(limit=most, queued=Counter({owner_tag("ann"): 1}))
    limits = StartLimits(owners=owners)
    chosen = round_robin(jobs, 60, limits, None) if by_owner else by_rank([ordered], 60, limits)
    demands, granted = (Counter(pending.owner for pending in some) for some in (jobs, chosen))
    for owner in demands:
        assert granted[owner] == min(demands[owner], most - (owner == "ann"))
    assert owners.has_rejected is (len(chosen) < len(jobs))


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_min=True))
def test_share_of_the_slots_leaves_a_slot_to_others(slots: int, share: float) -> None:
    limit = owner_limit(slots, share)
    assert 1 <= limit <= slots
    assert limit == 1 or limit <= slots * share + 1e-6
    assert slots == 1 or share > 0.99 or limit < slots


@pytest.mark.parametrize(("slots", "share", "limit"), [(100, 0.29, 29), (10, 0.7, 7), (3, 0.5, 1)])
def test_share_of_the_slots_is_rounded_down(slots: int, share: float, limit: int) -> None:
    assert owner_limit(slots, share) == limit


@given(queues_of_jobs, st.integers(1, 40))
def test_chunks_have_one_owner_or_owners_with_few_jobs(jobs: list[PendingJob], slots: int) -> None:
    most = owner_limit(slots, 0.5)
    parts = split_by_owner(jobs, slots, most)
    assert {one.id for one in chain.from_iterable(parts)} == {one.id for one in jobs}
    assert sum(map(len, parts)) == len(jobs)
    assert all(parts)
    counts = Counter(pending.owner for pending in jobs)
    max_shared = max(1, most // 2, slots // max(1, len(counts)))
    for part in parts:
        owners = {pending.owner for pending in part}
        assert all(counts[owner] <= max_shared for owner in owners) or len(owners) == 1
    for owner in counts:
        own = [pending for pending in chain.from_iterable(parts) if pending.owner == owner]
        assert own == [pending for pending in jobs if pending.owner == owner]


def test_chunks_of_owners_with_many_jobs_take_turns() -> None:
    jobs = [job(owner=owner, number=n) for n in range(4) for owner in ("ann", "bob", "cy")]
    parts = split_by_owner(jobs, 6, 3)
    assert [part[0].owner for part in parts] == ["ann", "bob", "cy"] * 2
    assert {len(part) for part in parts} == {2}


def test_owners_that_cannot_hold_all_slots_together_get_one_chunk_each() -> None:
    jobs = [job(owner=owner, number=n) for n in range(6) for owner in ("ann", "bob")]
    assert [len(part) for part in split_by_owner(jobs, 6, 3)] == [6, 6]


@given(st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True), lanes)
def test_lane_round_trips_through_its_text(queue: str, lane: Lane) -> None:
    written = replace(lane, queue=queue)
    assert Lane.parse(str(written)) == written


@pytest.mark.parametrize("text", ["", "default", "A/", "a/f:0", "a/f:10", "a/f!x", "a/$", "a/\n"])
def test_malformed_lane_is_rejected(text: str) -> None:
    assert Lane.parse(text) is None
