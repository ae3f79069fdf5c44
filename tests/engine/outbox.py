"""Entries of the outbox in tests: inserted as applications do, converted as the leader does."""

from typing import Any

from bson.raw_bson import RawBSONDocument

from ostinato.jobs.maintenance.outbox import OutboxConverter
from tests.engine.rig import Rig

Document = dict[str, Any]


def entry(**fields: object) -> Document:
    return {"functionName": "functions.echo", "owner": "alice", "args": {"value": 1}, **fields}


async def insert(rig: Rig, *entries: Document | RawBSONDocument, bypass: bool = False) -> None:
    """Insert entries as an application does, or without MongoDB's validation."""
    outbox = rig.engine.mongo["outbox"]
    await outbox.insert_many(entries, bypass_document_validation=bypass)


async def convert(rig: Rig) -> None:
    """Convert all entries, as the leader does."""
    converter = OutboxConverter(rig.engine, lambda: None)
    while await converter.convert():
        pass


async def jobs_and_failures(rig: Rig) -> tuple[list[Document], list[Document]]:
    """Convert all entries, and return the jobs and failures; fail if an entry is left."""
    await convert(rig)
    assert await rig.all("outbox") == []
    return await rig.all("jobs"), await rig.all("failures")


async def rejection(
    rig: Rig, *entries: Document | RawBSONDocument, bypass: bool = False
) -> Document:
    """Insert entries of which the last is rejected, and return its failure."""
    await insert(rig, *entries, bypass=bypass)
    jobs, failures = await jobs_and_failures(rig)
    assert len(jobs) == len(entries) - 1
    (failure,) = failures
    return failure
