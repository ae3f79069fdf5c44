"""Changes to stored crons: their definitions, and the tick that runs next."""

from collections.abc import Awaitable, Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import TickOutcome, TickReason
from ostinato.jobs.due_ticks import Timetable
from ostinato.jobs.errors import (
    BadRequest,
    Conflict,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    VersionConflict,
)
from ostinato.jobs.functions.cron_changes import skip_next_run, update_cron
from ostinato.jobs.functions.cron_patch import CronPatch
from ostinato.jobs.functions.cron_runs import trigger_cron
from ostinato.jobs.functions.crons import delete_cron, execute_cron, pause_cron, resume_cron
from ostinato.jobs.functions.job_chain import TICK_HORIZON
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.records import CatchUpPolicy, Cron, IntervalSchedule, JobState, OverlapPolicy
from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import HOUR, MINUTE, SECOND, PatternRig, open_rig
from tests.jobs.functions.test_cron_ledger import outcomes
from tests.jobs.functions.test_cron_ticks import have_run
from tests.jobs.functions.test_crons import TICK, register
from tests.jobs.functions.work import gate
from tests.processes import eventually

RUN = "tasks.runTask"


async def update(
    rig: PatternRig, cron_id: str, patch: CronPatch, version: int | None = None
) -> Cron:
    return await rig.run_mutation(lambda ctx: update_cron(ctx, cron_id, patch, version))


async def only_pending_tick(rig: PatternRig, cron: Cron) -> None:
    """Require that the cron's one pending tick job is due at its next run, or in four years."""
    [tick] = await rig.jobs(TICK, state=JobState.PENDING.value)
    assert tick.id == cron.scheduler_job_id
    if cron.next_run_time < await rig.engine.now() + TICK_HORIZON:
        assert tick.scheduled_time == Timetable.of(cron).start_of(cron.next_run_time)


LATER = datetime(2099, 1, 1, tzinfo=UTC)
PATCHES: list[tuple[CronPatch, set[str]]] = [
    ({"name": "tea"}, {"name", "args"}),
    ({"overlap": OverlapPolicy.ALLOW, "jitter_ms": 7}, {"overlap", "jitter_ms"}),
    ({"catch_up": CatchUpPolicy.ALL, "tags": ("a", "b")}, {"catch_up", "tags"}),
    ({"end_at": LATER}, {"end_at"}),
    ({"end_at": None}, {"end_at"}),
    (
        {"function_name": "work.waitAtGate", "args": {"name": "x"}},
        {"function_name", "args"},
    ),
    ({"start_at": LATER}, {"start_at"}),
    (
        {"start_at": None, "cronspec": "0 3 * * *", "tz": "Asia/Tokyo"},
        {"start_at", "schedule"},
    ),
    ({"tz": "Europe/Berlin"}, {"schedule"}),
    ({"interval_ms": HOUR}, {"schedule"}),
    ({"max_runs": 9, "catch_up_window_ms": HOUR}, {"max_runs", "catch_up_window_ms"}),
    ({"pause_after_failures": 3, "max_runs": None}, {"pause_after_failures", "max_runs"}),
    ({"args": {"name": "y"}, "enabled": False}, {"args", "enabled"}),
    ({"enabled": True}, {"enabled"}),
]
"""Changes in sequence, each with the fields that it changes."""


