"""Entries of any content: MongoDB accepts well-formed ones, and no entry stops the others."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError, OperationFailure, WriteError
from structlog.testing import capture_logs

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.mongo.client import LENIENT_CODEC
from ostinato.jobs.mongo.outbox import OutboxStore, StoredEntry
from ostinato.jobs.mongo.outbox_validator import MAX_ENTRY_BYTES
from ostinato.jobs.outbox import parse_entry
from tests.engine.outbox import convert, entry, insert, jobs_and_failures, rejection
from tests.engine.rig import Rig

Document = dict[str, Any]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SEEDS = range(4)
DOCUMENTS_PER_SEED = 300

STRANGE: Sequence[object] = (
    *(None, True, 0, -1, 3, 10, 1.5, -0.0, 2.0**80, float("nan"), float("inf"), Int64(2**62)),
    *("", "x", "functions.echo", "no name", "A/B", "x" * 300, "nul\0", "a\n", "ä.ö"),
    *([], [1], {}, {"value": 1}, {"$ref": "a", "$id": 1}, {"a": {"$gt": 1}}, {"value": [[[{}]]]}),
    *(NOW, NOW + timedelta(days=3_000), datetime(1, 1, 1, tzinfo=UTC)),
    *(DatetimeMS(2**60), DatetimeMS(-(2**60)), Timestamp(1, 1), ObjectId("0" * 24), MinKey()),
    *(MaxKey(), Decimal128("3"), Binary(b"\0", 4), Regex("a(", "x"), Code("f()"), DBRef("a", 1)),
    {"value": Decimal128("1")},
    {"value": float("nan")},
    {"value": "x" * 70_000},
)
FIELDS = ("functionName", "owner", "args", "runAt", "key", "queue", "priority", "timeoutMs")
GOOD: Document = {
    **entry(runAt=NOW, key="k", queue="mail", priority=1, timeoutMs=5),
}


def generated(random: Random) -> list[Document]:
    """Generate entries with up to three fields that are missing, strange or unknown."""
    documents = []
    for number in range(DOCUMENTS_PER_SEED):
        document = {**GOOD, "_id": ObjectId(), "key": f"key-{number}"}
        for name in random.sample([*FIELDS, "extra", "run_at", "$where"], random.randint(0, 3)):
            document[name] = random.choice(STRANGE)
            if random.random() < 0.3:
                del document[name]
        documents.append(document)
    return documents


def details_of(error: OperationFailure) -> Mapping[str, Any]:
    assert error.details is not None
    return error.details


async def accepted_of(rig: Rig, documents: Sequence[Document]) -> list[Document]:
    """Insert documents; return those that MongoDB accepts."""
    try:
        await rig.engine.mongo["outbox"].insert_many(documents, ordered=False)
    except BulkWriteError as error:
        rejected = {one["index"] for one in details_of(error)["writeErrors"]}
        return [one for number, one in enumerate(documents) if number not in rejected]
    return list(documents)


def is_well_formed(document: Document) -> bool:
    """Return whether our own check accepts a document, as it is stored."""
    try:
        stored: Document = bson.decode(bson.encode(document), LENIENT_CODEC)
        parse_entry(stored, NOW)
    except BadRequest:
        return False
    return True


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_the_validator_accepts_is_converted_or_rejected_readably(
    rig_without_worker: Rig, seed: int
) -> None:
    documents = generated(Random(seed))
    accepted = await accepted_of(rig_without_worker, documents)
    ids = {one["_id"] for one in accepted}
    assert 0 < len(accepted) < len(documents)
    (jobs, failures) = await jobs_and_failures(rig_without_worker)
    assert len(jobs) + len(failures) == len(accepted)
    assert len(jobs) > 0 < len(failures)
    assert {failure["outboxId"] for failure in failures} <= ids
    for failure in failures:
        message = failure["error"]["message"]
        assert any(name in message for name in (*FIELDS, "name of a function")), failure


@pytest.mark.parametrize("seed", SEEDS)
async def test_validator_accepts_all_that_is_well_formed(
    rig_without_worker: Rig, seed: int
) -> None:
    documents = [one for one in generated(Random(seed)) if is_well_formed(one)]
    assert len(documents) > 0
    assert await accepted_of(rig_without_worker, documents) == documents


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_entry_of_any_content_stops_the_others(rig_without_worker: Rig, seed: int) -> None:
    documents = generated(Random(seed))
    await insert(rig_without_worker, *documents, bypass=True)
    (jobs, failures) = await jobs_and_failures(rig_without_worker)
    assert len(jobs) + len(failures) == len(documents)
    assert all(failure["error"]["message"] for failure in failures)


async def test_entry_with_an_id_that_cannot_be_decoded_is_converted(
    rig_without_worker: Rig,
) -> None:
    raw = bytearray(bson.encode(entry(_id="idxx")))
    raw[raw.index(b"idxx") : raw.index(b"idxx") + 2] = b"\xff\xfe"
    await insert(rig_without_worker, RawBSONDocument(bytes(raw)), entry())
    (jobs, failures) = await jobs_and_failures(rig_without_worker)
    assert (len(jobs), failures) == (2, [])


async def test_entry_that_is_too_large_is_rejected_by_mongodb_and_by_the_leader(
    rig_without_worker: Rig,
) -> None:
    large = entry(args={"value": "x" * MAX_ENTRY_BYTES})
    with pytest.raises(BulkWriteError):
        await insert(rig_without_worker, large)
    failure = await rejection(rig_without_worker, entry(), large, bypass=True)
    assert "can have 1,048,576 bytes" in failure["error"]["message"]


async def test_entry_that_cannot_be_replaced_is_left_out_for_a_while(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = OutboxStore.replace

    async def refuse(self: OutboxStore, entries: Sequence[StoredEntry], *args: Any) -> Any:
        if any(each.id == "poison" for each in entries):
            raise WriteError("refused")
        return await replace(self, entries, *args)

    monkeypatch.setattr(OutboxStore, "replace", refuse)
    await insert(rig_without_worker, entry(), entry(_id="poison"), entry())
    with capture_logs() as logs:
        await convert(rig_without_worker)
    assert len(await rig_without_worker.all("jobs")) == 2
    assert [one["_id"] for one in await rig_without_worker.all("outbox")] == ["poison"]
    assert [one["entry"] for one in logs if one["event"] == "outbox.not_converted"] == ["poison"]


def readable(error: BulkWriteError) -> str:
    (found,) = details_of(error)["writeErrors"]
    return str(found["errInfo"]["details"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"run_at": NOW}, "'additionalProperties': ['run_at']"),
        ({"functionName": 7}, "the name of a function: 'module.camelName'"),
        ({"priority": 1.5}, "a whole number from 0 to 9"),
        ({"queue": "A/B"}, "1 to 64 characters of a-z, 0-9, _ and -"),
    ],
)
async def test_mistake_is_reported_at_the_insert(
    rig_without_worker: Rig, change: Document, expected: str
) -> None:
    with pytest.raises(BulkWriteError) as raised:
        await insert(rig_without_worker, entry(**change))
    assert expected in readable(raised.value)


async def test_owner_must_be_given(rig_without_worker: Rig) -> None:
    without = entry()
    del without["owner"]
    with pytest.raises(BulkWriteError) as raised:
        await insert(rig_without_worker, without)
    assert "'missingProperties': ['owner']" in readable(raised.value)
    failure = await rejection(rig_without_worker, without, bypass=True)
    assert failure["error"]["message"] == (
        "owner is missing: write the id of a user, or null for the system"
    )
