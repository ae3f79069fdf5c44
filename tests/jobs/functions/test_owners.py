"""Owners: suspending and resuming one, and purging what belongs to one."""

from collections.abc import Awaitable, Callable, Hashable
from datetime import timedelta
from functools import partial

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.alerts import Condition
from ostinato.jobs.async_tools import cpu_thread
from ostinato.jobs.async_tools.cpu_thread import run_in_cpu_thread
from ostinato.jobs.bulk_actions import BulkActionKind
from ostinato.jobs.context import Context
from ostinato.jobs.errors import OwnerSuspended, PreconditionFailed
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.functions import first_ticks, owners
from ostinato.jobs.functions.batch import NewBatch, add_items, start_batch
from ostinato.jobs.functions.bulk_actions import NewBulkAction, start_bulk_action
from ostinato.jobs.functions.cron_runs import trigger_cron
from ostinato.jobs.functions.crons import resume_cron
from ostinato.jobs.functions.owners import (
    PURGED,
    PURGED_WITH_EVENT,
    pause_schedules,
    purge_delay_ms,
    request_purge,
    resume,
    suspend,
)
from ostinato.jobs.functions.requests import create_with_timeout
from ostinato.jobs.functions.tasks import start_task
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.collections import COLLECTIONS as SPECIFIED
from ostinato.jobs.records import JobState, PauseReason
from ostinato.jobs.rights import MAX_SUSPENDED, SUSPENSION_TTL_S, Owner
from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import ALICE, MINUTE, PatternRig, open_rig
from tests.jobs.functions.test_crons import register
from tests.jobs.functions.work import gate
from tests.processes import eventually

pytestmark = pytest.mark.audit("suspension and purge")

RUN = "tasks.runTask"
COLLECTIONS = ("jobs", *PURGED_WITH_EVENT, *PURGED)


async def suspend_alice(rig: PatternRig) -> Owner:
    owner = await rig.run_mutation(lambda ctx: suspend(ctx, "root", "spam"))
    await rig.wait_until_settled()
    return owner


async def start_loop(rig: PatternRig, owner: str = ALICE) -> None:
    await rig.run_mutation(
        lambda ctx: start_task(
            ctx, task_id="loop", interval_ms=MINUTE, function_name=RUN, args={"name": "x"}
        ),
        owner,
    )


async def purge_alice(rig: PatternRig) -> None:
    await rig.run_mutation(lambda ctx: request_purge(ctx, ALICE), None)


async def count(rig: PatternRig, owner: str) -> dict[str, int]:
    """Return the number of an owner's documents in each collection that has any."""
    numbers = {name: len(await rig.all(name, owner=owner)) for name in COLLECTIONS}
    return {name: number for name, number in numbers.items() if number}


async def test_suspension_pauses_the_crons_and_tasks_of_one_owner(rig: PatternRig) -> None:
    for owner in (ALICE, "bob"):
        await register(rig, owner)
        await start_loop(rig, owner)
    await rig.wait_until_settled()
    owner_record = await suspend_alice(rig)
    assert (owner_record.suspended_by, owner_record.suspension_reason) == ("root", "spam")
    for name in ("crons", "taskConfigs"):
        found = {one["owner"]: one for one in await rig.all(name)}
        assert found[ALICE]["pausedBecause"] == PauseReason.OWNER_SUSPENDED
        assert (found[ALICE]["enabled"], found["bob"]["enabled"]) == (False, True)
    await rig.advance(MINUTE)
    assert len(await rig.jobs(RUN, owner=ALICE)) == 1
    assert len(await rig.jobs(RUN, owner="bob")) == 3


async def test_resuming_an_owner_resumes_what_the_suspension_paused(rig: PatternRig) -> None:
    cron, other = await register(rig), await register(rig, name="other")
    await start_loop(rig)
    await rig.engine.mongo["crons"].update_one({"_id": other.id}, {"$set": {"enabled": False}})
    await suspend_alice(rig)
    assert not (await rig.run_mutation(resume)).is_suspended
    await rig.wait_until_settled()
    stored = await rig.find_one("crons", _id=cron.id)
    assert (stored["enabled"], stored["pausedBecause"]) == (True, None)
    assert (await rig.find_one("taskConfigs"))["enabled"]
    assert not (await rig.find_one("crons", _id=other.id))["enabled"]
    before = len(await rig.jobs(RUN))
    await rig.advance(MINUTE)
    assert len(await rig.jobs(RUN)) == before + 2


