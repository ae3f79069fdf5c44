"""Lists of large objects: only selected fields are read, and up to a limit."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import orjson
import pytest

from ostinato.jobs.engine import Engine
from ostinato.resolvers.auth import Viewer
from ostinato.schema.execution.operation_request import OperationRequest
from ostinato.schema.execution.operation_runner import OperationRunner
from ostinato.schema.fanout.subscription_runner import SubscriptionRunner
from ostinato.schema.ids import document_id
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.malformed import JOB, valid_document

ANN = Viewer(id="ann")
RESULT_BYTES = 250_000
JOBS = 100
MIB = 1_048_576


class Peak:
    """The memory that was allocated at once, in bytes."""

    size_bytes = 0


@contextmanager
def peak() -> Iterator[Peak]:
    measured = Peak()
    tracemalloc.start()
    try:
        yield measured
        measured.size_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
async def large_jobs(engine: Engine) -> None:
    result = "x" * RESULT_BYTES
    for _ in range(JOBS // 10):
        await engine.mongo["jobs"].insert_many(
            valid_document("jobs", "ann") | {"result": result} for _ in range(10)
        )


async def _response(runner: OperationRunner, query: str) -> Any:
    operation = await runner.prepare(OperationRequest(query=query))
    return orjson.loads(await runner.run(operation, ANN))


def _aliased(count: int, field: str) -> str:
    return "{" + " ".join(f"a{n}: {field}" for n in range(count)) + "}"


@pytest.mark.usefixtures("large_jobs")
async def test_results_that_are_not_selected_are_not_read(runner: OperationRunner) -> None:
    with peak() as measured:
        response = await _response(runner, _aliased(7, "jobs(first: 100) { nodes { id } }"))
    assert [len(page["nodes"]) for page in response["data"].values()] == 7 * [JOBS]
    assert measured.size_bytes < 8 * MIB


@pytest.mark.usefixtures("large_jobs")
async def test_reading_stops_once_the_response_would_be_too_large(runner: OperationRunner) -> None:
    with peak() as measured:
        response = await _response(runner, _aliased(6, "jobs(first: 100) { nodes { result } }"))
    assert {error["extensions"]["code"] for error in response["errors"]} == {"PAYLOAD_TOO_LARGE"}
    assert "request smaller pages or fewer fields" in response["errors"][0]["message"]
    assert measured.size_bytes < 4 * 16 * MIB


@pytest.mark.usefixtures("large_jobs")
async def test_operations_at_once_read_large_objects_in_turns(runner: OperationRunner) -> None:
    query = "{ jobs(first: 100) { nodes { result } } }"
    with peak() as measured:
        await asyncio.gather(*(_response(runner, query) for _ in range(20)))
    assert measured.size_bytes < 16 * 16 * MIB


@pytest.mark.usefixtures("large_jobs")
async def test_users_take_turns_in_reading_large_objects(runner: OperationRunner) -> None:
    query, ended = "{ jobs(first: 100) { nodes { result } } }", list[str]()

    async def respond(user: str) -> None:
        operation = await runner.prepare(OperationRequest(query=query))
        await runner.run(operation, Viewer(id=user, roles=frozenset({"admin"})))
        ended.append(user)

    await asyncio.gather(*(respond("root") for _ in range(30)), respond("eve"))
    assert ended.index("eve") < 15


@pytest.mark.usefixtures("large_jobs")
async def test_snapshot_reads_only_what_is_selected(runner: OperationRunner) -> None:
    query = "subscription { jobsChanged(snapshot: true) { kind job { id } } }"
    operation = await runner.prepare(OperationRequest(query=query))
    subscriptions = SubscriptionRunner(runner, 1_000)
    with peak() as measured:
        async with aclosing(subscriptions.results(operation, ANN)) as results:
            for _ in range(JOBS):
                assert b"SNAPSHOT" in (await anext(results)).payload
    await subscriptions.aclose()
    assert measured.size_bytes < 8 * MIB


SELECTIONS = [
    "{ nodes { args result timeline { seq } } }",
    "{ edges { node { ...F } } } } fragment F on Job { args result timeline { seq } ",
    "{ nodes { ... on Job { args } ... { a: result timeline { seq } } } }",
]


@pytest.mark.parametrize("selection", SELECTIONS)
async def test_selected_fields_are_read(ann: Client, documents: Documents, selection: str) -> None:
    await documents.job(args={"n": 1}, result=[2], timeline=JOB["timeline"])
    page = await ann.get(f"{{ jobs {selection} }}")
    (node,) = page.get("nodes") or [edge["node"] for edge in page["edges"]]
    assert list(node.values()) == [{"n": 1}, [2], [{"seq": 1}]]


async def test_fields_of_nested_lists_are_read(ann: Client, documents: Documents) -> None:
    parent = await documents.job()
    cause = {"kind": "job", "id": document_id(parent, "Job")}
    await documents.job(args={"n": 1}, cause=cause, timeline=JOB["timeline"])
    nested = "a: children { nodes { args } } b: children { nodes { timeline { seq } } }"
    node = await ann.get(f"query($id: ID!) {{ job(id: $id) {{ {nested} }} }}", id=parent)
    assert node["a"]["nodes"] == [{"args": {"n": 1}}]
    assert node["b"]["nodes"] == [{"timeline": [{"seq": 1}]}]


async def test_data_of_requests_and_failures_is_read(ann: Client, documents: Documents) -> None:
    await documents.request(data={"n": 1}, result=[2])
    await documents.failure(data={"n": 3})
    answer = await ann("{ requests { nodes { data result } } failures { nodes { data } } }")
    assert answer.data == {
        "requests": {"nodes": [{"data": {"n": 1}, "result": [2]}]},
        "failures": {"nodes": [{"data": {"n": 3}}]},
    }
