"""Items that fail: found by splitting their page, set apart, and retried one by one."""

from collections.abc import Collection
from typing import Final

import pytest

from ostinato.jobs.functions.batch import NewBatch, start_batch
from ostinato.jobs.handler_decorators import ItemRef
from ostinato.jobs.records import Batch, BatchState, JobState
from tests.jobs.functions.pattern_rig import SECOND, PatternRig

ITEM: Final = "batch.processItem"
PARCELS: Final = 10
ACTIVE: Final = [JobState.PENDING.value, JobState.IN_PROGRESS.value]


async def add_parcels(rig: PatternRig, damaged: Collection[int]) -> None:
    await rig.engine.mongo["parcels"].insert_many(
        [
            {"_id": n, "owner": "alice", "sent": False, "times": 0, "damaged": n in damaged}
            for n in range(PARCELS)
        ]
    )


async def run_batch(rig: PatternRig, batch_size: int, max_failed_items: int = 100) -> Batch:
    """Run a batch over the parcels until it has ended, and return it."""
    new = NewBatch(
        source="parcels", batch_size=batch_size, delay_ms=0, max_failed_items=max_failed_items
    )
    batch = await rig.run_mutation(lambda ctx: start_batch(ctx, new))
    await rig.wait_until_settled()
    while (found := await read(rig, batch)).state is BatchState.RUNNING:
        await rig.advance(4 * SECOND)
    await end_items(rig)
    return await read(rig, found)


async def end_items(rig: PatternRig) -> None:
    """Advance the clock until no item waits for a retry."""
    while await rig.jobs(ITEM, state={"$in": ACTIVE}):
        await rig.advance(4 * SECOND)


async def read(rig: PatternRig, batch: Batch) -> Batch:
    found = (await rig.engine.reads.find_by_ids(Batch, [batch.id], "alice"))[batch.id]
    assert isinstance(found, Batch)
    return found


async def sent(rig: PatternRig) -> list[int]:
    return [parcel["_id"] for parcel in await rig.all("parcels", sent=True, times=1)]


@pytest.mark.parametrize(
    ("damaged", "batch_size"),
    [({0}, 10), ({9}, 10), ({3, 4, 8}, 4), ({1, 5}, 1), ({2, 3}, 100)],
)
async def test_items_that_fail_are_set_apart_and_all_others_processed_once(
    rig: PatternRig, damaged: set[int], batch_size: int
) -> None:
    await add_parcels(rig, damaged)
    batch = await run_batch(rig, batch_size)
    assert (batch.state, batch.failed) == (BatchState.DONE, len(damaged))
    assert batch.processed == PARCELS - len(damaged)
    assert await sent(rig) == [n for n in range(PARCELS) if n not in damaged]
    failures = await rig.all("failures")
    messages = {failure["error"]["message"] for failure in failures}
    assert messages == {f"parcel {n} is damaged" for n in damaged}
    assert [failure["functionName"] for failure in failures] == [ITEM] * len(damaged)


async def test_item_that_failed_is_processed_again_by_a_retry(rig: PatternRig) -> None:
    await add_parcels(rig, {3, 7})
    batch = await run_batch(rig, 5)
    await rig.engine.mongo["parcels"].update_one({"_id": 7}, {"$set": {"damaged": False}})
    for job in await rig.jobs(ITEM):
        await rig.engine.changes.retry(job.id)
        await rig.advance(0)
    await end_items(rig)
    found = await read(rig, batch)
    assert (found.processed, found.failed, found.state) == (9, 1, BatchState.DONE)
    assert 7 in await sent(rig)
    assert [failure["error"]["message"] for failure in await rig.all("failures")] == [
        "parcel 3 is damaged"
    ]


async def test_batch_fails_when_too_many_items_have_failed(rig: PatternRig) -> None:
    await add_parcels(rig, {2, 4, 6})
    batch = await run_batch(rig, 5, max_failed_items=2)
    assert (batch.state, batch.failed) == (BatchState.FAILED, 2)
    assert await sent(rig) == [0, 1, 3, 5]


async def test_items_are_found_again_by_their_id_or_place(rig: PatternRig) -> None:
    await add_parcels(rig, {4})
    parcels, numbers = (rig.engine.registry.batches[name] for name in ("parcels", "numbers"))
    by_id = ItemRef.of({"_id": 4}, None)
    found = await rig.run_mutation(lambda ctx: parcels.find_item(ctx, by_id))
    assert found["_id"] == 4
    assert await rig.run_mutation(lambda ctx: parcels.find_item(ctx, by_id), "bob") is None
    await rig.engine.mongo["parcels"].update_one({"_id": 4}, {"$set": {"sent": True}})
    assert await rig.run_mutation(lambda ctx: parcels.find_item(ctx, by_id)) is None
    by_place = ItemRef(id=None, after="3")
    assert await rig.run_mutation(lambda ctx: numbers.find_item(ctx, by_place)) == {"number": 3}
