"""The malformed documents of a chaos run cover every field, and are not checked themselves."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from bson import encode
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import WriteError

from benchmarks.chaos import dump, history, malformed, rejections
from benchmarks.chaos.ledger import EFFECTS
from ostinato.jobs.settings import Settings

Db = Database[dict[str, Any]]
JOB = malformed.TEMPLATES["jobs"](Random(1))
FAULTS = ({"event": "malformed", "ids": ["bad", "gone"], "at": 1.0}, {"event": "ended", "at": 2.0})


@pytest.fixture
def db(settings: Settings) -> Iterator[Db]:
    name = f"{settings.database}-malformed"
    with MongoClient[dict[str, Any]](settings.mongo_url) as client:
        client[name].create_collection("jobs")
        yield client[name]
        client.drop_database(name)


def write_folder(folder: Path, *documents: tuple[str, dict[str, Any]]) -> None:
    """Write the files of a run with malformed documents `bad` and `gone`; `gone` was removed."""
    lines = [{"in": name, "document": document} for name, document in documents]
    notes = [
        {"job": job_id, "attempt": 1, "event": "start", "scheduled": None}
        for job_id in ("x", "gone")
    ]
    for name, entries in (
        (history.DATABASE, lines),
        (history.NOTES, notes),
        (history.FAULTS, list(FAULTS)),
        (history.OPERATIONS, []),
    ):
        text = "".join(json.dumps(entry, default=dump.encoded) + "\n" for entry in entries)
        (folder / name).write_text(text)


def test_malformed_documents_and_their_effects_are_not_checked(tmp_path: Path) -> None:
    child = {**JOB, "_id": "child", "cause": {"kind": "cron", "id": "gone"}}
    grandchild = {**JOB, "_id": "grandchild", "cause": {"kind": "job", "id": "child"}}
    effects = [{"job": job, "attempt": 1} for job in ("bad", "grandchild", "good")]
    write_folder(
        tmp_path,
        ("jobs", {"_id": "bad", "state": 3}),
        *(("jobs", job) for job in (child, grandchild, {**JOB, "_id": "good"})),
        *((EFFECTS, effect) for effect in effects),
        ("failures", {"_id": "bad"}),
        ("crons", {"_id": "gone"}),
    )
    found = history.read(tmp_path)
    assert (set(found.jobs), [effect.job for effect in found.effects]) == ({"good"}, ["good"])
    assert (found.failures, found.crons) == (frozenset(), [])
    assert [note.job for note in found.notes] == ["x"]


def test_every_inserted_malformed_document_can_be_dumped(
    db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        malformed, "LARGEST_BYTES", 2**18
    )  # another test writes it as large as it is
    documents = malformed.generate(Random(1), 40)
    malformed.insert(db, documents)
    dump.write(db.client, tmp_path / "database.jsonl", db.name)
    found = dump.read((tmp_path / "database.jsonl").read_text().splitlines())
    assert {"jobs", "crons", "taskConfigs", "requests", "batches"} <= {n for n in found if found[n]}
    malformed.remove(db, documents)
    assert db["jobs"].count_documents({}) == 0


def test_every_field_is_malformed_in_some_document() -> None:
    documents = malformed.generate(Random(1), 60)
    for name, template in malformed.TEMPLATES.items():
        well_formed = template(Random(1))
        damaged = [
            malformed_document.document
            for malformed_document in documents
            if malformed_document.collection == name
        ]
        unchanged = {
            field
            for field in well_formed.keys() - set(malformed.UNCHANGED)
            if all(type(document.get(field)) is type(well_formed[field]) for document in damaged)
        }
        assert not unchanged, name


def test_job_that_is_too_large_can_be_stored_but_not_started(
    db: Db,
) -> None:
    jobs, job = db["jobs"], malformed.too_large(Random(1))
    jobs.insert_one(job)
    started = {"$concatArrays": ["$timeline", [job["timeline"][0]]]}
    with pytest.raises(WriteError):
        jobs.update_one({"_id": job["_id"]}, [{"$set": {"timeline": started}}])
    assert len(encode(job)) <= malformed.LARGEST_BYTES


@pytest.mark.parametrize(
    "rejection", [rejection for rejection in rejections.REJECTIONS if rejection.states]
)
def test_validator_rejects_some_outcomes_until_it_is_removed(
    db: Db, rejection: rejections.Rejection
) -> None:
    db["jobs"].insert_many([{**JOB, "_id": f"job-{digit}"} for digit in "09"])
    ended = {"$set": {"state": rejection.states[-1]}}
    db.command(rejections.validator(rejection))
    with pytest.raises(WriteError):
        db["jobs"].update_one({"_id": "job-0"}, ended)
    assert db["jobs"].update_one({"_id": "job-9"}, ended).modified_count == 1
    db.command(rejections.NO_VALIDATOR)
    assert db["jobs"].update_one({"_id": "job-0"}, ended).modified_count == 1
