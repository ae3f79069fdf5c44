"""Bulk actions: each matching job or failure that existed at the start is changed once."""

from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.bulk_actions import (
    JOB_STATES,
    OF_FAILURES,
    BulkAction,
    BulkActionKind,
    BulkOutcome,
)
from ostinato.jobs.errors import NotFound, PreconditionFailed, QuotaExceeded
from ostinato.jobs.filters import FailureFilter, JobFilter
from ostinato.jobs.functions.bulk_actions import (
    NewBulkAction,
    cancel_bulk_action,
    process_bulk_page,
    repair_bulk_action,
    start_bulk_action,
)
from ostinato.jobs.ids import new_id
from ostinato.jobs.lifecycle import MAX_EVENTS
from ostinato.jobs.mongo import bulk_pages
from ostinato.jobs.mongo.transitions import first_event
from ostinato.jobs.records import JobState
from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import HOUR, PatternRig
from tests.malformed import valid_document
from tests.processes import Processes, eventually

FAST_SETTINGS = {
    "functions": ("tests.jobs.functions.work",),
    "heartbeat_ms": 300,
    "lease_ms": 2_000,
    "sweep_ms": 200,
}


@pytest.fixture
def pattern_settings(settings: Settings) -> Settings:
    return settings.model_copy(update=FAST_SETTINGS | {"quota_pending_jobs": 1_000})


async def insert_jobs(
    rig: PatternRig, count: int, owner: str | None = "alice", **fields: Any
) -> list[str]:
    """Insert jobs of the past, or of the far future if they are pending."""
    now = await rig.engine.now()
    documents = []
    for _ in range(count):
        job = valid_document("jobs", owner) | {
            "_id": new_id(),
            "createdAt": now - timedelta(hours=1),
            "scheduledTime": now + timedelta(days=100),
            "retry": {"retries": 0, "baseMs": 1, "factor": 2, "jitter": 0, "maxMs": 1},
            "lane": "default:5",
        }
        job |= fields
        job["timeline"] = fields.get("timeline", [first_event(job)])
        documents.append(job)
    await rig.engine.mongo["jobs"].insert_many(documents)
    return [job["_id"] for job in documents]


async def start(
    rig: PatternRig,
    kind: BulkActionKind = BulkActionKind.CANCEL_JOBS,
    owner: str | None = "alice",
    **wanted: Any,
) -> BulkAction:
    states = JOB_STATES.get(kind)
    run_at = wanted.pop("run_at", None)
    which: JobFilter | FailureFilter
    if kind in OF_FAILURES:
        which = FailureFilter(**wanted)
    else:
        which = JobFilter(**{"states": states, **wanted})
    new = NewBulkAction(kind=kind, which=which, target_owner=owner, total=None, run_at=run_at)
    return await rig.run_mutation(lambda ctx: start_bulk_action(ctx, new), owner)


async def wait_until_done(rig: PatternRig, action: BulkAction) -> dict[str, Any]:
    async def is_done() -> bool:
        return str((await rig.find_one("bulkActions", _id=action.id))["state"]) != "running"

    await eventually(is_done, within=60)
    return await rig.find_one("bulkActions", _id=action.id)


async def states_of(rig: PatternRig, ids: list[str]) -> set[str]:
    return {job["state"] for job in await rig.all("jobs", _id={"$in": ids})}


async def test_matching_jobs_are_canceled_and_others_are_kept(rig: PatternRig) -> None:
    tagged = await insert_jobs(rig, 450, tags=["a"])
    kept = await insert_jobs(rig, 3, tags=["b"])
    kept += await insert_jobs(rig, 3, "bob", tags=["a"])
    kept += await insert_jobs(rig, 3, tags=["a"], internal=True)
    kept += await insert_jobs(rig, 3, tags=["a"], createdAt=await rig.engine.now() + timedelta(1))
    ended = await insert_jobs(rig, 3, tags=["a"], state="success")
    done = await wait_until_done(rig, await start(rig, tags=("a",)))
    assert (done["state"], done["processed"]) == ("done", 450)
    assert done["outcomes"] == {"canceled": 450}
    assert await states_of(rig, tagged) == {"canceled"}
    assert await states_of(rig, kept) == {"pending"}
    assert await states_of(rig, ended) == {"success"}
    assert done["completedAt"] is not None


