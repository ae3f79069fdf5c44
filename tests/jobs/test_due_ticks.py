"""Late ticks: the runs, skips and counts of each catch-up policy."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.due_ticks import (
    MAX_RUNS_PER_TICK,
    TickDecision,
    Timetable,
    decide_ticks,
)
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.passed_ticks import TickRange
from ostinato.jobs.records import CatchUpPolicy, CronSchedule, IntervalSchedule, Schedule

DUE = datetime(2026, 5, 4, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MINUTELY: list[Schedule] = [IntervalSchedule(ms=60_000), CronSchedule(cronspec="* * * * *")]
SECONDLY = CronSchedule(cronspec="* * * * * *")

minutely = pytest.mark.parametrize("schedule", MINUTELY)


def resolve(schedule: Schedule, late_by: timedelta, policy: CatchUpPolicy) -> TickDecision:
    before = MINUTE if schedule == MINUTELY[0] else timedelta(seconds=1)
    return decide_ticks(Timetable(schedule=schedule), DUE - before, DUE + late_by, policy)


@minutely
@pytest.mark.parametrize("policy", CatchUpPolicy)
def test_a_tick_on_time_runs_with_every_policy(schedule: Schedule, policy: CatchUpPolicy) -> None:
    decision = resolve(schedule, timedelta(milliseconds=3), policy)
    assert decision == TickDecision(
        missed=None, runs=(DUE,), next_run=DUE + MINUTE, decided_until=DUE
    )


@minutely
def test_all_runs_every_missed_tick(schedule: Schedule) -> None:
    decision = resolve(schedule, 3.5 * MINUTE, CatchUpPolicy.ALL)
    assert decision.runs == (DUE, DUE + MINUTE, DUE + 2 * MINUTE, DUE + 3 * MINUTE)
    assert (decision.skipped, decision.next_run) == (0, DUE + 4 * MINUTE)


@minutely
def test_latest_runs_the_newest_missed_tick_and_counts_the_others(schedule: Schedule) -> None:
    decision = resolve(schedule, 3.5 * MINUTE, CatchUpPolicy.LATEST)
    assert decision == TickDecision(
        missed=TickRange(3, DUE, DUE + 2 * MINUTE),
        runs=(DUE + 3 * MINUTE,),
        next_run=DUE + 4 * MINUTE,
        decided_until=DUE + 3 * MINUTE,
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


YEAR = timedelta(days=365)
MAYBE_MISSED = (timedelta(seconds=10_000), timedelta(days=60), YEAR)


@pytest.mark.parametrize("late_by", MAYBE_MISSED)
def test_latest_runs_the_newest_of_many_missed_ticks(late_by: timedelta) -> None:
    decision = resolve(SECONDLY, late_by, CatchUpPolicy.LATEST)
    assert decision.runs == (DUE + late_by,)
    seconds = late_by // timedelta(seconds=1)
    assert decision.missed == TickRange(seconds, DUE, DUE + late_by - timedelta(seconds=1))
    assert decision.next_run == DUE + late_by + timedelta(seconds=1)


@pytest.mark.parametrize("late_by", MAYBE_MISSED)
def test_all_runs_the_newest_500_of_many_missed_ticks(late_by: timedelta) -> None:
    decision = resolve(SECONDLY, late_by, CatchUpPolicy.ALL)
    assert decision.runs == tuple(
        DUE + late_by - timedelta(seconds=n) for n in range(MAX_RUNS_PER_TICK - 1, -1, -1)
    )
    assert decision.skipped + len(decision.runs) == late_by // timedelta(seconds=1) + 1


@given(st.integers(1_000, 10**8), st.integers(0, 10**9), st.sampled_from(CatchUpPolicy))
def test_ticks_of_an_interval_do_not_drift_and_are_all_counted(
    ms: int, late_ms: int, policy: CatchUpPolicy
) -> None:
    interval, now = timedelta(milliseconds=ms), DUE + timedelta(milliseconds=late_ms)
    table = Timetable(schedule=IntervalSchedule(ms=ms))
    decision = decide_ticks(table, DUE - interval, now, policy)
    assert (decision.next_run - DUE) % interval == timedelta(0)
    assert now < decision.next_run <= now + interval
    assert len(decision.runs) + decision.skipped == (decision.next_run - DUE) // interval


@given(st.integers(0, 86_400_000), st.integers(0, 3_600))
def test_a_delayed_tick_runs_before_the_next_one_and_before_the_end(
    jitter_ms: int, end_s: int
) -> None:
    end_at = DUE + timedelta(seconds=end_s, milliseconds=1)
    table = Timetable(schedule=MINUTELY[1], cron_id="c", jitter_ms=jitter_ms, end_at=end_at)
    start = table.start_of(DUE)
    assert DUE <= start < min(DUE + MINUTE, end_at)
    assert start - DUE <= timedelta(milliseconds=jitter_ms)


def test_a_tick_is_not_due_before_its_delay_has_passed() -> None:
    table = Timetable(schedule=MINUTELY[1], cron_id="c", jitter_ms=600_000)
    start = table.start_of(DUE)
    assert start > DUE + timedelta(seconds=1)
    after = DUE - MINUTE
    early = decide_ticks(table, after, start - MILLISECOND, CatchUpPolicy.SKIP)
    assert (early.has_ticks, early.next_run, early.decided_until) == (False, DUE, after)
    due = decide_ticks(table, after, start + timedelta(seconds=15), CatchUpPolicy.SKIP)
    assert (due.runs, due.next_run) == ((DUE,), DUE + MINUTE)
