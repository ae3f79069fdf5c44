"""Rate-limited batches: each item is processed once, even if pages are interrupted."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, DBRef, MaxKey, ObjectId

from ostinato.jobs.errors import BadRequest, NotFound, PreconditionFailed
from ostinato.jobs.functions.batch import add_items, cancel_batch, repair_batch, start_batch
from ostinato.jobs.mongo.stored_json import id_from_text, id_to_text
from ostinato.jobs.records import Batch, BatchState, CauseKind, JobState, Json
from tests.jobs.functions.work import faults
from tests.jobs.functions.world import SECOND, World
from tests.processes import eventually

PAGE = "batch.processBatch"


async def start(world: World, source: str = "items", owner: str = "alice", **fields: Any) -> Batch:
    return await world.do(lambda ctx: start_batch(ctx, source, **fields), owner)


async def add(world: World, count: int, owner: str = "alice") -> list[str]:
    items: list[Json] = [{"number": number} for number in range(count)]
    return await world.do(lambda ctx: add_items(ctx, items), owner)


async def run_pages(world: World, count: int) -> None:
    await world.settled()
    for _ in range(count):
        await world.advance(SECOND)


async def test_default_pages_have_100_items_and_start_a_second_apart(world: World) -> None:
    await add(world, 250)
    batch = await start(world)
    await run_pages(world, 3)
    pages = await world.jobs(PAGE)
    gaps = [later.scheduled_time - page.scheduled_time for page, later in pairwise(pages)]
    assert (batch.batch_size, batch.delay_ms, batch.total) == (100, 1000, 250)
    assert [page.result for page in pages] == [100, 100, 50]
    assert all(gap >= timedelta(seconds=1) for gap in gaps)
    assert {(page.internal, page.cause.kind, page.cause.id) for page in pages} == {
        (True, CauseKind.BATCH, batch.id)
    }


async def test_the_last_page_ends_the_batch(world: World) -> None:
    await add(world, 5)
    batch = await start(world, batch_size=2)
    await run_pages(world, 2)
    document = await world.one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.DONE, 5)
    assert document["completedAt"] is not None
    assert len(await world.jobs(PAGE)) == 3


async def test_a_batch_reports_its_progress(world: World) -> None:
    await add(world, 5)
    batch = await start(world, batch_size=2)
    await world.settled()
    document = await world.one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.RUNNING, 2)
    assert document["version"] == batch.version + 1


async def test_an_empty_batch_is_done_after_one_page(world: World) -> None:
    batch = await start(world)
    await world.settled()
    assert (await world.one("batches", _id=batch.id))["state"] == BatchState.DONE


async def test_a_batch_processes_only_items_of_its_owner(world: World) -> None:
    await add(world, 3)
    await add(world, 4, "bob")
    batch = await start(world)
    await world.settled()
    assert batch.total == 3
    assert len(await world.all("items", processed=True, owner="alice")) == 3
    assert await world.all("items", processed=True, owner="bob") == []


async def test_item_data_is_stored_separately_from_item_state(world: World) -> None:
    await world.do(lambda ctx: add_items(ctx, [{"processed": True, "owner": "bob"}, 7]))
    first, second = await world.all("items")
    assert (first["data"], first["processed"]) == ({"processed": True, "owner": "bob"}, False)
    assert (second["data"], second["owner"]) == (7, "alice")


async def test_concurrent_batches_process_each_item_once(world: World) -> None:
    await add(world, 60)
    for _ in range(3):
        await start(world, batch_size=10, delay_ms=0)
    await run_pages(world, 2)
    assert {item["version"] for item in await world.all("items")} == {2}


async def test_a_page_that_fails_midway_processes_each_item_once(world: World) -> None:
    parcels = [
        {"_id": f"{number:024}", "owner": "alice", "sent": False, "times": 0} for number in range(9)
    ]
    await world.engine.mongo["parcels"].insert_many(parcels)
    faults["parcels"] = 3
    batch = await start(world, "parcels", batch_size=4)
    for _ in range(12):
        await world.advance(SECOND)
    document = await world.one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.DONE, 9)
    assert {parcel["times"] for parcel in await world.all("parcels")} == {1}
    assert [page.attempt for page in await world.jobs(PAGE)] == [4, 1, 1]


async def test_a_repeated_page_has_no_effect(world: World) -> None:
    await add(world, 5)
    batch = await start(world, batch_size=2)
    await world.settled()
    again = {"cursor": None, "batchId": batch.id}
    await world.schedule(PAGE, again)
    await world.settled()
    assert (await world.one("batches", _id=batch.id))["processed"] == 2
    assert (await world.jobs(PAGE))[1].result == 0


async def test_a_batch_fails_after_the_last_retry_of_a_page(world: World) -> None:
    await world.engine.mongo["parcels"].insert_one({"_id": "a", "owner": "alice", "sent": False})
    faults["parcels"] = 4
    batch = await start(world, "parcels")
    for _ in range(8):
        await world.advance(SECOND)
    await world.do(lambda ctx: repair_batch(ctx, batch.id))
    document = await world.one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.FAILED, 0)
    assert (await world.one("failures"))["attempts"] == 4
    assert not (await world.one("parcels"))["sent"]


async def test_canceling_a_batch_cancels_its_pending_page_and_keeps_processed_items(
    world: World,
) -> None:
    await add(world, 5)
    batch = await start(world, batch_size=2)
    await world.settled()
    canceled = await world.do(lambda ctx: cancel_batch(ctx, batch.id))
    await run_pages(world, 3)
    assert (canceled.state, canceled.processed) == (BatchState.CANCELED, 2)
    assert len(await world.all("items", processed=True)) == 2
    assert (await world.jobs(PAGE))[-1].state is JobState.CANCELED


async def test_a_batch_that_has_ended_cannot_be_canceled(world: World) -> None:
    batch = await start(world)
    await world.settled()
    with pytest.raises(PreconditionFailed, match="done"):
        await world.do(lambda ctx: cancel_batch(ctx, batch.id))


async def test_a_batch_of_another_owner_is_not_found(world_without_worker: World) -> None:
    batch = await start(world_without_worker)
    with pytest.raises(NotFound):
        await world_without_worker.do(lambda ctx: cancel_batch(ctx, batch.id), "bob")


async def test_a_source_may_define_its_own_page_query(world: World) -> None:
    batch = await start(world, "numbers", batch_size=2)
    await run_pages(world, 2)
    assert batch.total is None
    numbers = sorted(one["number"] for one in await world.all("numbers"))
    assert numbers == [1, 2, 3, 4, 5]


async def test_a_source_defines_who_may_start_it(world_without_worker: World) -> None:
    numbers, items = (
        world_without_worker.engine.registry.batches[name] for name in ("numbers", "items")
    )
    assert items.callable_by([])
    assert (numbers.callable_by([]), numbers.callable_by(["counter"])) == (False, True)


IDS: list[Any] = [None, -1, 2.5, 2**40, "a", "bson:b", {"b": 1, "a": "x"}, {"b": 2}, Binary(b"x")]
IDS += [Binary.from_uuid(UUID(int=7)), ObjectId(), True, datetime.now(UTC), MaxKey(), DBRef("x", 1)]


@pytest.mark.parametrize("batch_size", [1, 4])
async def test_documents_with_ids_of_any_type_are_processed_once(
    world: World, batch_size: int
) -> None:
    stamps = [{"_id": document_id, "times": 0} for document_id in IDS]
    await world.engine.mongo["stamps"].insert_many(stamps)
    batch = await start(world, "stamps", batch_size=batch_size, delay_ms=0)
    await run_pages(world, len(IDS) // batch_size)
    assert {stamp["times"] for stamp in await world.all("stamps")} == {1}
    document = await world.one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.DONE, len(IDS))


async def test_string_ids_are_unchanged_in_cursors(world: World) -> None:
    assert [id_to_text(text) for text in ("", "a", '{"$oid": 1}')] == ["", "a", '{"$oid": 1}']
    assert id_from_text(id_to_text("bson:b")) == "bson:b"
    assert id_from_text("a") == "a"


async def test_starting_a_batch_over_documents_without_an_owner_is_rejected(
    world_without_worker: World,
) -> None:
    await world_without_worker.engine.mongo["parcels"].insert_many(
        [{"_id": n, "sent": False} for n in range(3)]
    )
    with pytest.raises(
        PreconditionFailed,
        match=r"'parcels' have no field `owner`.*@batch\('parcels', owned=False\)",
    ):
        await start(world_without_worker, "parcels")
    assert await world_without_worker.all("batches") == []


async def test_a_batch_with_owned_false_processes_all_documents(world: World) -> None:
    owners: list[dict[str, Any]] = [
        {"_id": 1, "owner": "bob"},
        {"_id": 2, "owner": "alice"},
        {"_id": 3},
    ]
    await world.engine.mongo["stamps"].insert_many(owners)
    await start(world, "stamps")
    await world.settled()
    assert [stamp["times"] for stamp in await world.all("stamps")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"source": "nothing"}, "source"),
        ({"batch_size": 0}, "batchSize"),
        ({"batch_size": 1_001}, "batchSize"),
        ({"delay_ms": -1}, "delayMs"),
    ],
)
async def test_an_invalid_field_is_reported_by_name(
    world_without_worker: World, fields: Any, path: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        await start(world_without_worker, **fields)
    assert [issue.path[0] for issue in raised.value.issues] == [path]


async def test_one_call_adds_at_most_a_thousand_items(world_without_worker: World) -> None:
    for count in (0, 1_001):
        with pytest.raises(BadRequest):
            await add(world_without_worker, count)


async def test_a_batch_with_a_lost_page_is_repaired_once(world_without_worker: World) -> None:
    batch = await start(world_without_worker)
    assert not await world_without_worker.do(lambda ctx: repair_batch(ctx, batch.id))
    await world_without_worker.engine.mongo["jobs"].delete_many({})
    assert await world_without_worker.do(lambda ctx: repair_batch(ctx, batch.id))
    assert not await world_without_worker.do(lambda ctx: repair_batch(ctx, batch.id))


async def test_sweeper_recovers_a_lost_page(world: World) -> None:
    await add(world, 3)
    batch = await start(world, batch_size=2)
    await world.settled()
    await world.engine.mongo["jobs"].delete_many({"state": JobState.PENDING.value})
    await eventually(lambda: world.all("batches", _id=batch.id, state="done"))
    assert len(await world.all("items", version=2)) == 3
