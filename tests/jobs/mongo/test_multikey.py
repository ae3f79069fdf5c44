"""An array in an indexed field makes its index multikey permanently.

The document is reported, and the index is rebuilt once no array is left.
"""

from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any, Final

import pytest
from pymongo import IndexModel, MongoClient
from structlog.testing import capture_logs

from ostinato.jobs.findings import Finding
from ostinato.jobs.ids import new_id
from ostinato.jobs.lanes import Lane
from ostinato.jobs.mongo import multikey
from ostinato.jobs.mongo.collections import COLLECTIONS
from ostinato.jobs.mongo.diagnostics import inspect_mongo
from ostinato.jobs.mongo.due_jobs import ANY_OWNER, DueJobs, Owner
from ostinato.jobs.mongo.indexes import index_name
from ostinato.jobs.mongo.multikey import MultikeyIndexes
from tests.engine.rig import Document, Rig, run_worker
from tests.jobs.dispatch.test_dispatch import insert_jobs
from tests.malformed import VALID_FIELDS, valid_document
from tests.profiling import profiled

Raw = MongoClient[dict[str, Any]]

INDEXES: Final = {spec.name: spec.indexes for spec in COLLECTIONS}
Indexes = list[tuple[str, IndexModel]]
REBUILDABLE: Final[list[Indexes]] = [
    [(spec.name, index) for index in spec.indexes if multikey.can_be_rebuilt(index)]
    for spec in COLLECTIONS
]
"""The indexes of each collection."""
ONE_OF_EACH_COLLECTION: Final[list[Indexes]] = [
    [one for one in indexes if one] for indexes in zip_longest(*REBUILDABLE)
]
"""All of them, in lists with at most one index of each collection: one document may change
several indexes of its collection."""
EVERY_INDEX = pytest.mark.parametrize("tested", ONE_OF_EACH_COLLECTION)


def documents_with_arrays(collection: str, index: IndexModel) -> list[Document]:
    """Build a document for each field of the index, with an array in or around the field."""
    fields = [field for field in index.document["key"] if field != "_id"]  # cannot be an array
    return [_with_array(collection, index, *field.partition(".")) for field in fields]


def _with_array(
    collection: str, index: IndexModel, outer: str, nested: str, inner: str
) -> Document:
    document: Document = (
        valid_document(collection)
        if collection in VALID_FIELDS
        else {"_id": new_id(), "owner": "ann"}
    )
    partial: Document = dict(index.document.get("partialFilterExpression", {}))
    for name, value in partial.items():
        if name == "state":
            document[name] = value if isinstance(value, str) else value["$in"][0]
        elif value == {"$type": "date"}:
            document.setdefault(name, datetime(2026, 1, 1, tzinfo=UTC))
    return document | {outer: [{inner: "x"}] if nested else [document.get(outer)]}


def raw(mongo_admin: Raw, rig: Rig) -> Any:
    return mongo_admin[rig.engine.settings.database]


def leave_multikey(mongo_admin: Raw, rig: Rig, field: str) -> None:
    """Insert a job with an array in a field, and delete it."""
    jobs, document = raw(mongo_admin, rig)["jobs"], valid_document("jobs")
    jobs.insert_one(document | {field: [document[field]]})
    jobs.delete_one({"_id": document["_id"]})


def multikey_indexes(mongo_admin: Raw, rig: Rig, collection: str) -> set[str]:
    """Read the server's catalog, independently of Ostinato's query."""
    (found,) = raw(mongo_admin, rig)[collection].aggregate([{"$listCatalog": {}}])
    return {index["spec"]["name"] for index in found["md"]["indexes"] if index["multikey"]}


def unique_indexes(collection: str) -> set[str]:
    """Return the indexes of a collection that cannot be rebuilt."""
    return {
        index_name(index) for index in INDEXES[collection] if not multikey.can_be_rebuilt(index)
    }


async def findings(rig: Rig) -> dict[str, Finding]:
    """Return the findings of `doctor` about indexes, by subject."""
    settings = rig.engine.settings
    found = await inspect_mongo(settings.mongo_url, settings.database)
    return {finding.subject: finding for finding in found if finding.subject.startswith("index")}


