"""Only the owner and admins can read and change an object; it is not found for others."""

from typing import Any

import pytest

from ostinato.jobs.ids import new_id
from ostinato.schema.ids import global_id
from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.api.documents import Documents

pytestmark = pytest.mark.audit("ownership")

KINDS = ("job", "cron", "recurring_task", "batch", "request", "failure")
TYPE_NAMES = {kind: kind.title().replace("_", "") for kind in KINDS}
LISTED = dict(zip(op.LISTS, KINDS, strict=True))

OBJECT_MUTATIONS = {
    "pauseCron": ("cron", "cronId", op.PAUSE_CRON),
    "resumeCron": ("cron", "cronId", op.RESUME_CRON),
    "deleteCron": ("cron", "cronId", op.DELETE_CRON),
    "cancelJob": ("job", "jobId", op.CANCEL_JOB),
    "cancelBatch": ("batch", "batchId", op.CANCEL_BATCH),
}
DELETE_MUTATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "deleteItems": (op.DELETE_ITEMS, {}),
    "deleteRecurringTask": (op.DELETE_TASK, {"taskId": "t"}),
}
ENDED_MUTATIONS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "deleteBatch": ("batch", "batchId", op.DELETE_BATCH, {"state": "done"}),
    "deleteRequest": ("request", "requestId", op.DELETE_REQUEST, {"state": "completed"}),
    "deleteRecurringTask": (
        "recurring_task", "recurringTaskId", op.DELETE_TASK, {"enabled": False}
    ),
}  # fmt: skip
"""Mutations of objects that have ended."""
STOP_BY_ID = {"stopRecurringTask": ("recurring_task", "recurringTaskId", op.STOP_TASK)}
CREATE_MUTATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "registerCron": (op.REGISTER_CRON, {"name": "n", "cronspec": "@daily"}),
    "scheduleJob": (op.SCHEDULE_JOB, {"functionName": "tasks.runTask", "args": {"name": "x"}}),
    "startRecurringTask": (op.START_TASK, {"taskId": "t", "intervalMs": 1_000}),
    "stopRecurringTask": (op.STOP_TASK, {"taskId": "t"}),
    "addItems": (op.ADD_ITEMS, {"items": [1]}),
    "startBatch": (op.START_BATCH, {}),
    "createWithTimeout": (op.CREATE_WITH_TIMEOUT, {"data": 1}),
}
QUERIES = {
    "viewer": "{ viewer { id } }",
    "quotas": "{ viewer { quotas { used } } }",
    "functions": "{ functions { name } }",
    "previewCron": '{ previewCron(input: {cronspec: "@daily"}) }',
    "recurringTask": '{ recurringTask(taskId: "t") { id } }',
    "cronByName": '{ cron(name: "n") { id } }',
}


async def _insert(documents: Documents, kind: str, owner: str) -> str:
    inserted: str = await getattr(documents, kind)(owner)
    return inserted


@pytest.mark.parametrize("kind", KINDS)
async def test_a_node_can_be_read_by_its_owner_and_an_admin(
    clients: Clients, documents: Documents, kind: str
) -> None:
    identifier = await _insert(documents, kind, "ann")
    for client in (clients.of("ann"), clients.of("root", "admin")):
        assert (await client.get(op.NODE, id=identifier))["id"] == identifier
    assert (await clients.of("bob")(op.NODE, id=identifier)).code == "NOT_FOUND"
    assert (await clients.anonymous()(op.NODE, id=identifier)).code == "UNAUTHORIZED"


@pytest.mark.parametrize("kind", op.LOOKUPS)
async def test_an_object_can_be_read_by_its_owner_and_an_admin(
    clients: Clients, documents: Documents, kind: str
) -> None:
    identifier = await _insert(documents, kind, "ann")
    for client in (clients.of("ann"), clients.of("root", "admin")):
        assert (await client.get(op.LOOKUPS[kind], id=identifier))["id"] == identifier
    assert (await clients.of("bob")(op.LOOKUPS[kind], id=identifier)).code == "NOT_FOUND"
    assert (await clients.anonymous()(op.LOOKUPS[kind], id=identifier)).code == "UNAUTHORIZED"


@pytest.mark.parametrize("kind", KINDS)
async def test_an_id_of_another_owner_and_an_unknown_id_have_the_same_error(
    bob: Client, documents: Documents, kind: str
) -> None:
    theirs = await bob(op.NODE, id=await _insert(documents, kind, "ann"))
    unknown = await bob(op.NODE, id=global_id(TYPE_NAMES[kind], new_id()))
    assert theirs.message == unknown.message


@pytest.mark.parametrize(("name", "kind"), LISTED.items())
async def test_a_list_has_only_own_objects_and_all_objects_for_an_admin(
    clients: Clients, documents: Documents, name: str, kind: str
) -> None:
    anns, bobs = [await _insert(documents, kind, owner) for owner in ("ann", "bob")]
    seen = {"ann": [anns], "bob": [bobs], "eve": []}
    for viewer, ids in seen.items():
        page = await clients.of(viewer).get(op.LISTS[name])
        assert [node["id"] for node in page["nodes"]] == ids
    page = await clients.of("root", "admin").get(op.LISTS[name])
    assert [node["id"] for node in page["nodes"]] == [bobs, anns]
    assert (await clients.anonymous()(op.LISTS[name])).code == "UNAUTHORIZED"