async def test_more_crons_than_one_slice_are_paused_and_resumed(
    rig: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "SLICE", 5)
    number = 2 * owners.SLICE + 1
    for n in range(number):
        await register(rig, name=f"cron {n}")
    await suspend_alice(rig)
    assert len(await rig.all("crons", pausedBecause="ownerSuspended")) == number
    await rig.run_mutation(resume)
    await rig.wait_until_settled()
    assert len(await rig.all("crons", enabled=True, pausedBecause=None)) == number


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[Hashable]:
    """Return the users who have had a turn of the thread."""
    users: list[Hashable] = []

    async def record_turn(user: Hashable, compute: Callable[[], object]) -> object:
        users.append(user)
        return await run_in_cpu_thread(user, compute)

    monkeypatch.setattr(cpu_thread, "run_in_cpu_thread", record_turn)
    monkeypatch.setattr(first_ticks, "run_in_cpu_thread", record_turn)
    return users


async def test_ticks_of_resumed_crons_are_computed_in_one_turn_of_the_thread(
    rig: PatternRig, turns: list[Hashable]
) -> None:
    for hour in range(12):
        await register(rig, name=f"at {hour}", cronspec=f"0 {hour} * * *", tz="Asia/Tokyo")
    await suspend_alice(rig)
    turns.clear()
    await rig.run_mutation(resume)
    await rig.wait_until_settled()
    resumed = await rig.all("crons", enabled=True)
    assert [(one["nextRunTime"].hour + 9) % 24 for one in resumed] == list(range(12))
    assert turns == [ALICE]


async def test_a_malformed_cron_does_not_stop_the_suspension(rig: PatternRig) -> None:
    broken, sound = await register(rig, name="broken"), await register(rig, name="sound")
    damage = {"schedule": 1, "queuedTicks": "none"}
    await rig.engine.mongo["crons"].update_one({"_id": broken.id}, {"$set": damage})
    await suspend_alice(rig)
    assert await rig.all("crons", enabled=True) == []
    await rig.run_mutation(resume)
    with capture_logs() as logs:
        await rig.wait_until_settled()
    assert [one["_id"] for one in await rig.all("crons", enabled=True)] == [sound.id]
    assert await rig.all("crons", pausedBecause="ownerSuspended") == []
    assert "schedule.not_resumed" in [line["event"] for line in logs]


async def test_tick_between_the_suspension_and_the_pause_starts_nothing(rig: PatternRig) -> None:
    cron = await register(rig)
    update = {"$set": {"suspendedAt": await rig.engine.now()}}
    await rig.engine.mongo["owners"].update_one({"_id": ALICE}, update, upsert=True)
    await rig.advance(MINUTE)
    assert await rig.jobs(RUN) == []
    assert (await rig.find_one("crons", _id=cron.id))["pausedBecause"] == "ownerSuspended"
    with pytest.raises(OwnerSuspended, match="the user 'alice' is suspended"):
        await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))


async def test_jobs_that_were_accepted_before_the_suspension_run(rig: PatternRig) -> None:
    job = await rig.schedule(RUN, {"name": "x"}, delay_ms=MINUTE)
    await suspend_alice(rig)
    await rig.advance(MINUTE)
    assert (await rig.find_one("jobs", _id=job))["state"] == JobState.SUCCESS


async def test_a_stale_step_of_a_suspension_changes_nothing(rig: PatternRig) -> None:
    await register(rig)
    await rig.run_mutation(pause_schedules)
    assert len(await rig.all("crons", enabled=True)) == 1


def test_purge_covers_the_collections_whose_documents_have_an_owner() -> None:
    """The description of each collection says what deletes its documents."""
    described = {spec.name for spec in SPECIFIED if "owners.purge" in spec.deleted_by}
    assert described == set(COLLECTIONS)


async def test_purge_deletes_everything_of_one_owner(rig: PatternRig) -> None:
    for owner in (ALICE, "bob"):
        await fill(rig, owner)
    await rig.wait_until_settled()
    for owner in (ALICE, "bob"):
        await eventually(partial(rig.all, "jobLogs", owner=owner))
    bobs = await count(rig, "bob")
    assert set(bobs) == set(COLLECTIONS) == set(await count(rig, ALICE))
    await suspend_alice(rig)
    await purge_alice(rig)
    await rig.advance(purge_delay_ms(rig.engine.settings))
    assert await count(rig, ALICE) == {}
    assert await count(rig, "bob") == bobs
    assert (await rig.find_one("owners", _id=ALICE))["purgedAt"] is not None


async def test_purge_starts_after_requests_that_another_process_accepted_have_ended(
    pattern_settings: Settings,
) -> None:
    timeout_ms = 40_000
    changes = {"request_timeout_ms": timeout_ms}
    async with open_rig(pattern_settings.model_copy(update=changes)) as rig:
        await rig.run_mutation(lambda ctx: suspend(ctx, "root", None))
        requested_at = await rig.engine.now()
        await purge_alice(rig)
        (step,) = await rig.jobs("owners.purge")
    latest_end = timedelta(milliseconds=timeout_ms, seconds=SUSPENSION_TTL_S)
    assert step.scheduled_time - requested_at > latest_end


