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

from benchmarks.chaos import dump, history, malformed, refused
from benchmarks.chaos.ledger import EFFECTS
from ostinato.jobs.settings import Settings

Base = Database[dict[str, Any]]
JOB = malformed.TEMPLATES["jobs"](Random(1))
FAULTS = ({"what": "malformed", "ids": ["bad", "gone"], "at": 1.0}, {"what": "ended", "at": 2.0})


@pytest.fixture
def base(settings: Settings) -> Iterator[Base]:
    name = f"{settings.database}-malformed"
    with MongoClient[dict[str, Any]](settings.mongo_url) as client:
        client[name].create_collection("jobs")
        yield client[name]
        client.drop_database(name)


def write_folder(folder: Path, *documents: tuple[str, dict[str, Any]]) -> None:
    """Write the files of a run with malformed documents `bad` and `gone`; `gone` was removed."""
    lines = [{"in": name, "document": document} for name, document in documents]
    notes = [
        {"job": one, "attempt": 1, "what": "start", "scheduled": None} for one in ("x", "gone")
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
    assert (set(found.jobs), [one.job for one in found.effects]) == ({"good"}, ["good"])
    assert (found.failures, found.crons) == (frozenset(), [])
    assert [note.job for note in found.notes] == ["x"]


def test_every_inserted_malformed_document_can_be_dumped(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        malformed, "LARGEST_BYTES", 2**18
    )  # another test writes it as large as it is
    documents = malformed.some(Random(1), 40)
    malformed.insert(base, documents)
    dump.write(base.client, tmp_path / "database.jsonl", base.name)
    found = dump.read((tmp_path / "database.jsonl").read_text().splitlines())
    assert {"jobs", "crons", "taskConfigs", "requests", "batches"} <= {n for n in found if found[n]}
    malformed.remove(base, documents)
    assert base["jobs"].count_documents({}) == 0


def test_every_field_is_malformed_in_some_document() -> None:
    documents = malformed.some(Random(1), 60)
    for name, template in malformed.TEMPLATES.items():
        whole = template(Random(1))
        broken = [one.document for one in documents if one.collection == name]
        alike = {
            field
            for field in whole.keys() - set(malformed.KEPT)
            if all(type(one.get(field)) is type(whole[field]) for one in broken)
        }
        assert not alike, name


def test_job_that_is_too_large_can_be_stored_but_not_started(
    base: Base,
) -> None:
    jobs, job = base["jobs"], malformed.too_large(Random(1))
    jobs.insert_one(job)
    started = {"$concatArrays": ["$timeline", [job["timeline"][0]]]}
    with pytest.raises(WriteError):
        jobs.update_one({"_id": job["_id"]}, [{"$set": {"timeline": started}}])
    assert len(encode(job)) <= malformed.LARGEST_BYTES


@pytest.mark.parametrize("refusal", [one for one in refused.REFUSALS if one.states])
def test_validator_rejects_some_outcomes_until_it_is_removed(
    base: Base, refusal: refused.Refusal
) -> None:
    base["jobs"].insert_many([{**JOB, "_id": f"job-{digit}"} for digit in "09"])
    ended = {"$set": {"state": refusal.states[-1]}}
    base.command(refused.rule(refusal))
    with pytest.raises(WriteError):
        base["jobs"].update_one({"_id": "job-0"}, ended)
    assert base["jobs"].update_one({"_id": "job-9"}, ended).modified_count == 1
    base.command(refused.NO_RULE)
    assert base["jobs"].update_one({"_id": "job-0"}, ended).modified_count == 1