@EVERY_INDEX
async def test_document_that_makes_an_index_multikey_is_reported_and_the_index_kept(
    rig_without_worker: Rig, mongo_admin: Raw, tested: Indexes
) -> None:
    documents = {name: documents_with_arrays(name, index) for name, index in tested}
    for collection, damaged in documents.items():
        raw(mongo_admin, rig_without_worker)[collection].insert_many(damaged)
    found = await findings(rig_without_worker)
    assert await MultikeyIndexes(rig_without_worker.engine.mongo).rebuild() == 0
    for collection, index in tested:
        finding = found[f"index {collection}.{index_name(index)}"]
        assert all(repr(each["_id"]) in finding.detail for each in documents[collection])
        assert "delete these documents" in str(finding.fix)
        assert index_name(index) in multikey_indexes(mongo_admin, rig_without_worker, collection)


@EVERY_INDEX
async def test_multikey_index_is_rebuilt_after_the_last_array_is_removed(
    rig_without_worker: Rig, mongo_admin: Raw, tested: Indexes
) -> None:
    for collection, index in tested:
        documents = raw(mongo_admin, rig_without_worker)[collection]
        documents.insert_many(documents_with_arrays(collection, index))
        documents.delete_many({})
    found = await findings(rig_without_worker)
    for collection, index in tested:
        detail = found[f"index {collection}.{index_name(index)}"].detail
        assert "no document has one now" in detail
    assert await MultikeyIndexes(rig_without_worker.engine.mongo).rebuild() >= len(tested)
    for collection, _ in tested:
        left = multikey_indexes(mongo_admin, rig_without_worker, collection)
        assert left <= unique_indexes(collection)
    assert (await findings(rig_without_worker))["indexes"].ok


@pytest.mark.parametrize("owner", [ANY_OWNER, "alice"])
@pytest.mark.parametrize(("field", "read"), [("scheduledTime", 250), ("owner", 10)])
async def test_array_makes_the_dispatcher_read_a_whole_lane_until_the_index_is_rebuilt(
    rig_without_worker: Rig, mongo_admin: Raw, owner: Owner, field: str, read: int
) -> None:
    await insert_jobs(rig_without_worker, 250, owner="alice")
    leave_multikey(mongo_admin, rig_without_worker, field)
    due = DueJobs(rig_without_worker.engine.mongo)
    async with profiled(rig_without_worker.engine.mongo) as slow:
        assert len(await due.find_first(Lane(), 10, frozenset(), owner)) == 10
    await MultikeyIndexes(rig_without_worker.engine.mongo).rebuild()
    async with profiled(rig_without_worker.engine.mongo) as fast:
        assert len(await due.find_first(Lane(), 10, frozenset(), owner)) == 10
    assert [explained["docsExamined"] for explained in slow + fast] == [read, 0]


async def test_array_makes_the_dispatcher_read_every_lane_until_the_index_is_rebuilt(
    rig_without_worker: Rig, mongo_admin: Raw
) -> None:
    await insert_jobs(rig_without_worker, 250)
    leave_multikey(mongo_admin, rig_without_worker, "lane")
    async with profiled(rig_without_worker.engine.mongo) as slow:
        assert (await DueJobs(rig_without_worker.engine.mongo).lane_heads("default")).keys() == {
            Lane()
        }
    await MultikeyIndexes(rig_without_worker.engine.mongo).rebuild()
    async with profiled(rig_without_worker.engine.mongo) as fast:
        assert (await DueJobs(rig_without_worker.engine.mongo).lane_heads("default")).keys() == {
            Lane()
        }
    assert slow[0]["keysExamined"] >= 250
    assert fast[0]["keysExamined"] <= 2


async def test_document_with_an_array_is_logged_once_with_its_id(
    rig_without_worker: Rig, mongo_admin: Raw
) -> None:
    document = valid_document("jobs") | {"scheduledTime": []}
    raw(mongo_admin, rig_without_worker)["jobs"].insert_one(document)
    watch = MultikeyIndexes(rig_without_worker.engine.mongo)
    with capture_logs() as logs:
        assert [await watch.rebuild() for _ in range(3)] == [0, 0, 0]
    named = {line["index"]: line for line in logs if line["event"] == "index.multikey"}
    assert named.keys() == {
        f"index jobs.{name}" for name in ("due", "fair", "owner_scheduled", "scheduled")
    }
    assert len(logs) == len(named)
    assert all(f"`scheduledTime` (_id: {document['_id']!r})" in line["found"] for line in logs)


