"""Malformed documents are omitted from lists, and reported when read by their id."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import pytest
from graphql import (
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_object_type,
)
from pymongo.errors import BulkWriteError
from structlog.testing import capture_logs

from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import is_id, new_id
from ostinato.schema.build import graphql_schema
from ostinato.schema.ids import global_id
from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.malformed import (
    DUE,
    FAR_FUTURE,
    NAMES,
    UNEXPECTED_VALUES,
    malformed_documents,
    valid_document,
)

KINDS: Final = {
    "jobs": ("jobs", "Job"),
    "crons": ("crons", "Cron"),
    "recurringTasks": ("taskConfigs", "RecurringTask"),
    "batches": ("batches", "Batch"),
    "requests": ("requests", "Request"),
    "failures": ("failures", "Failure"),
}


def selection_of(kind: GraphQLNamedType, depth: int = 2) -> str:
    """Select every field of a type and of its objects, except connections."""
    assert isinstance(kind, GraphQLObjectType)
    return " ".join(_selected(kind, depth))


def _selected(kind: GraphQLObjectType, depth: int) -> Iterator[str]:
    for name, field in kind.fields.items():
        named_type = get_named_type(field.type)
        if is_leaf_type(named_type):
            yield name
        elif depth and is_object_type(named_type) and not named_type.name.endswith("Connection"):
            yield f"{name} {{ {selection_of(named_type, depth - 1)} }}"


def list_of(name: str, first: int = 100) -> str:
    kind = graphql_schema._schema.type_map[KINDS[name][1]]
    nodes = f"nodes {{ {selection_of(kind)} }} pageInfo {{ hasNextPage endCursor }}"
    return f"query($after: String) {{ {name}(first: {first}, after: $after) {{ {nodes} }} }}"


async def read_all_pages(client: Client, name: str, first: int = 100) -> list[dict[str, Any]]:
    """Read all pages of a list."""
    nodes: list[dict[str, Any]] = []
    after = None
    while True:
        page = await client.get(list_of(name, first), after=after)
        nodes += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return nodes
        after = page["pageInfo"]["endCursor"]


async def write(engine: Engine, collection: str) -> set[str]:
    """Insert every malformed document between two valid ones; return the ids of the valid ones."""
    others = [document for _, document in malformed_documents(collection)]
    valid_documents = [valid_document(collection), valid_document(collection)]
    with suppress(BulkWriteError):  # unique indexes reject some malformed documents
        await engine.mongo[collection].insert_many(
            [valid_documents[0], *others, valid_documents[1]], ordered=False
        )
    kind = next(type_name for stored, type_name in KINDS.values() if stored == collection)
    return {global_id(kind, valid["_id"]) for valid in valid_documents}


@pytest.mark.parametrize("name", KINDS)
async def test_malformed_documents_remove_no_other_rows_from_a_list(
    clients: Clients, engine: Engine, name: str
) -> None:
    expected = await write(engine, KINDS[name][0])
    for client in (clients.of("ann"), clients.of("root", "admin")):
        assert expected <= {node["id"] for node in await read_all_pages(client, name)}


@pytest.mark.parametrize("name", KINDS)
async def test_a_page_skips_more_malformed_documents_than_its_size(
    ann: Client, engine: Engine, name: str
) -> None:
    collection, kind = KINDS[name]
    field = NAMES.get(collection, "other")
    first = valid_document(collection)
    others = [{"_id": new_id(), "owner": "ann", field: new_id()} for _ in range(150)]
    last = valid_document(collection)
    await engine.mongo[collection].insert_many([first, *others, last])
    nodes = await read_all_pages(ann, name, first=1)
    assert [node["id"] for node in nodes] == [
        global_id(kind, valid["_id"]) for valid in (last, first)
    ]


@pytest.mark.parametrize("name", KINDS)
async def test_reading_a_malformed_document_reports_the_problem(
    ann: Client, engine: Engine, name: str
) -> None:
    collection, kind = KINDS[name]
    document = valid_document(collection) | {"version": "two"}
    await engine.mongo[collection].insert_one(document)
    query = "query($id: ID!) { node(id: $id) { id } viewer { id } }"
    answer = await ann(query, id=global_id(kind, document["_id"]))
    assert answer.code == "MALFORMED_DOCUMENT"
    assert "version must be a whole number, got a string" in answer.message
    assert answer.data["viewer"] == {"id": "ann"}


async def test_malformed_cron_of_a_job_is_reported(ann: Client, engine: Engine) -> None:
    cron = valid_document("crons") | {"nextRunTime": FAR_FUTURE}
    job = valid_document("jobs") | {"cause": {"kind": "cron", "id": cron["_id"]}}
    await engine.mongo["crons"].insert_one(cron)
    await engine.mongo["jobs"].insert_one(job)
    answer = await ann("{ jobs { nodes { id cause { cron { id } } } } }")
    assert answer.code == "MALFORMED_DOCUMENT"
    assert answer.data["jobs"]["nodes"] == [
        {"id": global_id("Job", job["_id"]), "cause": {"cron": None}}
    ]


async def test_malformed_queues_and_workers_are_omitted_from_lists(
    admin: Client, engine: Engine
) -> None:
    malformed = [
        {"_id": f"odd-{n}", "weight": value, "queues": value}
        for n, value in enumerate(UNEXPECTED_VALUES.values())
    ]
    await engine.mongo["queues"].insert_many([{"_id": "mail", "weight": 5}, {"_id": 7}, *malformed])
    await engine.mongo["workers"].insert_many(malformed)
    queues = await admin.get("{ queues { name paused weight pendingDue workers version } }")
    assert {queue["name"]: queue["weight"] for queue in queues if queue["name"] == "mail"} == {
        "mail": 5
    }
    assert await admin.get("{ workers { id queues slots heardAt } }") == []


async def test_a_worker_with_a_lag_beyond_32_bits_is_listed(admin: Client, engine: Engine) -> None:
    load = {
        "host": "h",
        "pid": 1,
        "version": "1",
        "concurrency": 1,
        "queues": [],
        "running": 0,
    }
    times = {"startedAt": DUE, "heardAt": DUE, "loopLagMs": 2**32}
    await engine.mongo["workers"].insert_one({"_id": "w", **load, **times})
    assert await admin.get("{ workers { loopLagMs } }") == [{"loopLagMs": 2**32}]


async def test_the_error_for_the_name_of_a_malformed_cron_has_a_fix(
    ann: Client, engine: Engine
) -> None:
    await engine.mongo["crons"].insert_one(
        valid_document("crons", name="daily", nextRunTime=FAR_FUTURE)
    )
    document = (
        "mutation($input: RegisterCronInput!) { registerCron(input: $input) { cron { id } } }"
    )
    answer = await ann(document, input={"name": "daily", "intervalMs": 1_000})
    assert "it is malformed; choose another name" in answer.message


async def test_malformed_children_are_omitted(ann: Client, engine: Engine) -> None:
    job = valid_document("jobs")
    cause = {"kind": "job", "id": job["_id"]}
    child = valid_document("jobs", cause=cause)
    malformed = [
        valid_document("jobs", cause=cause, version="two"),
        valid_document("jobs", cause=[cause]),
    ]
    await engine.mongo["jobs"].insert_many([job, child, *malformed])
    document = "query($id: ID!) { job(id: $id) { children { nodes { id } } } }"
    found = await ann.get(document, id=global_id("Job", job["_id"]))
    assert found["children"]["nodes"] == [{"id": global_id("Job", child["_id"])}]


async def test_canceling_a_malformed_job_reports_malformed_document(
    ann: Client, engine: Engine
) -> None:
    job = valid_document("jobs", createdAt="now")
    await engine.mongo["jobs"].insert_one(job)
    answer = await ann(op.CANCEL_JOB, input={"jobId": global_id("Job", job["_id"])})
    assert answer.code == "MALFORMED_DOCUMENT"


async def delete_malformed_crons(client: Client, engine: Engine, damages: Sequence[str]) -> None:
    for damage, cron in malformed_documents("crons"):
        if type(cron["_id"]) is str and any(part in damage for part in damages):
            await engine.mongo["crons"].replace_one({"_id": cron["_id"]}, cron, upsert=True)
            input_ = {"cronId": global_id("Cron", cron["_id"])}
            assert await client.get(op.DELETE_CRON, input=input_) == input_ | {"cron": None}
    assert await engine.mongo["crons"].count_documents({}) == 0


async def test_a_malformed_cron_can_be_deleted_by_its_owner(ann: Client, engine: Engine) -> None:
    await delete_malformed_crons(ann, engine, damages=[""])


async def test_a_malformed_cron_can_be_deleted_by_admins(admin: Client, engine: Engine) -> None:
    await delete_malformed_crons(admin, engine, damages=["empty", "no ", "is object", "is code"])


async def test_a_malformed_recurring_task_can_be_stopped_by_its_owner(
    ann: Client, engine: Engine
) -> None:
    tasks = engine.mongo["taskConfigs"]
    for damage, task in malformed_documents("taskConfigs"):
        if type(task.get("taskId")) is str and is_id(str(task["_id"])):
            await tasks.insert_one(task)
            stopped = await ann(
                op.mutation("stopRecurringTask", "TaskIdInput", "taskId"),
                input={"taskId": task["taskId"]},
            )
            assert stopped.errors == [], damage
            stored = await tasks.find_one({"_id": task["_id"]})
            assert stored
            assert (stored["enabled"], stored["schedulerJobId"]) == (False, None)


async def test_a_stopped_task_that_stays_malformed_reports_the_problem(
    ann: Client, engine: Engine
) -> None:
    task = valid_document("taskConfigs", intervalMs="often")
    await engine.mongo["taskConfigs"].insert_one(task)
    answer = await ann(op.STOP_TASK, input={"taskId": task["taskId"]})
    assert answer.code == "MALFORMED_DOCUMENT"
    assert "intervalMs must be a whole number" in answer.message


@pytest.mark.usefixtures("_fresh_malformed_throttle")
async def test_a_malformed_document_is_logged_once(ann: Client, engine: Engine) -> None:
    document = {"_id": new_id(), "owner": "ann"}
    await engine.mongo["requests"].insert_one(document)
    with capture_logs() as logs:
        for _ in range(3):
            assert (await ann.get("{ requests { nodes { id } } }"))["nodes"] == []
    (line,) = logs
    assert (line["event"], line["collection"]) == ("document.malformed", "requests")
    assert document["_id"] in line["document_id"]
    assert line["fix"] == "repair or delete it in MongoDB"


async def test_a_cron_with_an_invalid_schedule_has_no_next_runs(
    ann: Client, engine: Engine
) -> None:
    schedule = {"kind": "cron", "cronspec": "now and then", "tz": "Mars"}
    await engine.mongo["crons"].insert_one(valid_document("crons") | {"schedule": schedule})
    page = await ann.get("{ crons { nodes { nextRuns } } }")
    assert page["nodes"] == [{"nextRuns": []}]