async def test_running_jobs_are_asked_to_stop_once(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    running = await insert_jobs(rig, 2, state="inProgress", lease={"worker": "w", "token": "t"})
    requested: dict[str, Any] = {"cancelRequestedAt": await rig.engine.now()}
    await insert_jobs(rig, 1, state="inProgress", lease={"worker": "w", "token": "t"}, **requested)
    action = await start(rig)
    await rig.engine.mongo["jobs"].delete_one({"_id": action.scheduler_job_id})
    await rig.run_mutation(lambda ctx: process_bulk_page(ctx, action.id, None), "alice")
    done = await rig.find_one("bulkActions")
    assert (done["state"], done["outcomes"]) == ("done", {"cancelRequested": 3})
    for job in await rig.all("jobs", _id={"$in": running}):
        assert (job["state"], len(job["timeline"])) == ("inProgress", 2)
    (before,) = await rig.all("jobs", **requested)
    assert len(before["timeline"]) == 1


async def test_jobs_are_retried_within_their_limits(rig: PatternRig) -> None:
    failed = await insert_jobs(rig, 3, state="failed", attempt=1)
    await rig.engine.mongo["failures"].insert_many(
        [valid_document("failures", "alice") | {"_id": one, "jobId": one} for one in failed]
    )
    await insert_jobs(rig, 2, state="failed", attempt=100)
    await insert_jobs(rig, 1, state="failed", version="broken")
    done = await wait_until_done(rig, await start(rig, BulkActionKind.RETRY_JOBS))
    assert done["outcomes"] == {"retried": 3, "tooManyAttempts": 2, "malformed": 1}
    assert {error["outcome"] for error in done["errors"]} == {"tooManyAttempts", "malformed"}
    assert await rig.all("failures", jobId={"$in": failed}) == []
    for job in await rig.all("jobs", _id={"$in": failed}):
        assert job["maxAttempts"] == 2
        assert job["timeline"][-1]["by"] == "alice"


async def test_pending_jobs_get_another_due_time(rig: PatternRig) -> None:
    cause = {"kind": "cron", "id": new_id()}
    wanted = await insert_jobs(rig, 250, cause=cause)
    full = await insert_jobs(rig, 1, cause=cause, timeline=[{"seq": 1}] * MAX_EVENTS)
    others = await insert_jobs(rig, 3)
    others += await insert_jobs(rig, 3, "bob", cause=cause)
    due = await rig.engine.now() + timedelta(days=7)
    kind = BulkActionKind.RESCHEDULE_JOBS
    done = await wait_until_done(rig, await start(rig, kind, cause_id=cause["id"], run_at=due))
    assert done["outcomes"] == {"rescheduled": 250, "tooManyAttempts": 1}
    assert [error["id"] for error in done["errors"]] == full
    for job in await rig.all("jobs", _id={"$in": wanted}):
        assert (job["state"], job["scheduledTime"], job["version"]) == ("pending", due, 2)
        assert job["timeline"][-1]["nextRunAt"] == due
    assert {job["version"] for job in await rig.all("jobs", _id={"$in": others})} == {1}


async def test_jobs_that_are_due_now_start_without_waiting(rig: PatternRig) -> None:
    job_id = await rig.schedule("tasks.runTask", {"name": "x"}, delay_ms=HOUR)
    now = await rig.engine.now()
    await start(rig, BulkActionKind.RESCHEDULE_JOBS, ids=(job_id,), run_at=now)

    async def has_run() -> bool:
        return str((await rig.find_one("jobs", _id=job_id))["state"]) == "success"

    await eventually(has_run, within=30)


async def test_only_jobs_with_the_given_ids_are_canceled(rig: PatternRig) -> None:
    wanted, kept = await insert_jobs(rig, 3), await insert_jobs(rig, 3)
    done = await wait_until_done(rig, await start(rig, ids=tuple(wanted)))
    assert done["outcomes"] == {"canceled": 3}
    assert await states_of(rig, wanted) == {"canceled"}
    done = await wait_until_done(rig, await start(rig, ids=()))
    assert done["processed"] == 0
    assert await states_of(rig, kept) == {"pending"}


async def test_retries_stop_at_the_quota_and_for_a_suspended_owner(rig: PatternRig) -> None:
    await insert_jobs(rig, 995)
    await insert_jobs(rig, 10, state="canceled")
    done = await wait_until_done(rig, await start(rig, BulkActionKind.RETRY_JOBS))
    counts = done["outcomes"]
    assert counts[BulkOutcome.RETRIED] + counts[BulkOutcome.QUOTA_EXCEEDED] == 10
    assert 0 < counts[BulkOutcome.RETRIED] <= 5
    await insert_jobs(rig, 2, "eve", state="canceled")
    suspended = {"_id": "eve", "suspendedAt": await rig.engine.now(), "suspendedBy": "root"}
    await rig.engine.mongo["owners"].insert_one(suspended)
    done = await wait_until_done(rig, await start(rig, BulkActionKind.RETRY_JOBS, "eve"))
    assert done["outcomes"] == {"notAllowed": 2}


async def test_failures_are_resolved_and_their_jobs_purged(rig: PatternRig) -> None:
    failed = await insert_jobs(rig, 3, state="failed")
    old = {"at": await rig.engine.now() - timedelta(minutes=1)}
    failures = [valid_document("failures", "alice", **old) | {"jobId": one} for one in failed]
    await rig.engine.mongo["failures"].insert_many(failures)
    other = valid_document("failures", "alice", **old) | {"functionName": "other.one"}
    await rig.engine.mongo["failures"].insert_one(other)
    kind = BulkActionKind.RESOLVE_FAILURES
    done = await wait_until_done(rig, await start(rig, kind, function_name="tasks.runTask"))
    assert done["outcomes"] == {"resolved": 3}
    resolved = await rig.all("failures", jobId={"$in": failed})
    assert {(one["version"], one["resolvedAt"] is None) for one in resolved} == {(2, False)}
    again = await wait_until_done(rig, await start(rig, kind, function_name="tasks.runTask"))
    assert again["processed"] == 0
    for job in await rig.all("jobs", _id={"$in": failed}):
        assert job["purgeAt"] is not None


async def test_the_jobs_of_a_group_of_failures_are_retried(rig: PatternRig) -> None:
    failed, other = [await insert_jobs(rig, n, state="failed", attempt=1) for n in (3, 1)]
    old = {"at": await rig.engine.now() - timedelta(minutes=1)}
    group = valid_document("failures", "alice", **old) | {"fingerprint": "a" * 24}
    failures = [group | {"_id": one, "jobId": one} for one in failed]
    logged, lost = group | {"_id": new_id()}, group | {"_id": new_id(), "jobId": new_id()}
    kept = group | {"_id": other[0], "jobId": other[0], "fingerprint": "b" * 24}
    await rig.engine.mongo["failures"].insert_many([*failures, logged, lost, kept])
    kind = BulkActionKind.RETRY_FAILURES
    done = await wait_until_done(rig, await start(rig, kind, fingerprint="a" * 24))
    assert done["outcomes"] == {"retried": 3, "noJob": 2}
    left = {one["_id"] for one in await rig.all("failures", functionName="tasks.runTask")}
    assert {logged["_id"], lost["_id"], kept["_id"]} <= left - {*failed}
    assert await states_of(rig, other) == {"failed"}


async def test_a_canceled_action_stops(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    ids = await insert_jobs(rig, 2)
    action = await start(rig)
    canceled = await rig.run_mutation(lambda ctx: cancel_bulk_action(ctx, action.id), "alice")
    assert canceled.state == "canceled"
    with pytest.raises(PreconditionFailed, match="already ended"):
        await rig.run_mutation(lambda ctx: cancel_bulk_action(ctx, action.id), "alice")
    with pytest.raises(NotFound):
        await rig.run_mutation(lambda ctx: cancel_bulk_action(ctx, action.id), "bob")
    assert await states_of(rig, ids) == {"pending"}
    (page,) = await rig.jobs("bulkActions.processBulkPage")
    assert page.state is JobState.CANCELED


async def test_few_actions_of_an_owner_run_at_once(rig_without_worker: PatternRig) -> None:
    for _ in range(5):
        await start(rig_without_worker)
    with pytest.raises(QuotaExceeded, match="5 running bulk actions"):
        await start(rig_without_worker)
    await start(rig_without_worker, owner="bob")


async def test_a_missing_page_is_scheduled_again(rig_without_worker: PatternRig) -> None:
    rig = rig_without_worker
    action = await start(rig)
    await rig.engine.mongo["jobs"].delete_many({})
    assert await rig.run_mutation(lambda ctx: repair_bulk_action(ctx, action.id), "alice")
    assert len(await rig.jobs("bulkActions.processBulkPage")) == 1
    assert not await rig.run_mutation(lambda ctx: repair_bulk_action(ctx, action.id), "alice")
    await rig.engine.mongo["jobs"].update_many({}, {"$set": {"state": "failed"}})
    assert await rig.run_mutation(lambda ctx: repair_bulk_action(ctx, action.id), "alice")
    assert (await rig.find_one("bulkActions"))["state"] == "failed"


async def test_a_page_scans_a_bounded_number_of_jobs(
    rig: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_pages, "SCAN_SIZE", 50)
    await insert_jobs(rig, 240, queue="other")
    rare = await insert_jobs(rig, 1, queue="rare")
    done = await wait_until_done(rig, await start(rig, queue="rare"))
    assert (done["processed"], done["outcomes"]) == (1, {"canceled": 1})
    assert await states_of(rig, rare) == {"canceled"}
    assert len(await rig.jobs("bulkActions.processBulkPage")) == 5


async def kill_worker_after(rig: PatternRig, processes: Processes, count: int) -> None:
    """Run a worker until the action has processed `count` jobs, and kill it (SIGKILL)."""
    worker = processes.worker(**FAST_SETTINGS)

    async def has_processed() -> bool:
        processed: int = (await rig.find_one("bulkActions"))["processed"]
        return processed >= count

    await eventually(has_processed, within=60)
    worker.popen.kill()


async def test_each_job_is_changed_once_despite_killed_workers(
    rig_without_worker: PatternRig, processes: Processes
) -> None:
    rig = rig_without_worker
    ids = await insert_jobs(rig, 3_000)
    action = await start(rig)
    for target in (1, 1_000):
        await kill_worker_after(rig, processes, target)
    processes.worker(**FAST_SETTINGS)
    done = await wait_until_done(rig, action)
    assert (done["processed"], done["outcomes"]) == (3_000, {"canceled": 3_000})
    jobs = await rig.all("jobs", _id={"$in": ids})
    assert {(job["state"], len(job["timeline"])) for job in jobs} == {("canceled", 2)}