async def test_each_field_of_a_cron_is_changed_and_the_others_are_kept(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(rig_without_worker, jitter_ms=5)
    for patch, names in PATCHES:
        before, cron = cron, await update(rig_without_worker, cron.id, patch)
        assert cron.version > before.version
        changed = {key for key in Cron.__slots__ if getattr(cron, key) != getattr(before, key)}
        assert changed - {"version", "next_run_time", "scheduler_job_id"} == names
        if cron.enabled:
            await only_pending_tick(rig_without_worker, cron)
        assert await update(rig_without_worker, cron.id, patch) == cron  # nothing to change
    assert cron.schedule == IntervalSchedule(ms=HOUR, tz="Europe/Berlin")


async def test_argument_name_of_the_default_function_follows_the_name(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    assert (await update(rig, cron.id, {"name": "tea"})).args == {"name": "tea"}
    assert (await update(rig, cron.id, {"args": {"name": "mine"}})).args == {"name": "mine"}
    assert (await update(rig, cron.id, {"name": "cake"})).args == {"name": "mine"}


async def test_new_interval_counts_from_the_last_planned_tick(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig, interval_ms=HOUR)
    anchor = cron.next_run_time - timedelta(hours=1)
    for minutes, patch, expected in (
        (30, {"interval_ms": 10 * MINUTE}, 40),
        (0, {"interval_ms": 7 * MINUTE}, 37),  # 30 + 7: the tick before 40 was at 30
        (1, {"interval_ms": 2 * HOUR}, 150),
        (0, {"args": {"name": "n"}}, 150),
    ):
        await rig.engine.advance(minutes * MINUTE)
        cron = await update(rig, cron.id, patch)  # type: ignore[arg-type]
        assert cron.next_run_time == anchor + timedelta(minutes=expected)
        await only_pending_tick(rig, cron)
    cron = await update(rig, cron.id, {"start_at": anchor})
    assert cron.next_run_time == anchor + timedelta(hours=2)


async def test_due_tick_runs_by_the_old_definition_before_a_change(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    await rig.engine.advance(MINUTE)
    changed = await update(rig, cron.id, {"interval_ms": HOUR, "args": {"name": "new"}})
    [run] = await rig.jobs(RUN)
    assert (run.scheduled_time, run.args) == (cron.next_run_time, {"name": "cleanup"})
    assert changed.next_run_time == cron.next_run_time + timedelta(hours=1)
    await only_pending_tick(rig, changed)
    await rig.run_mutation(lambda ctx: execute_cron(ctx, cron.id))
    assert len(await rig.jobs(RUN)) == 1


async def test_new_schedule_of_a_paused_cron_counts_for_its_later_ticks(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    await rig.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    await rig.engine.advance(2 * MINUTE)
    changed = await update(rig, cron.id, {"interval_ms": HOUR})
    assert (changed.enabled, await rig.jobs(TICK, state="pending")) == (False, [])
    await rig.engine.advance(2 * HOUR)
    resumed = await update(rig, cron.id, {"enabled": True})
    await only_pending_tick(rig, resumed)
    paused = (TickOutcome.SKIPPED, TickReason.PAUSED, 2)
    assert await outcomes(rig, cron) == [paused, paused]


@pytest.mark.usefixtures("_open_gate")
async def test_queued_ticks_run_after_the_overlap_policy_has_changed(rig: PatternRig) -> None:
    cron = await register(rig, function_name="work.waitAtGate", overlap=OverlapPolicy.QUEUE)
    for _ in range(2):
        await rig.engine.advance(MINUTE)
        await rig.run_mutation(lambda ctx: execute_cron(ctx, cron.id))
    await update(rig, cron.id, {"overlap": OverlapPolicy.ALLOW})
    await rig.engine.advance(MINUTE)
    await rig.run_mutation(lambda ctx: execute_cron(ctx, cron.id))
    gate.opened.set()
    await eventually(partial(have_run, rig, 3))
    assert await outcomes(rig, cron) == [(TickOutcome.RAN, None, 1)] * 3


@pytest.mark.parametrize(
    ("patch", "paths"),
    [
        ({"interval_ms": 1, "tz": "Mars", "jitter_ms": -1}, ["intervalMs", "jitterMs", "tz"]),
        ({"interval_ms": MINUTE, "cronspec": "@daily"}, ["cronspec", "intervalMs"]),
        ({"cronspec": "61 * * * *", "name": ""}, ["cronspec", "name"]),
        ({"start_at": datetime(2099, 1, 1, tzinfo=UTC), "end_at": datetime(2098, 1, 1, tzinfo=UTC)},
         ["endAt"]),
        ({"function_name": "a.b"}, ["functionName"]),
        ({"function_name": "work.needsNumber"}, ["args", "args"]),
    ],
)  # fmt: skip
async def test_wrong_fields_of_a_change_are_reported_and_change_nothing(
    rig_without_worker: PatternRig, patch: CronPatch, paths: list[str]
) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    with pytest.raises(BadRequest) as raised:
        await update(rig, cron.id, patch)
    assert sorted(str(issue.path[0]) for issue in raised.value.issues) == paths
    assert (await rig.find_one("crons", _id=cron.id))["version"] == cron.version


async def test_change_that_cannot_be_made_changes_nothing(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    await register(rig, name="taken")
    cron = await register(rig)
    attempts: list[tuple[CronPatch, type[Exception]]] = [
        ({"name": "taken"}, Conflict),
        ({"end_at": await rig.engine.now()}, PreconditionFailed),
    ]
    for patch, expected in attempts:
        with pytest.raises(expected):
            await update(rig, cron.id, patch)
    with pytest.raises(NotFound):
        await rig.run_mutation(lambda ctx: update_cron(ctx, cron.id, {"name": "x"}), "bob")
    assert (await rig.find_one("crons", _id=cron.id))["version"] == cron.version


OTHER_VERSION: dict[str, Callable[[Context, str], Awaitable[object]]] = {
    "update": lambda ctx, cron_id: update_cron(ctx, cron_id, {"name": "x"}, 7),
    "pause": lambda ctx, cron_id: pause_cron(ctx, cron_id, 7),
    "resume": lambda ctx, cron_id: resume_cron(ctx, cron_id, expected_version=7),
    "delete": lambda ctx, cron_id: delete_cron(ctx, cron_id, 7),
    "skip": lambda ctx, cron_id: skip_next_run(ctx, cron_id, 7),
    "trigger": lambda ctx, cron_id: trigger_cron(ctx, cron_id, expected_version=7),
}


async def test_expected_version_is_required_of_every_change(
    rig_without_worker: PatternRig,
) -> None:
    cron = await register(rig_without_worker)
    for change in OTHER_VERSION.values():
        with pytest.raises(VersionConflict) as raised:
            await rig_without_worker.run_mutation(partial(_call, change, cron.id))
        assert raised.value.extensions == {"code": "CONFLICT", "currentVersion": cron.version}
    after = await rig_without_worker.find_one("crons", _id=cron.id)
    assert after["version"] == cron.version


async def _call(
    change: Callable[[Context, str], Awaitable[object]], cron_id: str, ctx: Context
) -> object:
    return await change(ctx, cron_id)


async def test_repeated_skip_of_an_expected_version_skips_no_other_run(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    cron = await register(rig)
    skipped = await rig.run_mutation(lambda ctx: skip_next_run(ctx, cron.id, cron.version))
    with pytest.raises(VersionConflict):
        await rig.run_mutation(lambda ctx: skip_next_run(ctx, cron.id, cron.version))
    assert skipped.next_run_time == cron.next_run_time + timedelta(minutes=1)
    assert await outcomes(rig, cron) == [(TickOutcome.SKIPPED, TickReason.REQUESTED, 1)]


async def test_skipped_run_does_not_run_and_the_next_one_does(rig: PatternRig) -> None:
    cron = await register(rig)
    skipped = await rig.run_mutation(lambda ctx: skip_next_run(ctx, cron.id))
    await only_pending_tick(rig, skipped)
    await rig.advance(MINUTE)
    assert await rig.jobs(RUN) == []
    await rig.advance(MINUTE)
    [run] = await rig.jobs(RUN)
    assert run.scheduled_time == cron.next_run_time + timedelta(minutes=1)


async def test_overdue_run_is_skipped_and_the_cron_ends_after_the_last_one(
    rig_without_worker: PatternRig,
) -> None:
    rig = rig_without_worker
    end = await rig.engine.now() + timedelta(minutes=2, seconds=30)
    cron = await register(rig, end_at=end)
    await rig.engine.advance(MINUTE)
    cron = await rig.run_mutation(lambda ctx: skip_next_run(ctx, cron.id))
    assert cron.enabled
    cron = await rig.run_mutation(lambda ctx: skip_next_run(ctx, cron.id))
    assert (cron.enabled, cron.scheduler_job_id) == (False, None)
    assert await rig.jobs(RUN) == []
    with pytest.raises(PreconditionFailed, match="paused"):
        await rig.run_mutation(lambda ctx: skip_next_run(ctx, cron.id))


async def test_change_needs_room_for_its_ticks(pattern_settings: Settings) -> None:
    limited = pattern_settings.model_copy(update={"quota_ticks_per_minute": 2})
    async with open_rig(limited) as rig:
        cron = await register(rig)
        await update(rig, cron.id, {"interval_ms": 30 * SECOND})
        with pytest.raises(QuotaExceeded):
            await update(rig, cron.id, {"interval_ms": 20 * SECOND})
        await update(rig, cron.id, {"enabled": False, "interval_ms": 20 * SECOND})
        with pytest.raises(QuotaExceeded):
            await update(rig, cron.id, {"enabled": True})


def test_every_field_of_a_definition_can_be_changed() -> None:
    names = {field.name for field in fields(NewCron)} - {"managed_by"}
    assert set(CronPatch.__annotations__) == {*names, "enabled"}


async def test_new_jitter_moves_the_pending_tick_job(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    cron = await register(rig, interval_ms=HOUR)
    delayed = await update(rig, cron.id, {"jitter_ms": HOUR})
    assert delayed.next_run_time == cron.next_run_time
    [tick] = await rig.jobs(TICK, state=JobState.PENDING.value)
    assert tick.scheduled_time == Timetable.of(delayed).start_of(cron.next_run_time)
    await rig.engine.advance(HOUR + 1)
    await update(rig, cron.id, {"interval_ms": MINUTE})  # its delay has not passed
    canceled = (TickOutcome.CANCELED, TickReason.CHANGED, 1)
    assert (await outcomes(rig, cron), await rig.jobs(RUN)) == ([canceled], [])
