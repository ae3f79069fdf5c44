"""Batches that are paused, resumed and changed while they run."""

from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.errors import BadRequest, OwnerSuspended, PreconditionFailed, VersionConflict
from ostinato.jobs.functions.batch import (
    BatchPatch,
    NewBatch,
    add_items,
    cancel_batch,
    pause_batch,
    resume_batch,
    start_batch,
    update_batch,
)
from ostinato.jobs.functions.owners import suspend
from ostinato.jobs.records import Batch, BatchState, JobState
from tests.jobs.functions.pattern_rig import MINUTE, SECOND, PatternRig
from tests.processes import eventually

PAGE = "batch.processBatch"


async def start(rig: PatternRig, items: int = 10, **fields: Any) -> Batch:
    if items:
        await rig.run_mutation(lambda ctx: add_items(ctx, list(range(items))))
    new = NewBatch(source="items", **{"batch_size": 2, "delay_ms": MINUTE} | fields)
    return await rig.run_mutation(lambda ctx: start_batch(ctx, new))


async def pause(rig: PatternRig, batch: Batch) -> Batch:
    return await rig.run_mutation(lambda ctx: pause_batch(ctx, batch.id))


async def resume(rig: PatternRig, batch: Batch) -> Batch:
    return await rig.run_mutation(lambda ctx: resume_batch(ctx, batch.id))


async def update(
    rig: PatternRig, batch: Batch, version: int | None = None, **changes: Any
) -> Batch:
    return await rig.run_mutation(
        lambda ctx: update_batch(ctx, batch.id, BatchPatch(**changes), version)
    )


async def processed(rig: PatternRig, batch: Batch) -> int:
    return int((await rig.find_one("batches", _id=batch.id))["processed"])


async def test_paused_batch_starts_no_page_and_continues_where_it_stopped(rig: PatternRig) -> None:
    batch = await start(rig)
    await rig.wait_until_settled()
    paused = await pause(rig, batch)
    assert (paused.state, paused.processed, paused.next_page_time) == (BatchState.PAUSED, 2, None)
    assert await pause(rig, batch) == paused
    await rig.advance(5 * MINUTE)
    assert await processed(rig, batch) == 2
    resumed = await resume(rig, batch)
    assert await resume(rig, batch) == resumed
    await rig.wait_until_settled()
    assert await processed(rig, batch) == 4
    for _ in range(3):
        await rig.advance(MINUTE)
    assert {item["version"] for item in await rig.all("items")} == {2}


async def test_pauses_at_any_time_lose_and_double_no_item(rig: PatternRig) -> None:
    batch = await start(rig, 60, batch_size=3, delay_ms=0)
    for number in range(15):
        await pause(rig, batch)
        before = (await resume(rig, batch)).processed
        if number % 3:  # otherwise, the page is stopped by the next pause

            async def has_advanced(before: int = before) -> bool:
                return await processed(rig, batch) > before

            await eventually(has_advanced)
    await rig.wait_until_settled()
    assert {item["version"] for item in await rig.all("items")} == {2}
    assert await processed(rig, batch) == 60


async def test_ended_batch_cannot_be_changed(rig: PatternRig) -> None:
    batch = await start(rig, 0)
    await rig.wait_until_settled()
    for change in (pause(rig, batch), resume(rig, batch), update(rig, batch, delay_ms=1)):
        with pytest.raises(PreconditionFailed, match="already ended: it is done"):
            await change


async def test_paused_batch_is_canceled(rig_without_worker: PatternRig) -> None:
    batch = await start(rig_without_worker)
    await pause(rig_without_worker, batch)
    canceled = await rig_without_worker.run_mutation(lambda ctx: cancel_batch(ctx, batch.id))
    assert canceled.state is BatchState.CANCELED
    assert [job.state for job in await rig_without_worker.jobs()] == [JobState.CANCELED]


async def test_batch_of_a_suspended_owner_is_not_resumed(rig_without_worker: PatternRig) -> None:
    batch = await start(rig_without_worker)
    await pause(rig_without_worker, batch)
    await rig_without_worker.run_mutation(lambda ctx: suspend(ctx, "root", None))
    with pytest.raises(OwnerSuspended):
        await resume(rig_without_worker, batch)


@pytest.mark.parametrize(
    ("changes", "delay_ms"),
    [
        ({"delay_ms": 10 * SECOND}, 10 * SECOND),
        ({"delay_ms": 2 * MINUTE}, 2 * MINUTE),
        ({"items_per_second": 4}, 500),
        ({"batch_size": 5, "items_per_second": 0.5}, 10 * SECOND),
        ({"batch_size": 5}, MINUTE),
    ],
)
async def test_new_delay_counts_from_the_end_of_the_previous_page(
    rig: PatternRig, changes: dict[str, Any], delay_ms: int
) -> None:
    batch = await start(rig)
    await rig.wait_until_settled()
    (before,) = await rig.jobs(PAGE, state="pending")
    changed = await update(rig, batch, **changes)
    assert (changed.delay_ms, changed.batch_size) == (delay_ms, changes.get("batch_size", 2))
    (after,) = await rig.jobs(PAGE, state="pending")
    moved = timedelta(milliseconds=delay_ms - MINUTE)
    assert after.scheduled_time == before.scheduled_time + moved == changed.next_page_time


async def test_new_page_size_applies_to_the_pending_page(rig: PatternRig) -> None:
    batch = await start(rig)
    await rig.wait_until_settled()
    await update(rig, batch, batch_size=7, delay_ms=0)
    await rig.wait_until_settled()
    assert [page.result for page in await rig.jobs(PAGE, state="success")] == [2, 7, 1]


async def test_change_of_another_version_is_a_conflict(rig_without_worker: PatternRig) -> None:
    batch = await start(rig_without_worker)
    changed = await update(rig_without_worker, batch, batch.version, batch_size=7)
    with pytest.raises(VersionConflict, match="the version is 2, not 1") as raised:
        await update(rig_without_worker, batch, batch.version, batch_size=9)
    assert raised.value.extensions == {"code": "CONFLICT", "currentVersion": changed.version}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"batch_size": 0}, "batchSize"),
        ({"delay_ms": 86_400_001}, "delayMs"),
        ({"max_failed_items": -1}, "maxFailedItems"),
        ({"items_per_second": 0}, "itemsPerSecond"),
        ({"items_per_second": float("nan")}, "itemsPerSecond"),
        ({"items_per_second": 1, "delay_ms": 1}, "delayMs"),
        ({}, "delayMs"),
    ],
)
async def test_invalid_change_is_reported_by_field(
    rig_without_worker: PatternRig, changes: dict[str, Any], path: str
) -> None:
    batch = await start(rig_without_worker)
    with pytest.raises(BadRequest) as raised:
        await update(rig_without_worker, batch, **changes)
    assert [issue.path[0] for issue in raised.value.issues] == [path]
