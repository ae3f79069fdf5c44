"""A year of 200 crons with downtime, edits, pauses, overlaps and both changes of the clocks: each
planned tick has exactly one outcome in the ledger."""

import random
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import pytest

from ostinato import Context, Retry, mutation
from ostinato.client.cron_options import CronOptions
from ostinato.jobs.cron_ledger import (
    CronTick,
    TickOrigin,
    TickOutcome,
    cron_tick_from,
)
from ostinato.jobs.records import CatchUpPolicy, Cron, OverlapPolicy
from ostinato.testing import Harness
from ostinato.testing.harness import START
from tests.testing.planned_reference import MILLISECOND, planned

pytestmark = pytest.mark.slow

YEAR, DAY, HOUR = timedelta(days=365), timedelta(days=1), timedelta(hours=1)
ZONES: Final = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
CHANGES: Final = {
    "Europe/Berlin": ("2035-03-25", "2035-10-28"),
    "America/New_York": ("2035-03-11", "2035-11-04"),
    "Australia/Lord_Howe": ("2035-04-01", "2035-10-07"),
}
RARE_SPECS: Final = ("0 6 1 * *", "30 2 * * 0", "15 2 * * 1#2", "45 23 L * *", "5 1,2 15 * *")
POLICIES: Final = (*CatchUpPolicy,)
NO_QUEUE: Final = (OverlapPolicy.SKIP, OverlapPolicy.ALLOW)


@mutation(retry=Retry(retries=1, base_ms=40 * 3_600_000, jitter=0))
async def water_plants(ctx: Context) -> None:
    """Do nothing. A failure is retried almost two days later: the run overlaps with later ticks."""


@mutation()
async def sweep_path(ctx: Context) -> None:
    """Do nothing. Ticks that wait for its end look for it every second of the year."""


@dataclass(slots=True)
class Planned:
    """What a cron plans: its current schedule, and the ticks of its earlier ones."""

    spec: str | None
    tz: str
    since: datetime
    """The ticks later than this are not in `ticks` yet."""
    interval: timedelta = timedelta(0)
    end_at: datetime | None = None
    is_paused: bool = False
    is_fast: bool = False
    ticks: list[datetime] = field(default_factory=list)

    def settle(self, now: datetime) -> None:
        """Add the ticks to now."""
        until = now if self.end_at is None else min(now, self.end_at - MILLISECOND)
        if self.spec is not None:
            self.ticks += planned(self.spec, self.tz, self.since, until)
            self.since = max(now, self.since)
            return
        while self.since + self.interval <= until:
            self.since += self.interval
            self.ticks.append(self.since)


