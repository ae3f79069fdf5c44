"""An application's own database: `ctx.db` uses it, and Ostinato's collections stay in theirs."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from ostinato.jobs.context import Context
from ostinato.jobs.functions.batch import NewBatch, add_items, start_batch
from ostinato.jobs.records import JobState
from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import ALICE, SECOND, PatternRig, running_rig

ESCAPED_BY_OSTINATO = {"_id": "a", "args": {"$ref": 1}, "result": {"a.b": None}}


@pytest.fixture
def app_database(
    settings: Settings, mongo_admin: MongoClient[dict[str, Any]]
) -> Iterator[Database[dict[str, Any]]]:
    """Return the empty database of an application, on the same deployment."""
    name = f"{settings.database}_app"
    mongo_admin.drop_database(name)
    yield mongo_admin[name]
    mongo_admin.drop_database(name)


@pytest.fixture
async def app_rig(
    pattern_settings: Settings, app_database: Database[dict[str, Any]]
) -> AsyncIterator[PatternRig]:
    """Return an installation with a worker, whose functions use the application's database."""
    settings = pattern_settings.model_copy(update={"app_database": app_database.name})
    async with running_rig(settings) as rig:
        yield rig


async def store_order(ctx: Context) -> str:
    """Write to both databases: an order, and the job that sends it."""
    await ctx.db["orders"].insert_one({"_id": "order"})
    return await ctx.scheduler.run_after(0, "work.writeLine")


async def test_an_order_and_its_job_commit_together(
    app_rig: PatternRig, app_database: Database[dict[str, Any]]
) -> None:
    await app_rig.run_mutation(store_order)
    await app_rig.wait_until_settled()
    [job] = await app_rig.jobs("work.writeLine")
    assert job.state is JobState.SUCCESS
    assert list(app_database["orders"].find()) == [{"_id": "order"}]
    assert app_database.list_collection_names() == ["orders"]
    assert await app_rig.all("orders") == []


async def test_a_mutation_that_raises_leaves_nothing_in_either_database(
    app_rig: PatternRig, app_database: Database[dict[str, Any]]
) -> None:
    async def body(ctx: Context) -> None:
        await store_order(ctx)
        raise ValueError("no stock")

    with pytest.raises(ValueError, match="no stock"):
        await app_rig.run_mutation(body)
    assert list(app_database["orders"].find()) == []
    assert await app_rig.jobs("work.writeLine") == []


async def test_the_names_of_ostinatos_collections_are_free(
    app_rig: PatternRig, app_database: Database[dict[str, Any]]
) -> None:
    async def body(ctx: Context) -> dict[str, Any] | None:
        await ctx.db["jobs"].insert_one(dict(ESCAPED_BY_OSTINATO))
        return await ctx.db["jobs"].find_one({"_id": "a"})

    assert await app_rig.run_mutation(body) == ESCAPED_BY_OSTINATO
    assert list(app_database["jobs"].find()) == [ESCAPED_BY_OSTINATO]
    assert await app_rig.jobs() == []


async def test_a_function_reads_ostinatos_collections_and_writes_items_only(
    app_rig: PatternRig,
) -> None:
    async def body(ctx: Context) -> list[dict[str, Any]]:
        await ctx.db.ostinato("items").insert_one({"_id": "item"})
        with pytest.raises(PermissionError, match="may read 'jobs' but not write to it"):
            await ctx.db.ostinato("jobs").delete_many({})
        return await ctx.db.ostinato("jobs").find({}, {"_id": 1})

    job_id = await app_rig.schedule("work.writeLine", {}, delay_ms=SECOND * 3_600)
    assert await app_rig.run_mutation(body) == [{"_id": job_id}]
    assert await app_rig.all("items") == [{"_id": "item"}]


async def test_batches_read_the_applications_collections_and_ostinatos_items(
    app_rig: PatternRig, app_database: Database[dict[str, Any]]
) -> None:
    app_database["stamps"].insert_many([{"_id": 1}, {"_id": "two"}])
    await app_rig.run_mutation(lambda ctx: add_items(ctx, [{"number": 1}]), ALICE)
    for source in ("stamps", "items"):
        batch = await app_rig.run_mutation(partial(start_batch, new=NewBatch(source=source)))
        await app_rig.wait_until_settled()
        assert (await app_rig.find_one("batches", _id=batch.id))["state"] == "done"
    assert list(app_database["stamps"].find({}, {"_id": 0})) == [{"times": 1}] * 2
    assert [item["processed"] for item in await app_rig.all("items")] == [True]


async def test_an_action_writes_to_the_applications_database(
    app_rig: PatternRig, app_database: Database[dict[str, Any]]
) -> None:
    await app_rig.schedule("work.writeAndFail", {})
    await app_rig.wait_until_settled()
    assert list(app_database["notes"].find()) == [{"_id": "note"}]
    assert await app_rig.all("notes") == []
