"""Previews of changes of crons: the difference equals what then runs under a moved clock."""

import random
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ostinato.jobs.cron_preview import MAX_LISTED, RunChanges
from ostinato.jobs.due_ticks import Timetable
from ostinato.jobs.errors import OstinatoError
from ostinato.jobs.functions.cron_changes import update_cron
from ostinato.jobs.functions.cron_patch import CronPatch
from ostinato.jobs.functions.cron_previews import PlannedChange, plan_change
from ostinato.jobs.records import (
    CatchUpPolicy,
    Cron,
    CronSchedule,
    IntervalSchedule,
    OverlapPolicy,
    Schedule,
)
from ostinato.testing import Harness

HOUR_MS = 3_600_000
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2035, 3, 20, 10, 30, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York")


def cron_of(schedule: Schedule, **fields: Any) -> Cron:
    plain: dict[str, Any] = {
        "id": "0" * 24, "name": "n", "function_name": "tasks.runTask", "args": {"name": "n"},
        "owner": None, "enabled": True, "overlap": OverlapPolicy.ALLOW,
        "catch_up": CatchUpPolicy.LATEST, "version": 1,
        "next_run_time": Timetable(schedule=schedule).next_tick(NOW),
    }  # fmt: skip
    return Cron(**plain | {"schedule": schedule} | fields)


def difference(
    before: Cron, after: Cron, *, moves_ticks: bool = True, days: float = 30
) -> RunChanges:
    change = PlannedChange(
        before=before, undecided=None, after=after, moves_ticks=moves_ticks, now=NOW
    )
    return deque(change.compare(days * DAY), 1).pop()


def minutes(*given: int) -> list[datetime]:
    return [NOW + timedelta(minutes=each) for each in given]


def test_runs_next_to_each_other_are_moved() -> None:
    nine, ten = CronSchedule(cronspec="0 9 * * *"), CronSchedule(cronspec="0 10 * * *")
    found = difference(cron_of(nine), cron_of(ten), days=3)
    assert (found.moved_count, found.added_count, found.removed_count) == (3, 0, 0)
    assert {move.after.tick - move.before.tick for move in found.moved} == {HOUR}


