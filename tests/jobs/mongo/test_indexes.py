"""A missing index is reported and rebuilt; until then reads are slow but correct."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import IndexModel
from structlog.testing import capture_logs

from ostinato.jobs.engine import Engine
from ostinato.jobs.findings import Finding
from ostinato.jobs.mongo import indexes
from ostinato.jobs.mongo.collections import COLLECTIONS
from ostinato.jobs.mongo.diagnostics import inspect_mongo
from ostinato.jobs.mongo.indexes import (
    build_missing_indexes,
    ensure_collections,
    index_name,
    is_unique,
)
from tests.engine.rig import Rig, run_worker

INDEXES = [(spec.name, index) for spec in COLLECTIONS for index in spec.indexes]
SUBJECTS = [f"index {collection}.{index_name(index)}" for collection, index in INDEXES]
UNIQUE = [(collection, index) for collection, index in INDEXES if is_unique(index)]


def label(value: object) -> str:
    return index_name(value) if isinstance(value, IndexModel) else str(value)


EVERY_UNIQUE_INDEX = pytest.mark.parametrize(("collection", "index"), UNIQUE, ids=label)


@pytest.fixture(autouse=True)
async def _restored_indexes(rig_without_worker: Rig) -> AsyncIterator[None]:
    """Restore the indexes that other tests rely on."""
    yield
    for spec in COLLECTIONS:
        await rig_without_worker.engine.mongo[spec.name].delete_many({})
        if indexes.find_missing(
            spec.indexes, await rig_without_worker.engine.mongo[spec.name].index_information()
        ):
            await rig_without_worker.engine.mongo[spec.name].drop_indexes()
    await ensure_collections(rig_without_worker.engine.mongo)


async def findings(rig: Rig) -> list[Finding]:
    """Return the findings of `doctor` about indexes."""
    settings = rig.engine.settings
    found = await inspect_mongo(settings.mongo_url, settings.database)
    return [finding for finding in found if finding.subject.startswith("index")]


async def names(rig: Rig, collection: str) -> set[str]:
    return set(await rig.engine.mongo[collection].index_information())


async def insert_duplicates(rig: Rig, collection: str, index: IndexModel) -> None:
    """Drop a unique index and insert two documents with the same keys."""
    await rig.engine.mongo[collection].drop_index(index_name(index))
    same = {field: {"a": 1} if field == "tick" else "same" for field in index.document["key"]}
    documents: list[dict[str, Any]] = [{"_id": f"{n}" * 24, **same} for n in (1, 2)]
    await rig.engine.mongo[collection].insert_many(documents)


async def test_dropped_indexes_are_reported_and_rebuilt(rig_without_worker: Rig) -> None:
    mongo = rig_without_worker.engine.mongo
    for spec in COLLECTIONS:
        await mongo[spec.name].drop_indexes()
    found = await findings(rig_without_worker)
    assert [(one.subject, one.ok) for one in found] == [(name, False) for name in SUBJECTS]
    assert all("is missing" in one.detail for one in found)
    assert await build_missing_indexes(mongo) == len(INDEXES)
    for spec in COLLECTIONS:
        expected = {index_name(index) for index in spec.indexes}
        assert await names(rig_without_worker, spec.name) == {"_id_", *expected}
    assert [one.detail for one in await findings(rig_without_worker)] == ["all exist"]


async def test_startup_rebuilds_indexes_with_different_keys(rig_without_worker: Rig) -> None:
    mongo = rig_without_worker.engine.mongo
    for collection, index in INDEXES:
        await mongo[collection].drop_index(index_name(index))
        other_key = f"other_{index_name(index)}"
        await mongo[collection].create_index([(other_key, 1)], name=index_name(index))
    found = await findings(rig_without_worker)
    assert [one.subject for one in found] == SUBJECTS
    assert {one.detail for one in found} == {"has other keys or options"}
    assert await build_missing_indexes(mongo) == 0  # another version may use them
    await ensure_collections(mongo)
    assert [one.detail for one in await findings(rig_without_worker)] == ["all exist"]


@EVERY_UNIQUE_INDEX
async def test_duplicates_are_reported_and_processes_start(
    rig_without_worker: Rig, collection: str, index: IndexModel
) -> None:
    await insert_duplicates(rig_without_worker, collection, index)
    (found,) = await findings(rig_without_worker)
    with capture_logs() as logs:
        async with Engine.open(rig_without_worker.engine.settings):
            assert await build_missing_indexes(rig_without_worker.engine.mongo) == 0
    logged = [line["found"] for line in logs if line["event"] == "index.unbuilt"]
    assert logged == [found.detail] * 2
    assert "2 documents have" in found.detail
    assert f"(_id: {'1' * 24}, {'2' * 24})" in found.detail
    assert f"`{list(index.document['key'])[-1]}`" in str(found.fix)


@EVERY_UNIQUE_INDEX
async def test_unique_index_is_built_after_its_duplicates_are_removed(
    rig_without_worker: Rig, collection: str, index: IndexModel
) -> None:
    await insert_duplicates(rig_without_worker, collection, index)
    await rig_without_worker.engine.mongo[collection].delete_one({"_id": "2" * 24})
    assert await build_missing_indexes(rig_without_worker.engine.mongo) == 1


async def rename_index(rig: Rig, collection: str, index: IndexModel, name: str) -> None:
    definition = dict(index.document) | {"name": name}
    await rig.engine.mongo[collection].drop_index(index_name(index))
    keys = list(definition.pop("key").items())
    await rig.engine.mongo[collection].create_index(keys, **definition)


async def test_indexes_with_the_same_keys_under_other_names_are_reported(
    rig_without_worker: Rig,
) -> None:
    mongo = rig_without_worker.engine.mongo
    for collection, index in INDEXES:
        await rename_index(rig_without_worker, collection, index, f"by_hand_{index_name(index)}")
    with capture_logs() as logs:
        await ensure_collections(mongo)
    found = await findings(rig_without_worker)
    for (collection, index), one in zip(INDEXES, found, strict=True):
        name = f"by_hand_{index_name(index)}"
        assert one.detail == f"exists under the name '{name}'"
        assert f'db.{collection}.dropIndex("{name}")' in str(one.fix)
    logged = [line["found"] for line in logs if line["event"] == "index.unbuilt"]
    assert logged == [one.detail for one in found]


async def test_index_is_missing_though_another_one_has_its_keys(rig_without_worker: Rig) -> None:
    await rig_without_worker.engine.mongo["failures"].drop_index("owner_open")
    (found,) = await findings(rig_without_worker)
    assert found.subject == "index failures.owner_open"
    assert found.detail.startswith("is missing")


@pytest.mark.parametrize("name", ["due", "fair", "running", "failed"])
async def test_jobs_run_and_cancel_without_a_hinted_index(
    rig_without_worker: Rig, name: str
) -> None:
    settings = rig_without_worker.engine.settings.model_copy(update={"sweep_ms": 600_000})
    async with run_worker(settings):
        await rig_without_worker.run("echo")
        await rig_without_worker.engine.mongo["jobs"].drop_index(name)
        assert (await rig_without_worker.run("echo"))["state"] == "success"
        job_id = await rig_without_worker.schedule("wait_forever")
        await rig_without_worker.wait_for_state(job_id, "inProgress")
        await rig_without_worker.cancel(job_id)
        assert (await rig_without_worker.wait_until_ended(job_id))["state"] == "canceled"
        assert name not in await names(rig_without_worker, "jobs")


async def test_leader_rebuilds_dropped_indexes(rig_without_worker: Rig) -> None:
    settings = rig_without_worker.engine.settings.model_copy(update={"sweep_ms": 50})
    async with run_worker(settings):
        await rig_without_worker.run("echo")
        for collection, index in INDEXES:
            await rig_without_worker.engine.mongo[collection].drop_index(index_name(index))

        async def all_indexes_exist() -> bool:
            found = {spec.name: await names(rig_without_worker, spec.name) for spec in COLLECTIONS}
            return all(index_name(index) in found[where] for where, index in INDEXES)

        await rig_without_worker.wait_until(all_indexes_exist, within=30)
