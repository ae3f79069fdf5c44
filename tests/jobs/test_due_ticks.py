"""Late ticks: the runs, skips and counts of each catch-up policy."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.due_ticks import (
    MAX_COUNTED_TICKS,
    MAX_RUNS_PER_TICK,
    PassedTicks,
    TickDecision,
    decide_ticks,
)
from ostinato.jobs.records import CatchUpPolicy, CronSchedule, IntervalSchedule, Schedule

DUE = datetime(2026, 5, 4, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MINUTELY = [IntervalSchedule(ms=60_000), CronSchedule(cronspec="* * * * *")]
SECONDLY = CronSchedule(cronspec="* * * * * *")

minutely = pytest.mark.parametrize("schedule", MINUTELY)


def resolve(schedule: Schedule, late_by: timedelta, policy: CatchUpPolicy) -> TickDecision:
    return decide_ticks(schedule, DUE, DUE + late_by, policy)


@minutely
@pytest.mark.parametrize("policy", CatchUpPolicy)
def test_a_tick_on_time_runs_with_every_policy(schedule: Schedule, policy: CatchUpPolicy) -> None:
    decision = resolve(schedule, timedelta(milliseconds=3), policy)
    assert decision == TickDecision(missed=None, runs=(DUE,), next_run=DUE + MINUTE)


@minutely
def test_all_runs_every_missed_tick(schedule: Schedule) -> None:
    decision = resolve(schedule, 3.5 * MINUTE, CatchUpPolicy.ALL)
    assert decision.runs == (DUE, DUE + MINUTE, DUE + 2 * MINUTE, DUE + 3 * MINUTE)
    assert (decision.skipped, decision.next_run) == (0, DUE + 4 * MINUTE)


@minutely
def test_latest_runs_the_newest_missed_tick_and_counts_the_others(schedule: Schedule) -> None:
    decision = resolve(schedule, 3.5 * MINUTE, CatchUpPolicy.LATEST)
    missed = PassedTicks(count=3, first=DUE, newest=tuple(DUE + n * MINUTE for n in range(3)))
    assert decision == TickDecision(
        missed=missed, runs=(DUE + 3 * MINUTE,), next_run=DUE + 4 * MINUTE
    )


@minutely
def test_skip_counts_all_missed_ticks(schedule: Schedule) -> None:
    decision = resolve(schedule, 3.5 * MINUTE, CatchUpPolicy.SKIP)
    assert (decision.runs, decision.skipped) == ((), 4)
    assert decision.next_run == DUE + 4 * MINUTE


@minutely
def test_skip_runs_the_newest_tick_if_it_is_on_time(schedule: Schedule) -> None:
    decision = resolve(schedule, 3 * MINUTE, CatchUpPolicy.SKIP)
    assert (decision.runs, decision.skipped) == ((DUE + 3 * MINUTE,), 3)
    assert decision.next_run == DUE + 4 * MINUTE


@minutely
@pytest.mark.parametrize(("late_s", "runs"), [(15, 1), (16, 0)])
def test_a_tick_is_on_time_for_15_seconds(schedule: Schedule, late_s: int, runs: int) -> None:
    decision = resolve(schedule, timedelta(seconds=late_s), CatchUpPolicy.SKIP)
    assert (len(decision.runs), decision.skipped) == (runs, 1 - runs)


def test_all_runs_a_limited_number_of_ticks_and_counts_the_others() -> None:
    decision = resolve(IntervalSchedule(ms=1_000), timedelta(days=365), CatchUpPolicy.ALL)
    assert len(decision.runs) == MAX_RUNS_PER_TICK
    assert decision.skipped == 365 * 86_400 + 1 - MAX_RUNS_PER_TICK
    assert decision.next_run - decision.runs[-1] == timedelta(seconds=1)


def test_missed_ticks_of_a_cronspec_are_counted_up_to_a_limit() -> None:
    decision = resolve(SECONDLY, timedelta(days=365), CatchUpPolicy.LATEST)
    assert decision.skipped + len(decision.runs) == MAX_COUNTED_TICKS
    assert decision.next_run == DUE + timedelta(days=365, seconds=1)


@given(st.integers(1_000, 10**8), st.integers(0, 10**9), st.sampled_from(CatchUpPolicy))
def test_ticks_of_an_interval_do_not_drift_and_are_all_counted(
    ms: int, late_ms: int, policy: CatchUpPolicy
) -> None:
    interval, now = timedelta(milliseconds=ms), DUE + timedelta(milliseconds=late_ms)
    decision = decide_ticks(IntervalSchedule(ms=ms), DUE, now, policy)
    assert (decision.next_run - DUE) % interval == timedelta(0)
    assert now < decision.next_run <= now + interval
    assert len(decision.runs) + decision.skipped == (decision.next_run - DUE) // interval
