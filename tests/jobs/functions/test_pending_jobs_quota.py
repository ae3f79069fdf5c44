"""Crons and recurring tasks of an owner whose quota of pending jobs is full."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

import pytest
from cachetools import TTLCache
from pymongo.errors import OperationFailure

from ostinato.jobs.context import Context
from ostinato.jobs.errors import QuotaExceeded
from ostinato.jobs.functions import failures
from ostinato.jobs.functions.crons import register_cron
from ostinato.jobs.functions.new_cron import NewCron
from ostinato.jobs.functions.owners import suspend
from ostinato.jobs.functions.tasks import start_task
from ostinato.jobs.records import Cause, CauseKind, JobInfo
from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import ALICE, DAY, MINUTE, SECOND, PatternRig, running_rig
from tests.processes import eventually

pytestmark = pytest.mark.audit("quotas")


@pytest.fixture
async def full_rig(
    pattern_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PatternRig]:
    """Return an installation in which alice has as many pending jobs as she may have."""
    monkeypatch.setattr(failures, "_recording_jobs", TTLCache(failures.MAX_RECORDED, 3_600))
    changes = {"quota_pending_jobs": 1}
    async with running_rig(pattern_settings.model_copy(update=changes)) as rig:
        await rig.schedule("work.needsNumber", {"number": 1}, 30 * DAY)
        yield rig


async def test_cron_skips_its_ticks_and_records_one_failure(full_rig: PatternRig) -> None:
    new = NewCron(name="n", interval_ms=MINUTE, args={"name": "n"})
    cron = await full_rig.run_mutation(lambda ctx: register_cron(ctx, new))
    for skipped in (1, 2):
        await full_rig.advance(MINUTE + SECOND)
        found = await full_rig.find_one("crons", _id=cron.id)
        assert (found["skippedTicks"], found["enabled"]) == (skipped, True)
    (failure,) = await full_rig.all("failures")
    assert failure["error"]["name"] == "QuotaExceeded"
    assert "1 pending jobs and asked for 1 more" in failure["error"]["message"]
    assert len(await full_rig.jobs("crons.executeCron", state="pending")) == 1


async def test_each_cron_of_a_function_records_its_failure(full_rig: PatternRig) -> None:
    for name in ("a", "b"):
        new = NewCron(name=name, interval_ms=MINUTE, args={"name": name})
        await full_rig.run_mutation(partial(register_cron, new=new))
    await full_rig.advance(MINUTE + SECOND)
    recorded = await full_rig.all("failures")
    assert sorted(failure["data"]["name"] for failure in recorded) == ["a", "b"]


def tick_job(job_id: str) -> JobInfo:
    return JobInfo(
        id=job_id,
        function_name="crons.executeCron",
        attempt=1,
        max_attempts=1,
        owner=ALICE,
        cause=Cause(kind=CauseKind.CRON),
        root_id=job_id,
        scheduled_time=datetime.now(UTC),
    )


async def test_failure_is_recorded_if_the_first_transaction_conflicts(full_rig: PatternRig) -> None:
    full = QuotaExceeded("full", quota="pending_jobs", used=1, limit=1)
    conflict = OperationFailure("conflict", 112, {"errorLabels": ["TransientTransactionError"]})
    errors = [conflict]

    async def record(job: JobInfo, ctx: Context) -> None:
        ctx.running_job = job
        await failures.record_refusal(ctx, "cron", "tasks.runTask", full, {})
        if errors:
            raise errors.pop()

    for job_id in ("first", "second"):
        await full_rig.run_mutation(partial(record, tick_job(job_id)))
        assert len(await full_rig.all("failures")) == 1
    assert errors == []


async def test_owner_with_a_full_quota_can_be_suspended(full_rig: PatternRig) -> None:
    new = NewCron(name="n", interval_ms=MINUTE, args={"name": "n"})
    cron = await full_rig.run_mutation(lambda ctx: register_cron(ctx, new))
    await full_rig.run_mutation(lambda ctx: suspend(ctx, "root", "spam"))
    await full_rig.wait_until_settled()
    assert not (await full_rig.find_one("crons", _id=cron.id))["enabled"]


async def test_recurring_task_continues_when_there_is_room(full_rig: PatternRig) -> None:
    await full_rig.run_mutation(
        lambda ctx: start_task(
            ctx, task_id="t", interval_ms=MINUTE, function_name="tasks.runTask", args={}
        )
    )
    await full_rig.wait_until_settled()
    assert await full_rig.jobs("tasks.runTask") == []
    (job,) = await full_rig.jobs("work.needsNumber")
    await full_rig.engine.cancel(job.id)
    await eventually(lambda: _runs_at_the_next_tick(full_rig))  # the count is reused for a second


async def _runs_at_the_next_tick(rig: PatternRig) -> bool:
    await rig.advance(MINUTE + SECOND)
    return bool(await rig.jobs("tasks.runTask"))
