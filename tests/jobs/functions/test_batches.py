"""Rate-limited batches: each item is processed once, even if pages are interrupted."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, DBRef, MaxKey, ObjectId

from ostinato.jobs.errors import BadRequest, NotFound, PreconditionFailed
from ostinato.jobs.functions.batch import NewBatch, add_items, cancel_batch, start_batch
from ostinato.jobs.functions.batch_pages import repair_batch
from ostinato.jobs.mongo.stored_json import id_from_text, id_to_text
from ostinato.jobs.records import Batch, BatchState, CauseKind, JobState, Json
from tests.jobs.functions.pattern_rig import SECOND, PatternRig
from tests.jobs.functions.work import faults
from tests.processes import eventually

PAGE = "batch.processBatch"


async def start(
    rig: PatternRig, source: str = "items", owner: str = "alice", **fields: Any
) -> Batch:
    new = NewBatch(source=source, **fields)
    return await rig.run_mutation(lambda ctx: start_batch(ctx, new), owner)


async def add(rig: PatternRig, count: int, owner: str = "alice") -> list[str]:
    items: list[Json] = [{"number": number} for number in range(count)]
    return await rig.run_mutation(lambda ctx: add_items(ctx, items), owner)


async def run_pages(rig: PatternRig, count: int) -> None:
    await rig.wait_until_settled()
    for _ in range(count):
        await rig.advance(SECOND)


async def test_default_pages_have_100_items_and_start_a_second_apart(rig: PatternRig) -> None:
    await add(rig, 250)
    batch = await start(rig)
    await run_pages(rig, 3)
    pages = await rig.jobs(PAGE)
    gaps = [later.scheduled_time - page.scheduled_time for page, later in pairwise(pages)]
    assert (batch.batch_size, batch.delay_ms, batch.total) == (100, 1000, 250)
    assert [page.result for page in pages] == [100, 100, 50]
    assert all(gap >= timedelta(seconds=1) for gap in gaps)
    assert {(page.internal, page.cause.kind, page.cause.id) for page in pages} == {
        (True, CauseKind.BATCH, batch.id)
    }


async def test_the_last_page_ends_the_batch(rig: PatternRig) -> None:
    await add(rig, 5)
    batch = await start(rig, batch_size=2)
    await run_pages(rig, 2)
    document = await rig.find_one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.DONE, 5)
    assert document["completedAt"] is not None
    assert len(await rig.jobs(PAGE)) == 3


async def test_a_batch_reports_its_progress(rig: PatternRig) -> None:
    await add(rig, 5)
    batch = await start(rig, batch_size=2)
    await rig.wait_until_settled()
    document = await rig.find_one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.RUNNING, 2)
    assert document["version"] == batch.version + 1


async def test_an_empty_batch_is_done_after_one_page(rig: PatternRig) -> None:
    batch = await start(rig)
    await rig.wait_until_settled()
    assert (await rig.find_one("batches", _id=batch.id))["state"] == BatchState.DONE


async def test_a_batch_processes_only_items_of_its_owner(rig: PatternRig) -> None:
    await add(rig, 3)
    await add(rig, 4, "bob")
    batch = await start(rig)
    await rig.wait_until_settled()
    assert batch.total == 3
    assert len(await rig.all("items", processed=True, owner="alice")) == 3
    assert await rig.all("items", processed=True, owner="bob") == []


async def test_item_data_is_stored_separately_from_item_state(rig: PatternRig) -> None:
    await rig.run_mutation(lambda ctx: add_items(ctx, [{"processed": True, "owner": "bob"}, 7]))
    first, second = await rig.all("items")
    assert (first["data"], first["processed"]) == ({"processed": True, "owner": "bob"}, False)
    assert (second["data"], second["owner"]) == (7, "alice")


async def test_concurrent_batches_process_each_item_once(rig: PatternRig) -> None:
    await add(rig, 60)
    for _ in range(3):
        await start(rig, batch_size=10, delay_ms=0)
    await run_pages(rig, 2)
    assert {item["version"] for item in await rig.all("items")} == {2}


async def test_a_page_that_fails_midway_processes_each_item_once(rig: PatternRig) -> None:
    parcels = [
        {"_id": f"{number:024}", "owner": "alice", "sent": False, "times": 0} for number in range(9)
    ]
    await rig.engine.mongo["parcels"].insert_many(parcels)
    faults["parcels"] = 3
    batch = await start(rig, "parcels", batch_size=4)
    for _ in range(12):
        await rig.advance(SECOND)
    document = await rig.find_one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.DONE, 9)
    assert {parcel["times"] for parcel in await rig.all("parcels")} == {1}
    assert [page.attempt for page in await rig.jobs(PAGE)] == [4, 1, 1]


async def test_a_repeated_page_has_no_effect(rig: PatternRig) -> None:
    await add(rig, 5)
    batch = await start(rig, batch_size=2)
    await rig.wait_until_settled()
    again = {"cursor": None, "batchId": batch.id}
    await rig.schedule(PAGE, again)
    await rig.wait_until_settled()
    assert (await rig.find_one("batches", _id=batch.id))["processed"] == 2
    assert (await rig.jobs(PAGE))[1].result == 0


async def test_a_batch_without_failed_items_fails_with_its_page(
    rig: PatternRig,
) -> None:
    await rig.engine.mongo["parcels"].insert_one({"_id": "a", "owner": "alice", "sent": False})
    faults["parcels"] = 5
    batch = await start(rig, "parcels", max_failed_items=0)
    for _ in range(12):
        await rig.advance(SECOND)
    await rig.run_mutation(lambda ctx: repair_batch(ctx, batch.id))
    document = await rig.find_one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.FAILED, 0)
    assert (await rig.find_one("failures"))["attempts"] == 5
    assert not (await rig.find_one("parcels"))["sent"]


async def test_canceling_a_batch_cancels_its_pending_page_and_keeps_processed_items(
    rig: PatternRig,
) -> None:
    await add(rig, 5)
    batch = await start(rig, batch_size=2)
    await rig.wait_until_settled()
    canceled = await rig.run_mutation(lambda ctx: cancel_batch(ctx, batch.id))
    await run_pages(rig, 3)
    assert (canceled.state, canceled.processed) == (BatchState.CANCELED, 2)
    assert len(await rig.all("items", processed=True)) == 2
    assert (await rig.jobs(PAGE))[-1].state is JobState.CANCELED


async def test_a_batch_that_has_ended_cannot_be_canceled(rig: PatternRig) -> None:
    batch = await start(rig)
    await rig.wait_until_settled()
    with pytest.raises(PreconditionFailed, match="done"):
        await rig.run_mutation(lambda ctx: cancel_batch(ctx, batch.id))


async def test_a_batch_of_another_owner_is_not_found(rig_without_worker: PatternRig) -> None:
    batch = await start(rig_without_worker)
    with pytest.raises(NotFound):
        await rig_without_worker.run_mutation(lambda ctx: cancel_batch(ctx, batch.id), "bob")


async def test_a_source_may_define_its_own_page_query(rig: PatternRig) -> None:
    batch = await start(rig, "numbers", batch_size=2)
    await run_pages(rig, 2)
    assert batch.total is None
    numbers = sorted(document["number"] for document in await rig.all("numbers"))
    assert numbers == [1, 2, 3, 4, 5]


async def test_a_source_defines_who_may_start_it(rig_without_worker: PatternRig) -> None:
    numbers, items = (
        rig_without_worker.engine.registry.batches[name] for name in ("numbers", "items")
    )
    assert items.callable_by([])
    assert (numbers.callable_by([]), numbers.callable_by(["counter"])) == (False, True)


IDS: list[Any] = [None, -1, 2.5, 2**40, "a", "bson:b", {"b": 1, "a": "x"}, {"b": 2}, Binary(b"x")]
IDS += [Binary.from_uuid(UUID(int=7)), ObjectId(), True, datetime.now(UTC), MaxKey(), DBRef("x", 1)]


@pytest.mark.parametrize("batch_size", [1, 4])
async def test_documents_with_ids_of_any_type_are_processed_once(
    rig: PatternRig, batch_size: int
) -> None:
    stamps = [{"_id": document_id, "times": 0} for document_id in IDS]
    await rig.engine.mongo["stamps"].insert_many(stamps)
    batch = await start(rig, "stamps", batch_size=batch_size, delay_ms=0)
    await run_pages(rig, len(IDS) // batch_size)
    assert {stamp["times"] for stamp in await rig.all("stamps")} == {1}
    document = await rig.find_one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.DONE, len(IDS))


async def test_string_ids_are_unchanged_in_cursors(rig: PatternRig) -> None:
    assert [id_to_text(text) for text in ("", "a", '{"$oid": 1}')] == ["", "a", '{"$oid": 1}']
    assert id_from_text(id_to_text("bson:b")) == "bson:b"
    assert id_from_text("a") == "a"


async def test_starting_a_batch_over_documents_without_an_owner_is_rejected(
    rig_without_worker: PatternRig,
) -> None:
    await rig_without_worker.engine.mongo["parcels"].insert_many(
        [{"_id": n, "sent": False} for n in range(3)]
    )
    with pytest.raises(
        PreconditionFailed,
        match=r"'parcels' have no field `owner`.*@batch\('parcels', owned=False\)",
    ):
        await start(rig_without_worker, "parcels")
    assert await rig_without_worker.all("batches") == []


async def test_a_batch_with_owned_false_processes_all_documents(rig: PatternRig) -> None:
    owners: list[dict[str, Any]] = [
        {"_id": 1, "owner": "bob"},
        {"_id": 2, "owner": "alice"},
        {"_id": 3},
    ]
    await rig.engine.mongo["stamps"].insert_many(owners)
    await start(rig, "stamps")
    await rig.wait_until_settled()
    assert [stamp["times"] for stamp in await rig.all("stamps")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"source": "nothing"}, "source"),
        ({"batch_size": 0}, "batchSize"),
        ({"batch_size": 1_001}, "batchSize"),
        ({"delay_ms": -1}, "delayMs"),
        ({"max_failed_items": -1}, "maxFailedItems"),
    ],
)
async def test_an_invalid_field_is_reported_by_name(
    rig_without_worker: PatternRig, fields: Any, path: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        await start(rig_without_worker, **fields)
    assert [issue.path[0] for issue in raised.value.issues] == [path]


async def test_one_call_adds_at_most_a_thousand_items(rig_without_worker: PatternRig) -> None:
    for count in (0, 1_001):
        with pytest.raises(BadRequest):
            await add(rig_without_worker, count)


async def test_a_batch_with_a_lost_page_is_repaired_once(rig_without_worker: PatternRig) -> None:
    batch = await start(rig_without_worker)
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_batch(ctx, batch.id))
    await rig_without_worker.engine.mongo["jobs"].delete_many({})
    assert await rig_without_worker.run_mutation(lambda ctx: repair_batch(ctx, batch.id))
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_batch(ctx, batch.id))


async def test_sweeper_recovers_a_lost_page(rig: PatternRig) -> None:
    await add(rig, 3)
    batch = await start(rig, batch_size=2)
    await rig.wait_until_settled()
    await rig.engine.mongo["jobs"].delete_many({"state": JobState.PENDING.value})
    await eventually(lambda: rig.all("batches", _id=batch.id, state="done"))
    assert len(await rig.all("items", version=2)) == 3