def test_runs_between_unchanged_ones_are_added_and_removed() -> None:
    half, hour = IntervalSchedule(ms=HOUR_MS // 2), IntervalSchedule(ms=HOUR_MS)
    often, rarely = cron_of(half), cron_of(hour)
    more = difference(rarely, often, days=1 / 8)
    assert ([run.tick for run in more.added], more.unchanged_count) == (minutes(30, 90, 150), 2)
    fewer = difference(often, rarely, days=1 / 8)
    assert [run.tick for run in fewer.removed] == minutes(30, 90, 150)


def test_pause_removes_every_run_and_resuming_adds_them() -> None:
    hourly = cron_of(IntervalSchedule(ms=HOUR_MS))
    paused = cron_of(IntervalSchedule(ms=HOUR_MS), enabled=False)
    assert difference(hourly, paused, days=1).removed_count == 23
    assert difference(paused, hourly, days=1).added_count == 23
    assert difference(paused, paused, days=1).unchanged_count == 0


def test_lists_and_the_period_are_limited_and_say_so() -> None:
    minutely, other = CronSchedule(cronspec="* * * * *"), CronSchedule(cronspec="30 * * * * *")
    found = difference(cron_of(minutely), cron_of(other))
    assert (found.moved_count, len(found.moved)) == (30 * 24 * 60 - 1, MAX_LISTED)
    assert (found.until, found.truncated) == (NOW + 30 * DAY, True)
    secondly = CronSchedule(cronspec="* * * * * *")
    cut = difference(cron_of(minutely), cron_of(secondly))
    assert (cut.until < NOW + 30 * DAY, cut.truncated) == (True, True)
    assert not difference(cron_of(minutely), cron_of(minutely)).truncated


def test_month_of_minutes_is_compared_fast() -> None:
    minutely, other = CronSchedule(cronspec="* * * * *"), CronSchedule(cronspec="30 * * * * *")
    began = time.thread_time()
    difference(cron_of(minutely), cron_of(other))
    elapsed_s = time.thread_time() - began
    print(f"compared in {elapsed_s * 1000:.0f} ms")
    assert elapsed_s < 2  # 0.15 to 0.2 s without other tests


class Edits:
    """Random crons and changes of them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def schedule(self) -> dict[str, Any]:
        draw = self._random
        if draw.random() < 0.4:
            return {"interval_ms": draw.choice((6, 7, 12, 24, 50)) * HOUR_MS}
        minute, hour = draw.choice((0, 10, 30)), draw.choice((0, 1, 2, 3, 12, "2,14", "*/8"))
        day = draw.choice(("* * *", "* * 0", "24-26 * *", "* * 1-5"))
        return {"cronspec": f"{minute} {hour} {day}", "tz": draw.choice(ZONES)}

    def definition(self) -> dict[str, Any]:
        draw = self._random
        jitter_ms = draw.choice((0, 0, 2 * HOUR_MS))
        start_at = draw.choice((None, None, NOW - 3 * HOUR, NOW + 3 * DAY))
        return {**self.schedule(), "jitter_ms": jitter_ms, "start_at": start_at}

    def patch(self) -> CronPatch:
        draw = self._random
        changes: dict[str, Any] = {
            "jitter_ms": draw.choice((0, HOUR_MS)),
            "start_at": draw.choice((None, NOW - HOUR, NOW + 2 * DAY)),
            "end_at": NOW + draw.choice((4, 6)) * DAY,
            "max_runs": draw.choice((3, 10)),
            "enabled": draw.random() < 0.7,
            "args": {"name": "other"},
        }
        chosen = draw.sample(sorted(changes), draw.choice((0, 1, 1, 2)))
        given = {name: changes[name] for name in chosen}
        is_moved = draw.random() < 0.6
        return {**given, **(self.schedule() if is_moved else {})}  # type: ignore[typeddict-item]


class Trial:
    """A cron that is changed, and an equal one that is not."""

    def __init__(self, h: Harness, changed: Cron, kept: Cron) -> None:
        self._h = h
        self._changed, self._kept = changed, kept
        self._expected: RunChanges | None = None
        self.patch: CronPatch = {}

    async def change(self, patch: CronPatch, period: timedelta) -> bool:
        """Preview a change and make it; return whether it is possible."""
        self.patch = patch
        transact = self._h.app.engine.transact
        cron_id = self._changed.id
        try:
            plan = await transact(None, lambda ctx: plan_change(ctx, cron_id, patch))
            self._expected = deque(plan.compare(period), 1).pop()
        except OstinatoError as error:
            with pytest.raises(type(error)):
                await transact(None, lambda ctx: update_cron(ctx, cron_id, patch))
            return False
        await transact(None, lambda ctx: update_cron(ctx, cron_id, patch))
        return True

    async def check(self) -> None:
        """Require that the changed cron ran as the other one, but for the expected changes."""
        expected = self._expected
        assert expected is not None
        assert not expected.truncated
        kept, changed = await self._runs(self._kept), await self._runs(self._changed)
        removed = [*expected.removed, *(move.before for move in expected.moved)]
        added = [*expected.added, *(move.after for move in expected.moved)]
        assert {run.tick for run in removed} <= set(kept), self.patch
        ticks = (set(kept) - {run.tick for run in removed}) | {run.tick for run in added}
        assert sorted(changed) == sorted(ticks), self.patch
        assert expected.unchanged_count == len(kept) - len(removed), self.patch
        assert {run.tick: run.starts_at for run in added}.items() <= changed.items(), self.patch

    async def _runs(self, cron: Cron) -> dict[datetime, datetime]:
        """Return when the ticks after the change ran, as the jobs say."""
        mongo = self._h.app.engine.mongo
        where = {"cronId": cron.id, "outcome": "ran"}
        records = await mongo["cronTicks"].find(where).to_list(None)
        jobs = (
            await mongo["jobs"].find({"_id": {"$in": [r["jobId"] for r in records]}}).to_list(None)
        )
        starts = {job["_id"]: job["scheduledTime"] for job in jobs if job["state"] == "success"}
        found = {r["scheduledTime"]: starts[r["jobId"]] for r in records}
        return {
            tick: start for tick, start in found.items() if start > NOW and tick < NOW + 8 * DAY
        }


async def run_trials(h: Harness, count: int, seed: int) -> None:
    """Change crons in random ways, run them for eight days, and compare."""
    edits, trials = Edits(seed), []
    for n in range(count):
        given = edits.definition() | {"overlap": OverlapPolicy.ALLOW}
        is_paused = n % 7 == 0
        crons = [await _register(h, f"{n} {name}", given, is_paused) for name in "ab"]
        trials.append(Trial(h, *crons))
    await h.advance(NOW)
    changed = [each for each in trials if await each.change(edits.patch(), 8 * DAY)]
    await h.advance(8 * DAY + 3 * HOUR)  # the last runs may be delayed
    for each in changed:
        await each.check()
    print(f"{len(changed)} of {count} changes were possible, and ran as previewed")
    assert len(changed) > count * 0.8


async def _register(h: Harness, name: str, given: dict[str, Any], is_paused: bool) -> Cron:
    options = {
        key: value for key, value in given.items() if key not in ("interval_ms", "jitter_ms")
    }
    if "interval_ms" in given:
        options["every"] = timedelta(milliseconds=given["interval_ms"])
    options["jitter"] = timedelta(milliseconds=given["jitter_ms"])
    cron = await h.app.register_cron(name, **options)
    return await h.app.pause_cron(cron.id) if is_paused else cron


START = NOW - DAY


@pytest.mark.ostinato(concurrency=50, start=START)
async def test_difference_of_random_changes_equals_what_runs(ostinato: Harness) -> None:
    await run_trials(ostinato, count=12, seed=1)


@pytest.mark.slow
@pytest.mark.ostinato(concurrency=50, start=START)
@pytest.mark.parametrize("seed", range(2, 7))
async def test_difference_of_500_random_changes_equals_what_runs(
    ostinato: Harness, seed: int
) -> None:
    await run_trials(ostinato, count=100, seed=seed)
