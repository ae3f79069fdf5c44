"""Sets of crons that a deployment declares."""

import threading
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from ostinato.jobs.errors import BadRequest, Conflict, PreconditionFailed, QuotaExceeded
from ostinato.jobs.functions import cron_sets
from ostinato.jobs.functions.cron_sets import AppliedCrons, apply_crons
from ostinato.jobs.functions.crons import pause_cron
from ostinato.jobs.functions.new_cron import NewCron, validate_cron
from ostinato.jobs.records import JobState, Schedule
from ostinato.jobs.settings import Settings
from ostinato.jobs.time_rules import DateRange, Exclusions
from tests.jobs.functions.pattern_rig import HOUR, MINUTE, PatternRig, open_rig
from tests.jobs.functions.test_crons import TICK, register


def declared(name: str, **fields: Any) -> NewCron:
    plain: dict[str, Any] = {"interval_ms": HOUR, "args": {}}
    return NewCron(name=name, **plain | fields)


async def apply(rig: PatternRig, *crons: NewCron, managed_by: str = "deploy") -> AppliedCrons:
    return await rig.run_mutation(lambda ctx: apply_crons(ctx, managed_by, crons))


def names(applied: AppliedCrons) -> tuple[list[str], list[str], list[str], int]:
    """Return the names of the created, changed and unchanged crons, and the number of deleted."""
    lists = (applied.created, applied.updated, applied.unchanged)
    created, updated, unchanged = ([cron.name for cron in each] for each in lists)
    return created, updated, unchanged, len(applied.deleted_ids)


async def test_set_is_created_changed_and_shortened(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    first = (declared("a"), declared("b"), declared("c", cronspec="@daily", interval_ms=None))
    assert names(await apply(rig, *first)) == (["a", "b", "c"], [], [], 0)
    assert names(await apply(rig, *first)) == ([], [], ["a", "b", "c"], 0)
    second = (declared("a"), declared("b", interval_ms=MINUTE), declared("d"))
    assert names(await apply(rig, *second)) == (["d"], ["b"], ["a"], 1)
    assert len(await rig.jobs(TICK, state=JobState.PENDING.value)) == 3
    assert names(await apply(rig)) == ([], [], [], 3)
    assert (await rig.all("crons"), await rig.jobs(TICK, state="pending")) == ([], [])


async def test_unchanged_cron_keeps_its_next_run_and_a_paused_one_stays_paused(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    start = await rig.engine.now() + timedelta(microseconds=7)
    numbered = declared("b", function_name="work.needsNumber", args={"number": 1})
    crons = [declared("a", start_at=start), numbered]
    created = (await apply(rig, *crons)).created
    await rig.run_mutation(lambda ctx: pause_cron(ctx, created[1].id))
    await rig.engine.advance(MINUTE)
    unchanged = (await apply(rig, *crons)).unchanged
    assert unchanged[0] == created[0]
    assert not unchanged[1].enabled
    [changed] = (await apply(rig, crons[0], replace(numbered, args={"number": 2}))).updated
    assert not changed.enabled


async def test_crons_outside_the_set_are_left_alone(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    await register(rig, name="own")
    await apply(rig, declared("a"), managed_by="other")
    await rig.run_mutation(lambda ctx: apply_crons(ctx, "deploy", [declared("a")]), "bob")
    await apply(rig, declared("b"))
    assert names(await apply(rig)) == ([], [], [], 1)
    assert len(await rig.all("crons")) == 3
    for name, whose in (("own", "registered alone"), ("a", "managed by 'other'")):
        with pytest.raises(Conflict, match=whose):
            await apply(rig, declared("new"), declared(name))
    assert len(await rig.all("crons")) == 3


async def test_malformed_cron_of_the_set_is_created_again(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    await apply(rig, declared("a"), declared("b"))
    await rig.engine.mongo["crons"].update_many({}, {"$set": {"schedule": "often"}})
    assert names(await apply(rig, declared("a"))) == (["a"], [], [], 2)


WRONG = {
    ("crons", 1, "name"): declared("a"),
    ("crons", 2, "cronspec"): declared("b", cronspec="x", interval_ms=None),
    ("crons", 3, "functionName"): declared("c", function_name="a.b"),
}


async def test_wrong_crons_are_all_reported_and_nothing_changes(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    with pytest.raises(BadRequest) as raised:
        await apply(rig, declared("a"), *WRONG.values(), managed_by="@cron")
    assert [issue.path for issue in raised.value.issues] == [("managedBy",), *WRONG]
    with pytest.raises(BadRequest, match="at most 100, got 101"):
        await apply(rig, *(declared(str(n)) for n in range(101)))
    assert await rig.all("crons") == []


async def test_errors_of_a_set_name_the_cron(rig_without_worker: PatternRig) -> None:
    rig, now = rig_without_worker, await rig_without_worker.engine.now()
    past = Exclusions(ranges=(DateRange(first=date(2025, 1, 1), last=date(2099, 12, 31)),))
    never = declared("b", exclusions=past)
    unknown = declared("b", exclusions=Exclusions(calendar="holidays"))
    for wrong, path in ((never, ()), (unknown, ("calendar",))):
        with pytest.raises(BadRequest) as raised:
            await apply(rig, declared("a"), wrong)
        assert [issue.path for issue in raised.value.issues] == [("crons", 1, "exclusions", *path)]
    with pytest.raises(PreconditionFailed, match=r"^the cron 'b': the cron has no run before"):
        await apply(rig, declared("a"), declared("b", end_at=now + timedelta(minutes=1)))


async def test_crons_of_a_set_are_checked_beside_the_event_loop(
    rig_without_worker: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def record_thread(new: NewCron) -> Schedule:
        threads.append(threading.current_thread().name)
        return validate_cron(new)

    monkeypatch.setattr(cron_sets, "validate_cron", record_thread)
    await apply(rig_without_worker, *(declared(str(n)) for n in range(3)))
    assert [name.rpartition("_")[0] for name in threads] == ["cpu"] * 3


async def test_set_needs_only_the_room_that_is_left_after_it(pattern_settings: Settings) -> None:
    limited = pattern_settings.model_copy(update={"quota_crons": 2})
    async with open_rig(limited) as rig:
        await apply(rig, declared("a"), declared("b"))
        assert names(await apply(rig, declared("c"), declared("d"))) == (["c", "d"], [], [], 2)
        with pytest.raises(QuotaExceeded):
            await apply(rig, declared("c"), declared("d"), declared("e"))