async def test_suspensions_beyond_the_limit_are_rejected(
    rig_without_worker: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_without_worker
    monkeypatch.setattr(owners, "MAX_SUSPENDED", 1)
    await rig.run_mutation(lambda ctx: suspend(ctx, "root", "spam"), ALICE)
    again = await rig.run_mutation(lambda ctx: suspend(ctx, "root", "fraud"), ALICE)
    assert again.suspension_reason == "fraud"
    with pytest.raises(PreconditionFailed, match="users are suspended, the maximum"):
        await rig.run_mutation(lambda ctx: suspend(ctx, "root", "spam"), "bob")
    await rig.run_mutation(resume, ALICE)
    await rig.run_mutation(lambda ctx: suspend(ctx, "root", "spam"), "bob")


async def test_oldest_of_many_suspensions_is_in_effect(rig_without_worker: PatternRig) -> None:
    now = await rig_without_worker.engine.now()
    suspended = [
        {"_id": f"user {n}", "suspendedAt": now + timedelta(seconds=n)}
        for n in range(MAX_SUSPENDED + 1)
    ]
    await rig_without_worker.engine.mongo["owners"].insert_many(suspended)
    with pytest.raises(OwnerSuspended):
        await rig_without_worker.engine.owners.require_active("user 0")


ALL = NewBulkAction(
    kind=BulkActionKind.CANCEL_JOBS, which=JobFilter(key="none"), target_owner="nobody", total=None
)


async def fill(rig: PatternRig, owner: str) -> None:
    """Create an object of each kind, a failed job, and a job with a log."""
    late = {"_id": new_id(), "name": "late", "owner": owner, "nextRunTime": await rig.engine.now()}
    await rig.engine.alerts.open(Condition.cron_late(late))
    cron = await register(rig, owner)
    bodies: tuple[Callable[[Context], Awaitable[object]], ...] = (
        partial(add_items, items=[1, 2]),
        partial(start_batch, new=NewBatch(source="items", batch_size=10, delay_ms=0)),
        partial(create_with_timeout, data=1, timeout_ms=MINUTE * 60),
        lambda ctx: ctx.scheduler.run_after(0, "work.breakDown", {}),
        partial(trigger_cron, cron_id=cron.id),
        partial(start_bulk_action, new=ALL),
    )
    await start_loop(rig, owner)
    for body in bodies:
        await rig.run_mutation(body, owner)


async def test_purge_cancels_running_jobs_and_waits_for_them(rig: PatternRig) -> None:
    job = await rig.schedule("work.waitAtGate", {})
    await gate.reached.wait()
    await rig.run_mutation(lambda ctx: suspend(ctx, "root", None))
    await purge_alice(rig)
    await rig.engine.advance(purge_delay_ms(rig.engine.settings))

    async def is_canceled() -> bool:
        found = await rig.engine.mongo["jobs"].find_one({"_id": job})
        return found is None or found["state"] == JobState.CANCELED

    await eventually(is_canceled)
    await eventually(partial(_is_purged, rig))
    assert await count(rig, ALICE) == {}


async def test_a_role_that_was_lost_stays_lost_after_a_purge(rig: PatternRig) -> None:
    tokens = {"old": frozenset({"auditor"}), "new": frozenset[str]()}
    issued = await rig.engine.now()
    await rig.engine.owners.record_roles(ALICE, tokens["old"], issued)
    await rig.engine.owners.record_roles(ALICE, tokens["new"], issued + timedelta(seconds=1))
    await suspend_alice(rig)
    await purge_alice(rig)
    await rig.advance(purge_delay_ms(rig.engine.settings))
    await rig.run_mutation(resume)
    await rig.engine.owners.record_roles(ALICE, tokens["new"], issued + timedelta(seconds=1))
    await rig.engine.owners.record_roles(ALICE, tokens["old"], issued)
    assert (await rig.engine.owners.find(ALICE)).roles == frozenset()
    await register(rig, function_name="work.reconcile")
    await rig.advance(MINUTE)
    assert await rig.jobs("work.reconcile") == []


async def _is_purged(rig: PatternRig) -> bool:
    await rig.engine.advance(1_000)
    return bool(await rig.all("owners", purgedAt={"$type": "date"}))


async def test_purge_can_be_repeated_and_ends_before_the_owner_resumes(rig: PatternRig) -> None:
    await register(rig)
    with pytest.raises(PreconditionFailed, match="'alice' is not suspended"):
        await purge_alice(rig)
    await suspend_alice(rig)
    for _ in range(2):
        await purge_alice(rig)
        with pytest.raises(PreconditionFailed, match="'alice' is being purged"):
            await rig.run_mutation(resume)
        await rig.advance(purge_delay_ms(rig.engine.settings))
    assert not (await rig.run_mutation(resume)).is_suspended
    assert await rig.all("crons") == []
