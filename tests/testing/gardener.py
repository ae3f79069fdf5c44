"""Crons of a year that a gardener disturbs, and what they plan."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from ostinato import Context, Retry, mutation
from ostinato.client.cron_options import CronOptions
from ostinato.jobs.cron_ledger import TickReason
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.records import CatchUpPolicy, Cron, OverlapPolicy, PauseReason
from ostinato.jobs.time_rules import DateRange, Exclusions, FoldPolicy, GapPolicy, Weekday
from ostinato.testing import Harness
from tests.testing.planned_reference import MILLISECOND, planned

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ZONES: Final = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
CHANGES: Final = {
    "Europe/Berlin": ("2035-03-25", "2035-10-28"),
    "America/New_York": ("2035-03-11", "2035-11-04"),
    "Australia/Lord_Howe": ("2035-04-01", "2035-10-07"),
}
"""The days on which the clocks change."""
RARE_SPECS: Final = (
    *("0 6 1 * *", "30 2 * 3,4,10,11 0", "15 2 * * 1#2", "45 23 L * *", "5 1,2 15 * *"),
)
DAILY: Final = "30 2 * 3,4,10,11 *"  # in the months of the clock changes
POLICIES: Final = (*CatchUpPolicy,)
NO_QUEUE: Final = (OverlapPolicy.SKIP, OverlapPolicy.ALLOW)
CALENDAR: Final = "holidays"
EXCLUSIONS: Final = (
    Exclusions(),
    Exclusions(),
    Exclusions(weekdays=(Weekday.TUESDAY, Weekday.THURSDAY)),
    Exclusions(dates=tuple(date.fromisoformat(day) for days in CHANGES.values() for day in days)),
    Exclusions(ranges=(DateRange(first=date(2035, 4, 10), last=date(2035, 6, 20)),)),
    Exclusions(calendar=CALENDAR, dates=(date(2035, 4, 1),)),
)
VERBS: Final = (
    *("pause", "pause", "edit", "policies", "skip", "skip", "trigger", "delete"),
    *("exclude", "backfill"),
)


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
    policies: tuple[GapPolicy, FoldPolicy] = (GapPolicy.NEXT, FoldPolicy.FIRST)
    end_at: datetime | None = None
    is_paused: bool = False
    is_fast: bool = False
    ticks: list[datetime] = field(default_factory=list)
    skipped: set[datetime] = field(default_factory=set)
    """The ticks that were skipped ahead of time; they are planned once, also by a new schedule."""

    def settle(self, now: datetime) -> None:
        """Add the ticks to now."""
        until = now if self.end_at is None else min(now, self.end_at - MILLISECOND)
        self.ticks += [tick for tick in self._new_ticks(now, until) if tick not in self.skipped]

    def skip(self, tick: datetime) -> None:
        assert tick not in self.ticks
        self.ticks.append(tick)
        self.skipped.add(tick)

    def _new_ticks(self, now: datetime, until: datetime) -> list[datetime]:
        if self.spec is not None:
            found = planned(self.spec, self.tz, self.since, until, self.policies)
            self.since = max(now, self.since)
            return found
        count = max((until - self.since) // self.interval, 0)
        found = [self.since + (n + 1) * self.interval for n in range(count)]
        self.since += count * self.interval
        return found


class Gardener:
    """Registers crons, disturbs them at random, and knows what they plan."""

    def __init__(self, h: Harness) -> None:
        self.h = h
        self.random = random.Random(7)
        self.crons: dict[str, Planned] = {}
        self.deleted: set[str] = set()

    async def plant(self) -> None:
        """Register 200 crons, those with many ticks for some days around the clock changes."""
        await self.h.app.create_calendar(CALENDAR, dates=[date(2035, 3, 25)])
        for n in range(170):
            await self._register(f"rare {n}", self.random.choice(RARE_SPECS), ZONES[n % 3])
        for n, tz in enumerate(ZONES):
            await self._register(f"daily {n}", DAILY, tz)
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
        choose, is_fast = self.random.choice, name.startswith("often")
        plan = Planned(spec, tz, self.h.now if start is None else start - MILLISECOND)
        plan.interval, plan.is_fast = timedelta(hours=self.random.randint(20, 90)), is_fast
        options = self._policies(choose(tuple(OverlapPolicy)))
        if choose((True, False)) and not is_fast:
            options["max_runs"] = self.random.randint(1, 9)
        if spec is None:
            options["every"] = plan.interval
        else:
            plan.policies = (choose((*GapPolicy,)), choose((*FoldPolicy,)))
            options |= {"cronspec": spec, "tz": tz}
            options |= {"on_gap": plan.policies[0], "on_fold": plan.policies[1]}
        if start is not None:
            options["start_at"], options["end_at"] = start, start + 3 * DAY
            plan.end_at = start + 3 * DAY
        cron = await self.h.app.register_cron(name, **options)
        self.crons[cron.id] = plan
        if is_fast:
            await self._pause(cron.id)

    def _policies(self, overlap: OverlapPolicy) -> CronOptions:
        options: CronOptions = {
            "function": sweep_path if overlap is OverlapPolicy.QUEUE else water_plants,
            "overlap": overlap,
            "catch_up": self.random.choice(POLICIES),
            "jitter": timedelta(seconds=self.random.choice((0, 0, 90, 40_000))),
            "exclusions": self.random.choice(EXCLUSIONS),
        }
        if window := self.random.choice((None, None, HOUR, 2 * DAY)):
            options["catch_up_window"] = window
        return options

    async def disturb(self) -> None:
        """Let something happen to a few crons, or to the workers."""
        h, chosen = self.h, self.random.sample(sorted(self.crons.keys() - self.deleted), 8)
        if self.random.random() < 0.4:
            h.fail(water_plants, times=self.random.randint(1, 4))
        for cron_id in chosen:
            await self._disturb(cron_id, self.crons[cron_id])
        if self.random.random() < 0.2:
            days = [(h.now + self.random.randint(0, 40) * DAY).date() for _ in range(9)]
            await h.app.replace_calendar(CALENDAR, dates=days)
        if self.random.random() < 0.3:
            await h.app.engine.clock.hold_at(h.now + self.random.random() * 3 * DAY)
            await h.run_due()

    async def _disturb(self, cron_id: str, plan: Planned) -> None:
        cron = await self.h.app.cron(cron_id)
        verb = self.random.choice(VERBS)
        if plan.is_paused:
            await self._resume(cron_id, plan)
        elif not cron.enabled:
            if cron.paused_because is PauseReason.MAX_RUNS and not self._ends_soon(plan):
                await self._raise_max_runs(cron, plan)
        elif verb == "pause":
            await self._pause(cron_id)
        elif verb == "edit" and plan.spec in RARE_SPECS:
            plan.settle(self.h.now)
            plan.spec = self.random.choice(RARE_SPECS)
            await self.h.app.update_cron(cron.id, cronspec=plan.spec)
        elif verb == "exclude":
            plan.settle(self.h.now)
            await self.h.app.update_cron(cron.id, exclusions=self.random.choice(EXCLUSIONS))
        elif verb == "delete" and plan.spec in RARE_SPECS:
            await self._delete(cron_id)
        else:
            await self._disturb_schedule(verb, cron, plan)

    async def _disturb_schedule(self, verb: str, cron: Cron, plan: Planned) -> None:
        """Do what keeps the planned ticks."""
        app, now = self.h.app, self.h.now
        if verb == "policies":
            queues = cron.overlap is OverlapPolicy.QUEUE
            overlap = cron.overlap if queues else self.random.choice(NO_QUEUE)
            await app.update_cron(cron.id, catch_up=self.random.choice(POLICIES), overlap=overlap)
        elif verb == "trigger" and cron.overlap is OverlapPolicy.ALLOW:
            await app.trigger_cron(cron.id)
        elif verb == "skip":
            await app.skip_next_run(cron.id)
            plan.skip(await self._newest_skipped(cron.id))
        elif verb == "backfill":
            try:
                await app.backfill_cron(cron.id, now - 40 * DAY, now)
            except PreconditionFailed:
                return  # a run has not ended

    async def _newest_skipped(self, cron_id: str) -> datetime:
        requested = {"cronId": cron_id, "reason": TickReason.REQUESTED.value}
        ticks = self.h.app.engine.mongo["cronTicks"]
        found = await ticks.find_one(requested, sort=[("_id", -1)])
        assert found is not None
        tick = found["scheduledTime"]
        assert isinstance(tick, datetime)
        return tick

    async def _pause(self, cron_id: str) -> None:
        await self.h.app.pause_cron(cron_id)
        self.crons[cron_id].is_paused = True

    async def _resume(self, cron_id: str, plan: Planned) -> None:
        plan.settle(self.h.now)
        if self._ends_soon(plan):
            return
        await self.h.app.resume_cron(cron_id)
        plan.is_paused, plan.since = False, max(self.h.now, plan.since)
        if plan.is_fast:  # a few ticks only
            await self.h.advance(hours=1)
            await self._pause(cron_id)

    async def _raise_max_runs(self, cron: Cron, plan: Planned) -> None:
        plan.settle(self.h.now)
        more = cron.tick_counts.ran + self.random.randint(1, 9)
        await self.h.app.update_cron(cron.id, max_runs=more, enabled=True)
        plan.since = max(self.h.now, plan.since)

    def _ends_soon(self, plan: Planned) -> bool:
        return plan.end_at is not None and plan.end_at <= self.h.now + HOUR

    async def _delete(self, cron_id: str) -> None:
        self.crons[cron_id].settle(self.h.now)
        await self.h.app.delete_cron(cron_id)
        self.deleted.add(cron_id)

    async def clear(self) -> None:
        """Delete what is left, so that every tick is decided."""
        for cron_id in sorted(self.crons.keys() - self.deleted):
            await self._delete(cron_id)