@pytest.mark.parametrize("name", OBJECT_MUTATIONS | STOP_BY_ID)
@pytest.mark.parametrize(("user", "code"), [("bob", "NOT_FOUND"), (None, "UNAUTHORIZED")])
async def test_others_cannot_change_an_object(
    clients: Clients, documents: Documents, name: str, user: str | None, code: str
) -> None:
    kind, argument, document = (OBJECT_MUTATIONS | STOP_BY_ID)[name]
    identifier = await _insert(documents, kind, "ann")
    client = clients.of(user) if user else clients.anonymous()
    assert (await client(document, input={argument: identifier})).code == code
    assert (await clients.of("ann").get(op.NODE, id=identifier))["version"] == 1


@pytest.mark.parametrize("name", ENDED_MUTATIONS)
@pytest.mark.parametrize("roles", [("ann",), ("root", "admin")])
async def test_only_the_owner_and_an_admin_can_delete_an_ended_object(
    clients: Clients, documents: Documents, name: str, roles: tuple[str, ...]
) -> None:
    kind, argument, document, fields = ENDED_MUTATIONS[name]
    identifier = await getattr(documents, kind)("ann", **fields)
    input_ = {argument: identifier}
    assert (await clients.of("bob")(document, input=input_)).code == "NOT_FOUND"
    assert (await clients.anonymous()(document, input=input_)).code == "UNAUTHORIZED"
    assert (await clients.of(*roles)(document, input=input_)).code is None
    assert (await clients.of("ann")(op.NODE, id=identifier)).code == "NOT_FOUND"
    assert (await clients.of(*roles)(document, input=input_)).code == "NOT_FOUND"


@pytest.mark.parametrize("name", OBJECT_MUTATIONS)
@pytest.mark.parametrize("roles", [("ann",), ("root", "admin")])
async def test_the_owner_and_an_admin_can_change_an_object(
    clients: Clients, documents: Documents, name: str, roles: tuple[str, ...]
) -> None:
    kind, argument, document = OBJECT_MUTATIONS[name]
    identifier = await _insert(documents, kind, "ann")
    answer = await clients.of(*roles)(document, input={argument: identifier})
    assert (answer.code, answer.data[name][argument]) == (None, identifier)


@pytest.mark.parametrize("roles", [("ann",), ("root", "admin")])
async def test_the_owner_and_an_admin_can_retry_a_job(
    clients: Clients, documents: Documents, roles: tuple[str, ...]
) -> None:
    identifier = await documents.job("ann", state="failed", attempt=1)
    answer = await clients.of("bob")(op.RETRY_JOB, input={"jobId": identifier})
    assert answer.code == "NOT_FOUND"
    payload = await clients.of(*roles).get(op.RETRY_JOB, input={"jobId": identifier})
    assert (payload["job"]["state"], payload["job"]["owner"]) == ("PENDING", "ann")


@pytest.mark.parametrize("roles", [("ann",), ("root", "admin")])
async def test_the_owner_and_an_admin_can_stop_a_recurring_task_by_its_id(
    clients: Clients, documents: Documents, roles: tuple[str, ...]
) -> None:
    identifier = await documents.recurring_task("ann")
    payload = await clients.of(*roles).get(op.STOP_TASK, input={"recurringTaskId": identifier})
    task = payload["recurringTask"]
    assert (task["id"], task["enabled"], payload["taskId"]) == (identifier, False, task["taskId"])
    again = await clients.of(*roles)(op.STOP_TASK, input={"recurringTaskId": identifier})
    assert again.code is None


@pytest.mark.parametrize("name", CREATE_MUTATIONS | DELETE_MUTATIONS)
async def test_creating_and_deleting_require_a_token(clients: Clients, name: str) -> None:
    document, input_ = (CREATE_MUTATIONS | DELETE_MUTATIONS)[name]
    assert (await clients.anonymous()(document, input=input_)).code == "UNAUTHORIZED"


@pytest.mark.parametrize("name", QUERIES)
async def test_reading_requires_a_token(clients: Clients, name: str) -> None:
    assert (await clients.anonymous()(QUERIES[name])).code == "UNAUTHORIZED"


async def test_created_objects_belong_to_the_viewer(ann: Client, bob: Client) -> None:
    for document, input_ in CREATE_MUTATIONS.values():
        assert (await ann(document, input=input_)).code is None
    for name in ("jobs", "crons", "recurringTasks", "batches", "requests"):
        assert len((await ann.get(op.LISTS[name]))["nodes"]) >= 1
        assert (await bob.get(op.LISTS[name]))["nodes"] == []


async def test_lookups_by_name_find_only_own_objects(ann: Client, admin: Client) -> None:
    await ann.get(op.REGISTER_CRON, input={"name": "n", "cronspec": "@daily"})
    await ann.get(op.START_TASK, input={"taskId": "t", "intervalMs": 1_000})
    for document in (QUERIES["cronByName"], QUERIES["recurringTask"]):
        assert (await ann(document)).code is None
        assert (await admin(document)).code == "NOT_FOUND"
