"""Deletion of what has ended, and of items."""

import pytest

from ostinato.jobs.ids import new_id
from ostinato.schema.ids import global_id
from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.api.documents import Documents


async def add_items(client: Client, count: int) -> list[str]:
    added = await client.get(op.ADD_ITEMS, input={"items": list(range(count))})
    return list(added["itemIds"])


async def test_running_objects_cannot_be_deleted(ann: Client, documents: Documents) -> None:
    batch, request = await documents.batch(), await documents.request()
    task = await documents.recurring_task()
    running = {
        op.DELETE_BATCH: ({"batchId": batch}, "it is running; cancel it"),
        op.DELETE_REQUEST: ({"requestId": request}, "wait until it has ended"),
        op.DELETE_TASK: ({"recurringTaskId": task}, "stop it with stopRecurringTask"),
    }
    for document, (input_, remedy) in running.items():
        answer = await ann(document, input=input_)
        assert answer.code == "PRECONDITION_FAILED"
        assert answer.message.endswith(remedy)


async def test_deleted_batch_is_returned_as_it_was(ann: Client, documents: Documents) -> None:
    batch = await documents.batch(state="failed")
    deleted = await ann.get(op.DELETE_BATCH, input={"batchId": batch})
    assert deleted == {"batchId": batch, "batch": {"id": batch, "state": "FAILED"}}


async def test_jobs_of_a_deleted_request_are_kept(ann: Client, documents: Documents) -> None:
    request, stored = await documents.request(state="timeout"), documents.mongo["requests"]
    (found,) = await stored.find().to_list(None)
    job = await documents.job(cause={"kind": "request", "id": found["_id"]})
    await ann.get(op.DELETE_REQUEST, input={"requestId": request})
    cause = "query($id: ID!) { job(id: $id) { cause { kind id request { id } } } }"
    read = (await ann.get(cause, id=job))["cause"]
    assert read == {"kind": "REQUEST", "id": request, "request": None}


async def test_stopped_task_can_be_deleted_and_started_again(ann: Client) -> None:
    by_id = {"taskId": "t"}
    started = {**by_id, "intervalMs": 60_000}
    first = (await ann.get(op.START_TASK, input=started))["recurringTask"]
    await ann.get(op.STOP_TASK, input=by_id)
    deleted = await ann.get(op.DELETE_TASK, input=by_id)
    assert (deleted["taskId"], deleted["recurringTask"]["id"]) == ("t", first["id"])
    assert (await ann(op.DELETE_TASK, input=by_id)).code == "NOT_FOUND"
    second = (await ann.get(op.START_TASK, input=started))["recurringTask"]
    assert second["id"] != first["id"]


async def test_malformed_task_can_be_stopped_and_deleted(ann: Client, documents: Documents) -> None:
    await documents.recurring_task(taskId="t", intervalMs="often")
    await ann(op.STOP_TASK, input={"taskId": "t"})
    assert (await ann(op.DELETE_TASK, input={"taskId": "t"})).code == "MALFORMED_DOCUMENT"
    assert (await ann(op.DELETE_TASK, input={"taskId": "t"})).code == "NOT_FOUND"


async def test_items_are_deleted_by_their_ids(clients: Clients, documents: Documents) -> None:
    ann, bob = clients.of("ann"), clients.of("bob")
    first, second, third = await add_items(ann, 3)
    ids = [first, second, second, global_id("Item", new_id())]
    assert await bob.get(op.DELETE_ITEMS, input={"itemIds": ids}) == {"deleted": 0}
    assert await ann.get(op.DELETE_ITEMS, input={"itemIds": ids}) == {"deleted": 2}
    (left,) = await documents.mongo["items"].find().to_list(None)
    assert global_id("Item", left["_id"]) == third


async def test_without_ids_the_unprocessed_items_of_the_viewer_are_deleted(
    clients: Clients, documents: Documents
) -> None:
    ann, bob = clients.of("ann"), clients.of("bob")
    for client in (ann, bob):
        await add_items(client, 3)
    await documents.mongo["items"].update_one({"owner": "ann"}, {"$set": {"processed": True}})
    assert await ann.get(op.DELETE_ITEMS, input={}) == {"deleted": 2}
    assert await ann.get(op.DELETE_ITEMS, input={}) == {"deleted": 0}
    assert await documents.mongo["items"].count_documents({"owner": "bob"}) == 3


@pytest.mark.parametrize("ids", [[], ["no id"], [global_id("Job", new_id())], ["x"] * 1_001])
async def test_ids_of_items_are_checked(ann: Client, ids: list[str]) -> None:
    answer = await ann(op.DELETE_ITEMS, input={"itemIds": ids})
    assert answer.code == "BAD_REQUEST"
    assert answer.paths[0][:2] == ["input", "itemIds"]


async def test_deleted_items_free_the_quota(clients: Clients) -> None:
    ann = clients.of("ann")
    await add_items(ann, 5)
    await ann.get(op.DELETE_ITEMS, input={})
    quotas = (await ann.get("{ viewer { quotas { kind used } } }"))["quotas"]
    assert {"kind": "ITEMS", "used": 0} in quotas
