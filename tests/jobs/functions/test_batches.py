"""Rate-limited batches: every item once, page by page, even if pages are interrupted."""

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


async def start(world: World, source: str = "items", owner: str = "alice", **fields: int) -> Batch:
    return await world.do(lambda ctx: start_batch(ctx, source, **fields), owner)


async def add(world: World, count: int, owner: str = "alice") -> list[str]:
    items: list[Json] = [{"number": number} for number in range(count)]
    return await world.do(lambda ctx: add_items(ctx, items), owner)


async def pass_pages(world: World, count: int) -> None:
    await world.settled()
    for _ in range(count):
        await world.advance(SECOND)


async def test_pages_of_a_hundred_come_a_second_apart(world: World) -> None:
    await add(world, 250)
    batch = await start(world)
    await pass_pages(world, 3)
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
    await pass_pages(world, 2)
    document = await world.one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.DONE, 5)
    assert document["completedAt"] is not None
    assert len(await world.jobs(PAGE)) == 3


async def test_a_batch_shows_how_far_it_is(world: World) -> None:
    await add(world, 5)
    batch = await start(world, batch_size=2)
    await world.settled()
    document = await world.one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.RUNNING, 2)
    assert document["version"] == batch.version + 1


async def test_a_batch_over_nothing_is_done_after_one_page(world: World) -> None:
    batch = await start(world)
    await world.settled()
    assert (await world.one("batches", _id=batch.id))["state"] == BatchState.DONE


async def test_a_batch_sees_the_items_of_its_owner_only(world: World) -> None:
    await add(world, 3)
    await add(world, 4, "bob")
    batch = await start(world)
    await world.settled()
    assert batch.total == 3
    assert len(await world.all("items", processed=True, owner="alice")) == 3
    assert await world.all("items", processed=True, owner="bob") == []


async def test_items_keep_their_data_apart_from_their_state(world: World) -> None:
    await world.do(lambda ctx: add_items(ctx, [{"processed": True, "owner": "bob"}, 7]))
    first, second = await world.all("items")
    assert (first["data"], first["processed"]) == ({"processed": True, "owner": "bob"}, False)
    assert (second["data"], second["owner"]) == (7, "alice")


async def test_two_batches_at_once_process_each_item_once(world: World) -> None:
    await add(world, 60)
    for _ in range(3):
        await start(world, batch_size=10, delay_ms=0)
    await pass_pages(world, 2)
    assert {item["version"] for item in await world.all("items")} == {2}


async def test_a_page_cut_off_midway_processes_each_item_once(world: World) -> None:
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


async def test_a_page_that_is_run_again_finds_the_cursor_moved_on(world: World) -> None:
    await add(world, 5)
    batch = await start(world, batch_size=2)
    await world.settled()
    again = {"cursor": None, "batchId": batch.id}
    await world.schedule(PAGE, again)
    await world.settled()
    assert (await world.one("batches", _id=batch.id))["processed"] == 2
    assert (await world.jobs(PAGE))[1].result == 0


async def test_a_batch_whose_page_keeps_failing_has_failed(world: World) -> None:
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


async def test_cancelling_cancels_the_pending_page_and_keeps_what_was_done(world: World) -> None:
    await add(world, 5)
    batch = await start(world, batch_size=2)
    await world.settled()
    canceled = await world.do(lambda ctx: cancel_batch(ctx, batch.id))
    await pass_pages(world, 3)
    assert (canceled.state, canceled.processed) == (BatchState.CANCELED, 2)
    assert len(await world.all("items", processed=True)) == 2
    assert (await world.jobs(PAGE))[-1].state is JobState.CANCELED


async def test_a_batch_that_has_ended_cannot_be_cancelled(world: World) -> None:
    batch = await start(world)
    await world.settled()
    with pytest.raises(PreconditionFailed, match="done"):
        await world.do(lambda ctx: cancel_batch(ctx, batch.id))


