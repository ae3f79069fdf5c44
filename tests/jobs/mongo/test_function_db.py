"""A function can read all collections, but cannot write to those that Ostinato manages."""

from functools import partial
from typing import Any

import pytest

from ostinato.jobs.context import Context
from ostinato.jobs.functions.failures import log_failure
from ostinato.jobs.functions.requests import create_with_timeout
from ostinato.jobs.mongo.collections import COLLECTIONS, ITEMS, READ_ONLY
from tests.engine.rig import Rig

WRITES: dict[str, tuple[Any, ...]] = {
    "insert_one": ({"_id": "a"},),
    "insert_many": ([{"_id": "a"}],),
    "update_one": ({}, {"$set": {"owner": "bob"}}),
    "update_many": ({}, {"$set": {"owner": "bob"}}),
    "find_one_and_update": ({}, {"$set": {"owner": "bob"}}),
    "delete_one": ({},),
    "delete_many": ({},),
}


async def test_ostinato_manages_every_collection_except_items() -> None:
    assert {spec.name for spec in COLLECTIONS} - {ITEMS} == set(READ_ONLY)


@pytest.mark.parametrize("method", WRITES)
async def test_mutation_cannot_write_collections_managed_by_ostinato(
    rig_without_worker: Rig, method: str, subtests: pytest.Subtests
) -> None:
    async def write(name: str, ctx: Context) -> None:
        await getattr(ctx.db[name], method)(*WRITES[method])

    for name in (*READ_ONLY, "system.views"):
        with subtests.test(name):
            with pytest.raises(PermissionError, match=f"may read '{name}' but not write to it: "):
                await rig_without_worker.engine.transact("alice", partial(write, name))
            if name in READ_ONLY:  # only MongoDB itself may read system collections
                assert await rig_without_worker.all(name) == []


@pytest.mark.parametrize("stage", ["$out", "$merge"])
async def test_aggregation_cannot_write(rig_without_worker: Rig, stage: str) -> None:
    await rig_without_worker.schedule("echo")

    async def body(ctx: Context) -> None:
        await ctx.db["jobs"].aggregate([{stage: "requests"}])

    with pytest.raises(PermissionError, match=rf"may not use \{stage}: write with insert_many"):
        await rig_without_worker.engine.transact("alice", body)
    assert await rig_without_worker.all("requests") == []


async def test_function_can_read_managed_collections(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("echo")

    async def body(ctx: Context) -> list[Any]:
        joined = {"from": "jobs", "localField": "_id", "foreignField": "_id", "as": "same"}
        return await ctx.db["jobs"].aggregate([{"$lookup": joined}])

    (found,) = await rig_without_worker.engine.transact("alice", body)
    assert (found["_id"], found["same"][0]["_id"]) == (job_id, job_id)


async def test_function_changes_managed_collections_through_built_in_functions(
    rig_without_worker: Rig,
) -> None:
    async def body(ctx: Context) -> str:
        await create_with_timeout(ctx, {"what": "ever"})
        return await log_failure(ctx, "it is broken")

    failure_id = await rig_without_worker.engine.transact("alice", body)
    assert [failure["_id"] for failure in await rig_without_worker.all("failures")] == [failure_id]
    assert [request["owner"] for request in await rig_without_worker.all("requests")] == ["alice"]
