"""Runs the examples of docs/outbox.md as printed, with a worker."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from ostinato.jobs.mongo.outbox_validator import OUTBOX_VALIDATOR
from ostinato.jobs.settings import Settings
from tests.processes import ROOT, Processes, eventually
from tests.schema.nodejs import FOLDER, install_clients
from tests.test_examples import EXAMPLES, code_blocks

PAGE = "docs/outbox.md"
NODE_EXAMPLE = ROOT / "docs" / "examples" / "outbox.mjs"
MONGOSH_EXAMPLE = ROOT / "docs" / "examples" / "outbox.mongosh.js"


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[AsyncMongoClient[dict[str, object]]]:
    install_clients()
    async with AsyncMongoClient[dict[str, object]](settings.mongo_url) as client:
        yield client
        await client.drop_database(shop(settings))


def shop(settings: Settings) -> str:
    """Return the application's database, which the examples call `shop`."""
    return f"{settings.database}_shop"


async def run_node(script: Path, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec("node", str(script), *arguments)
    assert await process.wait() == 0


def adapted(example: Path, settings: Settings) -> Path:
    """Copy an example to where Node finds the driver, for the database of the test."""
    copy = FOLDER / "node_modules" / f".{settings.database}-{example.name}"
    text = example.read_text().replace('"ostinato"', f'"{settings.database}"')
    copy.write_text(text.replace('"shop"', f'"{shop(settings)}"'))
    return copy


async def results_of(
    client: AsyncMongoClient[dict[str, object]], settings: Settings, count: int
) -> list[object]:
    """Return the sorted results of the jobs, once this many have succeeded."""
    jobs = client[settings.database]["jobs"]

    async def results() -> list[object]:
        found = [job["result"] async for job in jobs.find({"state": "success"})]
        return sorted(found, key=str) if len(found) >= count else []

    return await eventually(results)


async def test_node_example_schedules_a_letter_for_each_order(
    processes: Processes, settings: Settings, database: AsyncMongoClient[dict[str, object]]
) -> None:
    processes.worker(functions=EXAMPLES)
    await run_node(adapted(NODE_EXAMPLE, settings), settings.mongo_url, "ada", "grace")
    letters = await results_of(database, settings, 2)
    assert letters == ["written to ada", "written to grace"]
    assert await database[shop(settings)]["orders"].count_documents({}) == 2


async def test_mongosh_example_schedules_a_letter(
    processes: Processes, settings: Settings, database: AsyncMongoClient[dict[str, object]]
) -> None:
    processes.worker(functions=EXAMPLES)
    script = adapted(MONGOSH_EXAMPLE, settings)
    await run_node(FOLDER / "mongosh.mjs", settings.mongo_url, str(script))
    assert await results_of(database, settings, 1) == ["written to grace"]


def test_code_on_the_page_equals_the_examples() -> None:
    node, mongosh = code_blocks(PAGE, "js")
    assert node in NODE_EXAMPLE.read_text()
    assert MONGOSH_EXAMPLE.read_text().endswith(mongosh)


def test_fields_on_the_page_are_those_of_the_validator() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / PAGE).read_text(), re.M)
    properties = OUTBOX_VALIDATOR["$jsonSchema"]["properties"]
    assert set(rows) == set(properties)
