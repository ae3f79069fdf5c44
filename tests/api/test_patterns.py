"""Recurring tasks, batches, requests and the list of functions in the API."""

from typing import Any

import pytest

from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.api.documents import Documents

FUNCTIONS = """{ functions { name kind description argsSchema callable maxAttempts timeoutMs } }"""
PENDING = "{ jobs(filter: {internal: null, states: [PENDING]}) { nodes { functionName } } }"


async def _pending(client: Client) -> list[str]:
    return sorted(node["functionName"] for node in (await client.get(PENDING))["nodes"])


async def test_a_recurring_task_is_started_and_stopped(ann: Client) -> None:
    input_ = {"taskId": "t", "intervalMs": 1_000}
    task = (await ann.get(op.START_TASK, input=input_))["recurringTask"]
    assert (task["taskId"], task["enabled"], task["functionName"]) == ("t", True, "tasks.runTask")
    again = (await ann.get(op.START_TASK, input=input_))["recurringTask"]
    assert again["id"] == task["id"]
    assert (await _pending(ann)).count("tasks.startRecurringTask") == 1
    stopped = (await ann.get(op.STOP_TASK, input={"taskId": "t"}))["recurringTask"]
    assert stopped["enabled"] is False
    assert "tasks.startRecurringTask" not in await _pending(ann)


async def test_a_recurring_task_is_changed_by_its_owner_or_an_admin(
    ann: Client, admin: Client, clients: Clients
) -> None:
    started = await ann.get(op.START_TASK, input={"taskId": "t", "intervalMs": 1_000})
    patch = {"taskId": "t", "intervalMs": 5_000, "expectedVersion": 1}
    changed = (await ann.get(op.UPDATE_TASK, input=patch))["recurringTask"]
    assert (changed["intervalMs"], changed["version"], changed["owner"]) == (5_000, 2, "ann")
    assert (changed["runCount"], changed["lastRunTime"], changed["skippedTicks"]) == (0, None, 0)
    conflict = await ann(op.UPDATE_TASK, input=patch)
    assert conflict.errors[0].extensions == {"code": "CONFLICT", "currentVersion": 2}
    by_id = {"recurringTaskId": started["recurringTask"]["id"], "args": {"name": "x"}}
    assert (await clients.of("bob")(op.UPDATE_TASK, input=by_id)).code == "NOT_FOUND"
    assert (await admin.get(op.UPDATE_TASK, input=by_id))["recurringTask"]["args"] == {"name": "x"}
    hidden = {"taskId": "t", "functionName": "functions.hidden"}
    assert (await ann(op.UPDATE_TASK, input=hidden)).code == "BAD_REQUEST"
    assert (await ann(op.UPDATE_TASK, input={"taskId": "t", "intervalMs": 1})).code == "BAD_REQUEST"


async def test_stopping_an_unknown_task_is_not_found(ann: Client) -> None:
    assert (await ann(op.STOP_TASK, input={"taskId": "t"})).code == "NOT_FOUND"


async def test_arguments_of_a_task_are_checked_when_it_is_started(ann: Client) -> None:
    input_ = {"taskId": "t", "intervalMs": 1_000, "functionName": "functions.greet"}
    answer = await ann(op.START_TASK, input=input_)
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", "args", "name"]])


async def test_added_items_get_distinct_ids(ann: Client) -> None:
    payload = await ann.get(op.ADD_ITEMS, input={"items": [1, {"a": [None]}, "x"]})
    assert payload["added"] == len(set(payload["itemIds"])) == 3


async def test_a_batch_is_started_and_canceled(ann: Client) -> None:
    await ann.get(op.ADD_ITEMS, input={"items": [1, 2]})
    batch = (await ann.get(op.START_BATCH, input={}))["batch"]
    assert batch == {
        "id": batch["id"], "state": "RUNNING", "source": "items", "batchSize": 100, "delayMs": 1000
    }  # fmt: skip
    input_ = {"batchId": batch["id"]}
    assert (await ann.get(op.CANCEL_BATCH, input=input_))["batch"]["state"] == "CANCELED"
    assert await _pending(ann) == []
    assert (await ann(op.CANCEL_BATCH, input=input_)).code == "PRECONDITION_FAILED"


