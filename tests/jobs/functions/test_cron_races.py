"""Changes of a cron race its ticks, its pause and its runs, beside other load."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import TickOutcome, cron_tick_from, tick_counts_from
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.functions.cron_changes import skip_next_run, update_cron
from ostinato.jobs.functions.cron_runs import TickPeriod, backfill_cron, trigger_cron
from ostinato.jobs.functions.crons import delete_cron, execute_cron, pause_cron, resume_cron
from ostinato.jobs.records import CatchUpPolicy, Cron, JobState, OverlapPolicy
from ostinato.jobs.time_rules import Exclusions, Weekday
from tests.jobs.functions.pattern_rig import HOUR, MINUTE, PatternRig
from tests.jobs.functions.test_cron_changes import RUN
from tests.jobs.functions.test_crons import TICK, register

Verb = Callable[[Context], Awaitable[object]]


def verbs_of(cron: Cron, started: datetime, draw: random.Random) -> list[Verb]:
    """Return calls for one moment, in random order; two triggers and two backfills are repeats."""
    cron_id, key = cron.id, f"{draw.random()}"
    past = TickPeriod(started, started + timedelta(hours=3))
    verbs: list[Verb] = [
        lambda ctx: execute_cron(ctx, cron_id),
        lambda ctx: execute_cron(ctx, cron_id),
        lambda ctx: update_cron(ctx, cron_id, {"interval_ms": draw.choice((1, 2, 5)) * MINUTE}),
        lambda ctx: update_cron(ctx, cron_id, {"args": {"name": key}}),
        lambda ctx: trigger_cron(ctx, cron_id, key),
        lambda ctx: trigger_cron(ctx, cron_id, key),
        lambda ctx: skip_next_run(ctx, cron_id),
        lambda ctx: backfill_cron(ctx, cron_id, past),
        lambda ctx: backfill_cron(ctx, cron_id, past),
        lambda ctx: pause_cron(ctx, cron_id),
        lambda ctx: resume_cron(ctx, cron_id),
    ]
    return draw.sample(verbs, 6)


async def call(rig: PatternRig, verb: Verb) -> None:
    """Run a verb; one that its state does not allow is refused."""
    try:
        await rig.run_mutation(verb)
    except PreconditionFailed:
        return


async def race(rig: PatternRig, seed: int) -> None:
    """Let verbs race for some moments, and check the ledger, the runs and the pending tick."""
    draw = random.Random(seed)
    cron = await register(
        rig, name=f"c{seed}", overlap=OverlapPolicy.ALLOW, catch_up=CatchUpPolicy.ALL
    )
    started = cron.next_run_time - timedelta(minutes=1)
    for _ in range(4):
        await rig.engine.advance(draw.choice((20, 60, 130)) * 1_000)
        await asyncio.gather(*(call(rig, verb) for verb in verbs_of(cron, started, draw)))
    await check(rig, cron.id)


async def check(rig: PatternRig, cron_id: str) -> None:
    """Require that no tick is lost or doubled, and that an enabled cron has one tick job."""
    stored = await rig.find_one("crons", _id=cron_id)
    records = [cron_tick_from(one) for one in await rig.all("cronTicks", cronId=cron_id)]
    ran = [record for record in records if record.outcome is TickOutcome.RAN]
    of_ticks = Counter(r.scheduled_time for r in ran if r.origin != "trigger")
    assert set(of_ticks.values()) <= {1}, of_ticks
    jobs = {job.id for job in await rig.jobs(RUN, **{"cause.id": cron_id})}
    assert jobs == {record.job_id for record in ran}
    assert len(jobs) == len(ran)
    planned = sum(record.tick_count for record in records if record.origin == "schedule")
    assert tick_counts_from(stored).planned == planned
    pending = await rig.jobs(TICK, **{"cause.id": cron_id, "state": JobState.PENDING.value})
    assert [job.id for job in pending] == ([stored["schedulerJobId"]] if stored["enabled"] else [])


class SteppingClock:
    """A clock that moves on with each reading. That of some hosts is behind, by `lag_ms`."""

    def __init__(self, at: datetime, draw: random.Random) -> None:
        self._at = at
        self._draw = draw
        self.lag_ms = 0

    async def now(self) -> datetime:
        self._at += timedelta(milliseconds=self._draw.randint(0, 900))
        return self._at - timedelta(milliseconds=self.lag_ms)


def changes_of(cron_id: str) -> list[Verb]:
    """Return calls that keep a tick each second planned."""
    excluded = Exclusions(weekdays=(Weekday.MONDAY, Weekday.SUNDAY))
    return [
        lambda ctx: pause_cron(ctx, cron_id),
        lambda ctx: resume_cron(ctx, cron_id),
        lambda ctx: resume_cron(ctx, cron_id),
        lambda ctx: execute_cron(ctx, cron_id),
        lambda ctx: update_cron(ctx, cron_id, {"exclusions": excluded}),
        lambda ctx: update_cron(ctx, cron_id, {"exclusions": Exclusions()}),
        lambda ctx: update_cron(ctx, cron_id, {"exclusions": Exclusions(), "enabled": True}),
        lambda ctx: skip_next_run(ctx, cron_id),
    ]


async def require_each_second(rig: PatternRig, cron: Cron) -> None:
    """Require one outcome for each second from the first tick of the cron."""
    records = [cron_tick_from(one) for one in await rig.all("cronTicks", cronId=cron.id)]
    ends = Counter(at for tick in records for at in {tick.scheduled_time, tick.last_scheduled_time})
    assert set(ends.values()) == {1}, ends
    seconds = (max(ends) - cron.next_run_time) // timedelta(seconds=1) + 1
    assert sum(tick.tick_count for tick in records) == seconds


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("lags_ms", [(0,), (0, 300, 2_500)], ids=["one-host", "three-hosts"])
async def test_clocks_that_move_on_during_changes_lose_and_double_no_tick(
    rig_without_worker: PatternRig,
    monkeypatch: pytest.MonkeyPatch,
    lags_ms: tuple[int, ...],
    seed: int,
) -> None:
    rig, draw = rig_without_worker, random.Random(seed)
    cron = await register(rig, cronspec="* * * * * *", overlap=OverlapPolicy.ALLOW)
    stepping = SteppingClock(await rig.engine.now(), draw)
    monkeypatch.setattr(type(rig.engine.clock), "now", lambda self: stepping.now())
    for _ in range(40):
        stepping.lag_ms = draw.choice(lags_ms)
        await call(rig, draw.choice(changes_of(cron.id)))
    await rig.run_mutation(lambda ctx: delete_cron(ctx, cron.id))
    await require_each_second(rig, cron)


async def load(rig: PatternRig, done: asyncio.Event) -> None:
    """Schedule and change other things until the races are over."""
    other = await register(rig, name="other", interval_ms=HOUR)
    while not done.is_set():
        await rig.schedule(RUN, {"name": "load"}, delay_ms=HOUR)
        await call(rig, lambda ctx: trigger_cron(ctx, other.id))


async def run_races(rig: PatternRig, seeds: range) -> None:
    done = asyncio.Event()
    background = asyncio.create_task(load(rig, done))
    try:
        for seed in seeds:
            await race(rig, seed)
    finally:
        done.set()
        await background


async def test_racing_verbs_lose_and_double_no_tick(rig_without_worker: PatternRig) -> None:
    await run_races(rig_without_worker, range(5))


@pytest.mark.slow
async def test_fifty_races_lose_and_double_no_tick(rig_without_worker: PatternRig) -> None:
    await run_races(rig_without_worker, range(100, 150))
