"""Work of owners who have lost a role: crons and recurring tasks pause, and due jobs fail."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.functions.crons import pause_cron, resume_cron
from ostinato.jobs.functions.tasks import start_task
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.records import (
    Cause,
    CauseKind,
    Job,
    JobState,
    OverlapPolicy,
    PauseReason,
    RecurringTask,
)
from tests.jobs.functions.pattern_rig import ALICE, MINUTE, SECOND, PatternRig
from tests.jobs.functions.test_crons import TICK, register
from tests.jobs.functions.work import gate
from tests.processes import eventually

pytestmark = pytest.mark.audit("lost rights")

RESTRICTED = "work.reconcile"
ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
LATER = ISSUED + timedelta(seconds=1)


async def use_token(rig: PatternRig, *roles: str, issued_at: datetime = ISSUED) -> None:
    """Record the roles of a token, as the API does when it verifies one."""
    await rig.engine.owners.record_roles(ALICE, frozenset(roles), issued_at)


async def run_restricted(
    rig: PatternRig, cause: CauseKind = CauseKind.API, delay_ms: int = 0
) -> Job:
    function = rig.engine.registry.resolve(RESTRICTED)
    due = await rig.engine.now() + timedelta(milliseconds=delay_ms)
    new = NewJob(
        function=function, args={}, owner=ALICE, cause=Cause(kind=cause), scheduled_time=due
    )
    return await rig.engine.schedule(new)


async def start_restricted_task(rig: PatternRig) -> RecurringTask:
    return await rig.run_mutation(
        lambda ctx: start_task(
            ctx, task_id="loop", interval_ms=MINUTE, function_name=RESTRICTED, args={}
        )
    )


async def test_cron_pauses_at_the_first_tick_after_its_owner_lost_the_role(rig: PatternRig) -> None:
    await use_token(rig, "auditor")
    cron = await register(rig, function_name=RESTRICTED)
    await rig.advance(MINUTE)
    await use_token(rig, issued_at=LATER)
    with capture_logs() as logs:
        await rig.advance(MINUTE)
    [run] = await rig.jobs(RESTRICTED)
    stored = await rig.find_one("crons", _id=cron.id)
    assert run.state is JobState.SUCCESS
    assert (stored["enabled"], stored["pausedBecause"]) == (False, PauseReason.ROLE_LOST)
    assert stored["schedulerJobId"] is None
    assert await rig.jobs(TICK, state=JobState.PENDING.value) == []
    [line] = [line for line in logs if line["event"] == "cron.paused"]
    assert (line["cron_id"], line["reason"]) == (cron.id, "roleLost")


async def test_queued_ticks_do_not_run_after_the_role_is_lost(rig: PatternRig) -> None:
    await use_token(rig, "auditor")
    cron = await register(rig, function_name=RESTRICTED, overlap=OverlapPolicy.QUEUE)
    running = await rig.schedule_at_once("work.waitAtGate", {})
    await gate.reached.wait()
    queued = {"executions": [running.id], "queuedTicks": [cron.next_run_time]}
    await rig.engine.mongo["crons"].update_one({"_id": cron.id}, {"$set": queued})
    await use_token(rig, issued_at=LATER)
    await rig.schedule_at_once("crons.releaseQueued", {"cronId": cron.id})
    gate.opened.set()
    await rig.wait_until_settled()
    stored = await rig.find_one("crons", _id=cron.id)
    assert (stored["enabled"], stored["queuedTicks"], stored["skippedTicks"]) == (False, [], 1)
    assert await rig.jobs(RESTRICTED) == []


async def test_resuming_a_cron_requires_the_owner_to_have_the_role(rig: PatternRig) -> None:
    await use_token(rig)
    cron = await register(rig, function_name=RESTRICTED)
    await rig.advance(MINUTE)
    with pytest.raises(PreconditionFailed, match=r"'work.reconcile' requires the role auditor"):
        await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    await use_token(rig, "auditor", issued_at=LATER)
    resumed = await rig.run_mutation(lambda ctx: resume_cron(ctx, cron.id))
    assert (resumed.enabled, resumed.paused_because) == (True, None)
    await rig.advance(MINUTE)
    assert len(await rig.jobs(RESTRICTED)) == 1


async def test_a_cron_paused_by_its_owner_has_no_reason(rig_without_worker: PatternRig) -> None:
    cron = await register(rig_without_worker)
    paused = await rig_without_worker.run_mutation(lambda ctx: pause_cron(ctx, cron.id))
    assert (paused.enabled, paused.paused_because) == (False, None)


@pytest.mark.parametrize("roles", [("auditor",), ("admin",)])
async def test_cron_continues_while_its_owner_has_the_role_or_is_an_admin(
    rig: PatternRig, roles: tuple[str, ...]
) -> None:
    await use_token(rig, *roles)
    cron = await register(rig, function_name=RESTRICTED)
    await rig.advance(MINUTE)
    assert len(await rig.jobs(RESTRICTED, state=JobState.SUCCESS.value)) == 1
    assert (await rig.find_one("crons", _id=cron.id))["enabled"]


async def test_an_owner_whose_roles_were_never_seen_keeps_the_rights(rig: PatternRig) -> None:
    await register(rig, function_name=RESTRICTED)
    await rig.advance(MINUTE)
    assert len(await rig.jobs(RESTRICTED, state=JobState.SUCCESS.value)) == 1


async def test_roles_of_an_older_token_do_not_replace_those_of_a_newer_one(rig: PatternRig) -> None:
    await use_token(rig, issued_at=LATER)
    await use_token(rig, "auditor", issued_at=ISSUED)
    await register(rig, function_name=RESTRICTED)
    await rig.advance(MINUTE)
    assert await rig.jobs(RESTRICTED) == []


async def test_recurring_task_stops_after_its_owner_lost_the_role(rig: PatternRig) -> None:
    await use_token(rig, "auditor")
    await start_restricted_task(rig)
    await rig.wait_until_settled()
    await use_token(rig, issued_at=LATER)
    await rig.advance(MINUTE + SECOND)
    stored = await rig.find_one("taskConfigs", taskId="loop")
    assert (stored["enabled"], stored["pausedBecause"]) == (False, PauseReason.ROLE_LOST)
    assert len(await rig.jobs(RESTRICTED)) == 1
    await use_token(rig, "auditor", issued_at=LATER + timedelta(seconds=1))
    assert (await start_restricted_task(rig)).paused_because is None
    await rig.wait_until_settled()
    assert len(await rig.jobs(RESTRICTED)) == 2


@pytest.mark.parametrize("cause", [CauseKind.API, CauseKind.CRON, CauseKind.RECURRING])
async def test_scheduled_job_fails_if_its_owner_has_lost_the_role(
    rig: PatternRig, cause: CauseKind
) -> None:
    await use_token(rig, "auditor")
    scheduled = await run_restricted(rig, cause, delay_ms=MINUTE)
    await use_token(rig, issued_at=LATER)
    await rig.advance(MINUTE)
    [job] = await rig.jobs(RESTRICTED)
    assert (job.id, job.state, job.attempt) == (scheduled.id, JobState.FAILED, 1)
    assert job.error is not None
    assert job.error.name == "RoleLost"
    lost = "'work.reconcile' requires the role auditor, which 'alice' has lost"
    assert job.error.message.startswith(lost)


async def test_function_may_schedule_what_its_caller_may_not(rig: PatternRig) -> None:
    await use_token(rig)
    await rig.schedule_at_once("work.reconcileLater", {})
    await eventually(lambda: _has_succeeded(rig))


async def _has_succeeded(rig: PatternRig) -> bool:
    return bool(await rig.jobs(RESTRICTED, state=JobState.SUCCESS.value))