async def test_a_batch_is_paused_changed_and_resumed(ann: Client, admin: Client) -> None:
    one = {"batchId": (await ann.get(op.START_BATCH, input={"maxFailedItems": 3}))["batchId"]}
    paused = (await ann.get(op.PAUSE_BATCH, input=one))["batch"]
    assert (paused["state"], paused["nextPageTime"], paused["owner"]) == ("PAUSED", None, "ann")
    assert await _pending(ann) == []
    patch = {"batchSize": 50, "itemsPerSecond": 10, "expectedVersion": paused["version"]}
    changed = (await admin.get(op.UPDATE_BATCH, input=one | patch))["batch"]
    assert (changed["batchSize"], changed["delayMs"], changed["maxFailedItems"]) == (50, 5_000, 3)
    conflict = await ann(op.UPDATE_BATCH, input=one | patch)
    assert conflict.errors[0].extensions == {"code": "CONFLICT", "currentVersion": 3}
    assert (await ann.get(op.RESUME_BATCH, input=one))["batch"]["state"] == "RUNNING"
    assert await _pending(ann) == ["batch.processBatch"]


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"batchSize": 1_001}, "batchSize"),
        ({"delayMs": -1}, "delayMs"),
        ({"itemsPerSecond": -1}, "itemsPerSecond"),
        ({"itemsPerSecond": 1, "delayMs": 1}, "delayMs"),
        ({"maxFailedItems": 100_001}, "maxFailedItems"),
        ({}, "delayMs"),
    ],
)
async def test_a_wrong_change_of_a_batch_is_reported_by_field(
    ann: Client, documents: Documents, patch: dict[str, Any], path: str
) -> None:
    answer = await ann(op.UPDATE_BATCH, input={"batchId": await documents.batch(), **patch})
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", path]])


@pytest.mark.parametrize(
    ("source", "roles", "code"),
    [
        ("nowhere", (), "BAD_REQUEST"),
        ("ledger", (), "BAD_REQUEST"),
        ("ledger", ("auditor",), None),
    ],
)
async def test_a_viewer_may_start_batches_of_public_sources_and_those_of_its_roles(
    clients: Clients, source: str, roles: tuple[str, ...], code: str | None
) -> None:
    answer = await clients.of("ann", *roles)(op.START_BATCH, input={"source": source})
    assert answer.code == code
    if code is not None:
        assert answer.paths == [["input", "source"]]
        problem, _, sources = answer.message.partition("; use one of: ")
        assert problem == f"there is no batch source {source!r}"
        assert "items" in sources.split(", ")  # modules of other tests may have public ones, too
        assert "ledger" not in sources


async def test_a_request_is_created_with_two_jobs(ann: Client) -> None:
    data: dict[str, Any] = {"state": "mine", "owner": "eve", "n": [1, 2.5, None]}
    payload = await ann.get(op.CREATE_WITH_TIMEOUT, input={"data": data})
    assert payload["requestId"] == payload["request"]["id"]
    assert (payload["request"]["state"], payload["request"]["data"]) == ("PENDING", data)
    assert await _pending(ann) == ["requests.process", "requests.timeout"]


async def _request(client: Client) -> str:
    """Create a request that a person answers, and return its id."""
    input_ = {"data": "pay?", "timeoutMs": 60_000, "runHandler": False}
    return str((await client.get(op.CREATE_WITH_TIMEOUT, input=input_))["requestId"])


async def test_a_request_is_extended_and_completed_by_its_owner(
    ann: Client, clients: Clients
) -> None:
    request_id = await _request(ann)
    assert await _pending(ann) == ["requests.timeout"]
    later = {"requestId": request_id, "timeoutMs": 3_600_000}
    extended = (await ann.get(op.EXTEND_REQUEST, input=later))["request"]
    assert (extended["state"], extended["version"]) == ("PENDING", 2)
    result = {"requestId": request_id, "result": {"ok": True}}
    assert (await clients.of("bob")(op.COMPLETE_REQUEST, input=result)).code == "NOT_FOUND"
    completed = (await ann.get(op.COMPLETE_REQUEST, input=result))["request"]
    end = {"state": "COMPLETED", "result": {"ok": True}, "answeredBy": "ann", "version": 3}
    assert completed == extended | end
    assert (await ann(op.COMPLETE_REQUEST, input=result)).code == "PRECONDITION_FAILED"
    assert await _pending(ann) == []