async def test_another_document_with_an_array_is_logged_as_well(
    rig_without_worker: Rig, mongo_admin: Raw
) -> None:
    jobs = raw(mongo_admin, rig_without_worker)["jobs"]
    watch = MultikeyIndexes(rig_without_worker.engine.mongo)
    for document in (
        valid_document("jobs") | {"lane": []},
        valid_document("jobs") | {"lane": ["a"]},
    ):
        jobs.delete_many({})
        jobs.insert_one(document)
        with capture_logs() as logs:
            assert await watch.rebuild() == 0
        assert all(repr(document["_id"]) in line["found"] for line in logs)
        assert len(logs) == 2


async def test_array_in_an_ended_job_does_not_keep_pending_indexes_multikey(
    rig_without_worker: Rig, mongo_admin: Raw
) -> None:
    document = valid_document("jobs") | {"scheduledTime": []}
    jobs = raw(mongo_admin, rig_without_worker)["jobs"]
    jobs.insert_one(document)
    jobs.update_one({"_id": document["_id"]}, {"$set": {"state": "canceled"}})
    assert await MultikeyIndexes(rig_without_worker.engine.mongo).rebuild() == 2
    assert multikey_indexes(mongo_admin, rig_without_worker, "jobs") == {
        "owner_scheduled",
        "scheduled",
    }


async def test_multikey_unique_index_is_not_dropped(
    rig_without_worker: Rig, mongo_admin: Raw
) -> None:
    jobs = raw(mongo_admin, rig_without_worker)["jobs"]
    jobs.insert_one(valid_document("jobs") | {"key": ["a", "b"]})
    jobs.delete_many({})
    assert multikey_indexes(mongo_admin, rig_without_worker, "jobs") == {"owner_key"}
    assert await MultikeyIndexes(rig_without_worker.engine.mongo).rebuild() == 0


async def test_index_with_another_definition_is_not_replaced(
    rig_without_worker: Rig, mongo_admin: Raw
) -> None:
    jobs = raw(mongo_admin, rig_without_worker)["jobs"]
    jobs.drop_index("scheduled")
    jobs.create_index([("scheduledTime", 1)], name="scheduled")
    jobs.insert_one(valid_document("jobs") | {"scheduledTime": []})
    jobs.delete_many({})
    await MultikeyIndexes(rig_without_worker.engine.mongo).rebuild()
    assert multikey_indexes(mongo_admin, rig_without_worker, "jobs") == {"scheduled"}


async def test_search_that_times_out_names_the_command_to_run(
    rig_without_worker: Rig, mongo_admin: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = raw(mongo_admin, rig_without_worker)["jobs"]
    await insert_jobs(rig_without_worker, 5_000)
    jobs.insert_one(valid_document("jobs") | {"lane": []})
    monkeypatch.setattr(multikey, "SEARCH_TIMEOUT_MS", 1)
    watch = MultikeyIndexes(rig_without_worker.engine.mongo)
    with capture_logs() as logs:
        assert [await watch.rebuild() for _ in range(2)] == [0, 0]
    assert [line["index"] for line in logs] == ["index jobs.due", "index jobs.fair"]
    find = 'db.jobs.find({"state": "pending", "$or": [{"lane": {"$type": "array"}}]})'
    assert find in logs[0]["fix"]
    assert 'db.jobs.dropIndex("due")' in str(
        (await findings(rig_without_worker))["index jobs.due"].fix
    )


async def test_leader_rebuilds_a_multikey_index_while_jobs_run(
    rig_without_worker: Rig, mongo_admin: Raw
) -> None:
    later = await rig_without_worker.engine.now() + timedelta(days=1)
    leave_multikey(mongo_admin, rig_without_worker, "lane")
    await insert_jobs(rig_without_worker, 1_000, scheduled_time=later)
    async with run_worker(rig_without_worker.engine.settings):
        assert (await rig_without_worker.run("echo"))["state"] == "success"
        await rig_without_worker.wait_until(
            lambda: not multikey_indexes(mongo_admin, rig_without_worker, "jobs"), within=30
        )
        assert (await rig_without_worker.run("echo"))["state"] == "success"
