"""A year of 200 crons with downtime, edits, pauses, overlaps, limits, exclusions, skipped and
backfilled ticks, and both changes of the clocks: each planned tick has exactly one outcome in the
ledger."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import pytest

from ostinato.jobs.cron_ledger import (
    CronTick,
    TickOrigin,
    TickOutcome,
    TickReason,
    cron_tick_from,
)
from ostinato.jobs.settings import Settings
from ostinato.testing import Harness
from ostinato.testing.harness import START
from tests.testing.gardener import DAY, Gardener, Planned, sweep_path, water_plants

pytestmark = pytest.mark.slow

YEAR = timedelta(days=365)
Ledger = Mapping[str, list[CronTick]]
WANTED = {
    *(TickReason.OVERLAP, TickReason.PAUSED, TickReason.EXCLUDED, TickReason.CLOCK_CHANGE),
    *(TickReason.REQUESTED, TickReason.DOWNTIME, TickReason.TOO_OLD, TickReason.CAUGHT_UP),
    *(TickReason.CHANGED, TickReason.MAX_RUNS),
}
"""The reasons that the year must contain."""


async def read_ledger(h: Harness) -> Ledger:
    found: defaultdict[str, list[CronTick]] = defaultdict(list)
    for document in await h.app.engine.mongo["cronTicks"].find().to_list(None):
        tick = cron_tick_from(document)
        found[tick.cron_id].append(tick)
    return found


def unexplained(plan: Planned, records: list[CronTick]) -> list[str]:
    """Return the ticks that have no outcome, or more than one, or ran twice."""
    left, problems = sorted(plan.ticks), []
    if len(set(left)) != len(left):
        problems.append("planned twice")
    scheduled = [tick for tick in records if tick.origin is TickOrigin.SCHEDULE]
    ends = Counter(at for tick in scheduled for at in ends_of(tick))
    problems += [f"{number} records of {at}" for at, number in ends.items() if number > 1]
    problems += [f"not planned: {at}" for at in ends.keys() - set(left)]
    for group in overlapping(scheduled):
        first = bisect_left(left, group[0].scheduled_time)
        last = bisect_right(left, max(tick.last_scheduled_time for tick in group))
        if last - first != sum(tick.tick_count for tick in group):
            problems.append(f"{last - first} ticks are left for {group}")
        del left[first:last]
    ran = Counter(tick.scheduled_time for tick in records if _ran_for_a_tick(tick))
    problems += [f"ran {times} times: {at}" for at, times in ran.items() if times > 1]
    return problems + [f"no outcome: {at}" for at in left]


def ends_of(tick: CronTick) -> set[datetime]:
    return {tick.scheduled_time, tick.last_scheduled_time}


def overlapping(records: list[CronTick]) -> Iterator[list[CronTick]]:
    """Yield groups of records whose ticks may lie between each other's: excluded days in a pause,
    for example."""
    group: list[CronTick] = []
    for tick in sorted(records, key=lambda each: each.scheduled_time):
        if group and tick.scheduled_time > max(each.last_scheduled_time for each in group):
            yield group
            group = []
        group.append(tick)
    if group:
        yield group


def _ran_for_a_tick(tick: CronTick) -> bool:
    return tick.outcome is TickOutcome.RAN and tick.origin is not TickOrigin.TRIGGER


def problems_in(ledger: Ledger, plans: Mapping[str, Planned]) -> dict[str, list[str]]:
    """Return the problems of each cron that has any."""
    found = {cron_id: unexplained(plan, ledger.get(cron_id, [])) for cron_id, plan in plans.items()}
    return {cron_id: problems for cron_id, problems in found.items() if problems}


@pytest.fixture
def ostinato_settings(ostinato_settings: Settings) -> Settings:
    """Return settings that keep the records, so that ticks of months ago are backfilled."""
    kept_ms = 60 * 86_400_000
    return ostinato_settings.model_copy(update={"cron_tick_retention_ms": kept_ms})


@pytest.mark.ostinato(concurrency=50)
async def test_each_planned_tick_of_a_disturbed_year_has_one_outcome(h: Harness) -> None:
    gardener = Gardener(h)
    await gardener.plant()
    assert len(gardener.crons) == 200
    while h.now < START + YEAR:
        await h.advance(gardener.random.random() * 6 * DAY)
        await gardener.disturb()
    await gardener.clear()
    ledger = await read_ledger(h)
    assert problems_in(ledger, gardener.crons) == {}
    counts, run_ids = summed(ledger)
    runs = [*await h.jobs(water_plants), *await h.jobs(sweep_path)]
    assert run_ids == {run.id for run in runs}
    assert sum(counts.values()) == sum(len(plan.ticks) for plan in gardener.crons.values())
    require_every_kind([tick for ticks in ledger.values() for tick in ticks])


def require_every_kind(records: list[CronTick]) -> None:
    """Require that the year has contained what it is to show."""
    assert {tick.outcome for tick in records} == set(TickOutcome)
    assert {tick.reason for tick in records} >= WANTED
    assert {tick.origin for tick in records} == set(TickOrigin)


def summed(ledger: Ledger) -> tuple[Counter[TickOutcome], set[str | None]]:
    """Return the numbers of planned ticks by outcome, and the jobs of all that ran."""
    counts: Counter[TickOutcome] = Counter()
    records = [tick for ticks in ledger.values() for tick in ticks]
    for tick in records:
        if tick.origin is TickOrigin.SCHEDULE:
            counts[tick.outcome] += tick.tick_count
    return counts, {tick.job_id for tick in records if tick.outcome is TickOutcome.RAN}