async def test_a_request_is_rejected_by_an_admin_or_canceled(ann: Client, admin: Client) -> None:
    reason = {"requestId": await _request(ann), "error": "no\nmoney"}
    rejected = (await admin.get(op.REJECT_REQUEST, input=reason))["request"]
    assert (rejected["state"], rejected["answeredBy"]) == ("FAILED", "root")
    assert rejected["error"] == {"name": "Rejected", "message": "no\nmoney"}
    one = {"requestId": await _request(ann)}
    assert (await ann.get(op.CANCEL_REQUEST, input=one))["request"]["state"] == "CANCELED"
    assert await _pending(ann) == []


@pytest.mark.parametrize(
    ("operation", "fields", "path"),
    [
        (op.REJECT_REQUEST, {"error": ""}, "error"),
        (op.REJECT_REQUEST, {"error": "x" * 1_001}, "error"),
        (op.REJECT_REQUEST, {"error": "a\0b"}, "error"),
        (op.COMPLETE_REQUEST, {"result": "x" * 70_000}, "result"),
        (op.EXTEND_REQUEST, {}, "timeoutMs"),
        (op.EXTEND_REQUEST, {"timeoutMs": 0}, "timeoutMs"),
        (op.EXTEND_REQUEST, {"until": "2000-01-01T00:00:00Z"}, "until"),
        (op.EXTEND_REQUEST, {"timeoutMs": 1, "until": "2999-01-01T00:00:00Z"}, "timeoutMs"),
    ],
)
async def test_a_wrong_answer_is_reported_by_field(
    ann: Client, documents: Documents, operation: str, fields: dict[str, Any], path: str
) -> None:
    answer = await ann(operation, input={"requestId": await documents.request(), **fields})
    assert (answer.code, answer.paths[0]) == ("BAD_REQUEST", ["input", path])


async def test_users_see_only_functions_that_they_may_call(clients: Clients) -> None:
    found = {function["name"]: function for function in await clients.of("ann").get(FUNCTIONS)}
    assert {"functions.greet", "functions.callOut", "tasks.runTask"} <= found.keys()
    hidden = {"functions.hidden", "functions.audit", "crons.executeCron"}
    assert hidden.isdisjoint(found)
    assert all(function["callable"] for function in found.values())
    visible = await clients.of("ann", "auditor").get(FUNCTIONS)
    assert "functions.audit" in {function["name"] for function in visible}


async def test_an_admin_sees_every_function_and_whether_it_is_callable(admin: Client) -> None:
    found = {function["name"]: function["callable"] for function in await admin.get(FUNCTIONS)}
    names = ("functions.greet", "functions.audit", "functions.hidden", "crons.executeCron")
    assert [found[name] for name in names] == [True, False, False, False]


async def test_a_function_has_its_kind_arguments_and_policy(ann: Client) -> None:
    found = {function["name"]: function for function in await ann.get(FUNCTIONS)}
    greet, call_out = found["functions.greet"], found["functions.callOut"]
    assert (greet["kind"], greet["description"]) == ("MUTATION", "Greet a person, several times.")
    assert greet["argsSchema"]["required"] == ["name"]
    assert greet["argsSchema"]["properties"]["times"]["default"] == 1
    assert (call_out["kind"], call_out["maxAttempts"], call_out["timeoutMs"]) == ("ACTION", 3, 1500)


async def test_a_failure_has_its_job(ann: Client, documents: Documents) -> None:
    await documents.failure(data={"n": 1})
    document = "{ failures { nodes { functionName attempts at data error { name } job { id } } } }"
    (failure,) = (await ann.get(document))["nodes"]
    assert (failure["attempts"], failure["data"], failure["job"]) == (1, {"n": 1}, None)
    assert failure["error"]["name"] == "ValueError"


@pytest.mark.parametrize("identifier", ["", "nonsense", "SXRlbTox"])
async def test_invalid_id_is_a_bad_request_with_its_path(ann: Client, identifier: str) -> None:
    for document in (op.NODE, *op.LOOKUPS.values()):
        answer = await ann(document, id=identifier)
        assert (answer.code, answer.paths) == ("BAD_REQUEST", [["id"]])


async def test_an_item_has_an_id_but_is_not_a_node(ann: Client) -> None:
    payload = await ann.get(op.ADD_ITEMS, input={"items": [1]})
    assert (await ann(op.NODE, id=payload["itemIds"][0])).code == "NOT_FOUND"