class Gardener:
    """Registers crons, disturbs them at random, and knows what they plan."""

    def __init__(self, h: Harness) -> None:
        self.h = h
        self.random = random.Random(7)
        self.crons: dict[str, Planned] = {}
        self.deleted: set[str] = set()

    async def plant(self) -> None:
        """Register 200 crons, those with many ticks for some days around the clock changes."""
        for n in range(170):
            await self._register(f"rare {n}", self.random.choice(RARE_SPECS), ZONES[n % 3])
        for n, tz in enumerate(ZONES):
            await self._register(f"daily {n}", "30 2 * * *", tz)
            for at, change in enumerate(CHANGES[tz]):
                start = datetime.fromisoformat(f"{change}T00:00:00+00:00") - DAY
                for spec in ("*/30 * * * *", "10,40 1-3 * * *", "0 * * * *"):
                    await self._register(f"around {n} {at} {spec}", spec, tz, start)
        for n in range(4):
            await self._register(f"often {n}", "*/15 * * * *", ZONES[n % 3])
        for n in range(5):
            await self._register(f"interval {n}", None, "UTC")

    async def _register(
        self, name: str, spec: str | None, tz: str, start: datetime | None = None
    ) -> None:
        interval = timedelta(hours=self.random.randint(20, 90))
        end_at = None if start is None else start + 3 * DAY
        overlap = self.random.choice(tuple(OverlapPolicy))
        options = CronOptions(
            function=sweep_path if overlap is OverlapPolicy.QUEUE else water_plants,
            overlap=overlap,
            catch_up=self.random.choice(POLICIES),
            jitter=timedelta(seconds=self.random.choice((0, 0, 90, 40_000))),
        )
        if spec is None:
            options["every"] = interval
        else:
            options["cronspec"], options["tz"] = spec, tz
        if start is not None and end_at is not None:
            options["start_at"], options["end_at"] = start, end_at
        cron = await self.h.app.register_cron(name, **options)
        since = self.h.now if start is None else start - MILLISECOND
        self.crons[cron.id] = Planned(spec, tz, since, interval=interval, end_at=end_at)
        if name.startswith("often"):
            self.crons[cron.id].is_fast = True
            await self._pause(cron.id)

    async def disturb(self) -> None:
        """Let something happen to a few crons, or to the workers."""
        h, chosen = self.h, self.random.sample(sorted(self.crons.keys() - self.deleted), 8)
        if self.random.random() < 0.4:
            h.fail(water_plants, times=self.random.randint(1, 4))
        for cron_id in chosen:
            await self._disturb(cron_id, self.crons[cron_id])
        if self.random.random() < 0.3:
            await h.app.engine.clock.hold_at(h.now + self.random.random() * 3 * DAY)
            await h.run_due()

    async def _disturb(self, cron_id: str, plan: Planned) -> None:
        cron = await self.h.app.cron(cron_id)
        if plan.end_at is not None and not cron.enabled and not plan.is_paused:
            return  # it has ended
        change = self.random.choice(("pause", "pause", "edit", "policies", "skip", "trigger", "go"))
        if plan.is_paused:
            await self._resume(cron_id, plan)
        elif change == "pause":
            await self._pause(cron_id)
        elif change == "edit" and plan.spec in RARE_SPECS:
            await self._edit(cron, plan)
        elif change == "policies":
            queues = cron.overlap is OverlapPolicy.QUEUE
            overlap = cron.overlap if queues else self.random.choice(NO_QUEUE)
            catch_up = self.random.choice(POLICIES)
            await self.h.app.update_cron(cron_id, catch_up=catch_up, overlap=overlap)
        elif change == "trigger" and cron.overlap is OverlapPolicy.ALLOW:
            await self.h.app.trigger_cron(cron_id)
        elif change == "go" and plan.spec in RARE_SPECS:
            await self._delete(cron_id)

    async def _pause(self, cron_id: str) -> None:
        await self.h.app.pause_cron(cron_id)
        self.crons[cron_id].is_paused = True

    async def _resume(self, cron_id: str, plan: Planned) -> None:
        plan.settle(self.h.now)
        if plan.end_at is not None and plan.end_at <= self.h.now + HOUR:
            return
        await self.h.app.resume_cron(cron_id)
        plan.is_paused, plan.since = False, max(self.h.now, plan.since)
        if plan.is_fast:  # a few ticks only
            await self.h.advance(hours=1)
            await self._pause(cron_id)

    async def _edit(self, cron: Cron, plan: Planned) -> None:
        plan.settle(self.h.now)
        plan.spec = self.random.choice(RARE_SPECS)
        await self.h.app.update_cron(cron.id, cronspec=plan.spec)

    async def _delete(self, cron_id: str) -> None:
        self.crons[cron_id].settle(self.h.now)
        await self.h.app.delete_cron(cron_id)
        self.deleted.add(cron_id)

    def problems_in(self, ledger: Mapping[str, list[CronTick]]) -> dict[str, list[str]]:
        """Return the ticks of each cron whose outcome is missing or recorded more than once."""
        found = {id_: unexplained(plan, ledger.get(id_, [])) for id_, plan in self.crons.items()}
        return {cron_id: problems for cron_id, problems in found.items() if problems}

    async def clear(self) -> None:
        """Delete what is left, so that every tick is decided."""
        for cron_id in sorted(self.crons.keys() - self.deleted):
            await self._delete(cron_id)


async def read_ledger(h: Harness) -> dict[str, list[CronTick]]:
    found: defaultdict[str, list[CronTick]] = defaultdict(list)
    for document in await h.app.engine.mongo["cronTicks"].find().to_list(None):
        tick = cron_tick_from(document)
        found[tick.cron_id].append(tick)
    return found


def unexplained(plan: Planned, records: list[CronTick]) -> list[str]:
    """Return the ticks that have no outcome, or more than one."""
    left, problems = sorted(plan.ticks), []
    if len(set(left)) != len(left):
        problems.append("planned twice")
    scheduled = [tick for tick in records if tick.origin is TickOrigin.SCHEDULE]
    shortest_first = sorted(scheduled, key=lambda t: t.last_scheduled_time - t.scheduled_time)
    for tick in shortest_first:
        first = bisect_left(left, tick.scheduled_time)
        last = bisect_right(left, tick.last_scheduled_time)
        if last - first != tick.tick_count or left[first] != tick.scheduled_time:
            problems.append(f"{last - first} ticks are left for {tick}")
        del left[first:last]
    return problems + [f"no outcome: {at}" for at in left]


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
    assert gardener.problems_in(ledger) == {}
    counts, run_ids = summed(ledger)
    runs = [*await h.jobs(water_plants), *await h.jobs(sweep_path)]
    assert run_ids == {run.id for run in runs}
    assert sum(counts.values()) == sum(len(plan.ticks) for plan in gardener.crons.values())
    assert counts.keys() == set(TickOutcome)


def summed(ledger: Mapping[str, list[CronTick]]) -> tuple[Counter[TickOutcome], set[str | None]]:
    """Return the numbers of planned ticks by outcome, and the jobs of all that ran."""
    counts: Counter[TickOutcome] = Counter()
    records = [tick for ticks in ledger.values() for tick in ticks]
    for tick in records:
        if tick.origin is TickOrigin.SCHEDULE:
            counts[tick.outcome] += tick.tick_count
    return counts, {tick.job_id for tick in records if tick.outcome is TickOutcome.RAN}