async def test_somebody_elses_batch_is_not_found(idle: World) -> None:
    batch = await start(idle)
    with pytest.raises(NotFound):
        await idle.do(lambda ctx: cancel_batch(ctx, batch.id), "bob")


async def test_a_source_may_have_a_query_of_its_own(world: World) -> None:
    batch = await start(world, "numbers", batch_size=2)
    await pass_pages(world, 2)
    assert batch.total is None
    numbers = sorted(one["number"] for one in await world.all("numbers"))
    assert numbers == [1, 2, 3, 4, 5]


async def test_a_source_says_who_may_start_it(idle: World) -> None:
    numbers, items = (idle.engine.registry.batches[name] for name in ("numbers", "items"))
    assert items.callable_by([])
    assert (numbers.callable_by([]), numbers.callable_by(["counter"])) == (False, True)


IDS: list[Any] = [None, -1, 2.5, 2**40, "a", "bson:b", {"b": 1, "a": "x"}, {"b": 2}, Binary(b"x")]
IDS += [Binary.from_uuid(UUID(int=7)), ObjectId(), True, datetime.now(UTC), MaxKey(), DBRef("x", 1)]


@pytest.mark.parametrize("batch_size", [1, 4])
async def test_ids_of_any_types_are_processed_once_each(world: World, batch_size: int) -> None:
    stamps = [{"_id": document_id, "times": 0} for document_id in IDS]
    await world.engine.mongo["stamps"].insert_many(stamps)
    batch = await start(world, "stamps", batch_size=batch_size, delay_ms=0)
    await pass_pages(world, len(IDS) // batch_size)
    assert {stamp["times"] for stamp in await world.all("stamps")} == {1}
    document = await world.one("batches", _id=batch.id)
    assert (document["state"], document["processed"]) == (BatchState.DONE, len(IDS))


async def test_a_cursor_of_a_string_is_that_string_as_it_always_was(world: World) -> None:
    assert [id_to_text(text) for text in ("", "a", '{"$oid": 1}')] == ["", "a", '{"$oid": 1}']
    assert id_from_text(id_to_text("bson:b")) == "bson:b"
    assert id_from_text("a") == "a"


async def test_a_batch_over_documents_without_owners_is_refused_when_it_starts(
    idle: World,
) -> None:
    await idle.engine.mongo["parcels"].insert_many([{"_id": n, "sent": False} for n in range(3)])
    with pytest.raises(
        PreconditionFailed,
        match=r"'parcels' have no field `owner`.*@batch\('parcels', owned=False\)",
    ):
        await start(idle, "parcels")
    assert await idle.all("batches") == []


async def test_a_batch_without_owners_sees_the_documents_of_all(world: World) -> None:
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
async def test_a_wrong_field_is_named(idle: World, fields: Any, path: str) -> None:
    with pytest.raises(BadRequest) as raised:
        await start(idle, **fields)
    assert [issue.path[0] for issue in raised.value.issues] == [path]


async def test_at_most_a_thousand_items_are_added_at_once(idle: World) -> None:
    for count in (0, 1_001):
        with pytest.raises(BadRequest):
            await add(idle, count)


async def test_a_batch_whose_page_is_lost_is_repaired_once(idle: World) -> None:
    batch = await start(idle)
    assert not await idle.do(lambda ctx: repair_batch(ctx, batch.id))
    await idle.engine.mongo["jobs"].delete_many({})
    assert await idle.do(lambda ctx: repair_batch(ctx, batch.id))
    assert not await idle.do(lambda ctx: repair_batch(ctx, batch.id))


async def test_sweeper_recovers_a_lost_page(world: World) -> None:
    await add(world, 3)
    batch = await start(world, batch_size=2)
    await world.settled()
    await world.engine.mongo["jobs"].delete_many({"state": JobState.PENDING.value})
    await eventually(lambda: world.all("batches", _id=batch.id, state="done"))
    assert len(await world.all("items", version=2)) == 3
