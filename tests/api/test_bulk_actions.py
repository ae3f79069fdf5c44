"""Bulk actions in the API: their start, permissions, lists and errors."""

from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import bulk_actions_changed
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.live.reading import Client as LiveClient

FIELDS = """bulkActionId bulkAction { id kind state processed total owner targetOwner
  outcomes { outcome count } errors { id outcome message } }"""
CANCEL = f"mutation($filter: JobFilter!) {{ cancelJobs(filter: $filter) {{ {FIELDS} }} }}"
RETRY = f"mutation($filter: JobFilter!) {{ retryJobs(filter: $filter) {{ {FIELDS} }} }}"
RESOLVE = f"mutation($filter: FailureFilter!) {{ resolveFailures(filter: $filter) {{ {FIELDS} }} }}"
STOP = f"mutation($input: BulkActionIdInput!) {{ cancelBulkAction(input: $input) {{ {FIELDS} }} }}"
ONE = "query($id: ID!) { bulkAction(id: $id) { id state } node(id: $id) { id } }"
LIST = "{ bulkActions { nodes { id } totalCount { count } } }"


async def test_an_action_changes_own_jobs_unless_an_admin_names_an_owner(
    ann: Client, bob: Client, admin: Client, documents: Documents
) -> None:
    for owner in ("ann", "ann", "bob", "root"):
        await documents.job(owner, tags=["a"])
    started = (await ann.get(CANCEL, filter={"tags": ["a"]}))["bulkAction"]
    assert (started["kind"], started["state"]) == ("CANCEL_JOBS", "RUNNING")
    assert (started["total"], started["owner"], started["targetOwner"]) == (2, "ann", "ann")
    assert (await ann(CANCEL, filter={"owner": "bob"})).code == "FORBIDDEN"
    assert (await admin.get(CANCEL, filter={}))["bulkAction"]["targetOwner"] == "root"
    others = (await admin.get(CANCEL, filter={"owner": "bob"}))["bulkAction"]
    assert (others["owner"], others["targetOwner"], others["total"]) == ("root", "bob", 1)
    assert (await bob(ONE, id=others["id"])).data["bulkAction"] is None
    assert (await bob.get(LIST))["nodes"] == []
    assert len((await admin.get(LIST))["nodes"]) == 3


async def test_only_states_that_an_action_changes_are_accepted(
    ann: Client, documents: Documents
) -> None:
    await documents.job(state="failed")
    for document, wanted in (
        (CANCEL, {"states": ["SUCCESS"]}),
        (RETRY, {"states": ["PENDING", "SUCCESS"]}),
    ):
        answer = await ann(document, filter=wanted)
        assert (answer.code, answer.paths) == ("BAD_REQUEST", [["filter", "states"]])
    answer = await ann(CANCEL, filter={"internal": None})
    assert answer.paths == [["filter", "internal"]]
    assert (await ann(CANCEL, filter={"tags": [""]})).paths == [["filter", "tags", 0]]
    mixed = await ann.get(RETRY, filter={"states": ["FAILED", "PENDING"]})
    assert mixed["bulkAction"]["total"] == 1


async def test_an_action_is_stopped_and_read(ann: Client, bob: Client) -> None:
    action_id = (await ann.get(RESOLVE, filter={"functionName": "a.b"}))["bulkActionId"]
    assert (await bob(STOP, input={"bulkActionId": action_id})).code == "NOT_FOUND"
    stopped = await ann.get(STOP, input={"bulkActionId": action_id})
    assert stopped["bulkAction"]["state"] == "CANCELED"
    assert (await ann(STOP, input={"bulkActionId": action_id})).code == "PRECONDITION_FAILED"
    found = await ann(ONE, id=action_id)
    assert found.data["node"]["id"] == found.data["bulkAction"]["id"] == action_id


async def test_the_number_of_running_actions_is_limited(ann: Client, bob: Client) -> None:
    for _ in range(5):
        await ann.get(CANCEL, filter={})
    answer = await ann(CANCEL, filter={})
    assert (answer.code, "cancelBulkAction" in answer.message) == ("QUOTA_EXCEEDED", True)
    await bob.get(CANCEL, filter={})


async def test_errors_have_global_ids(ann: Client, documents: Documents) -> None:
    error = {"id": "0" * 24, "outcome": "malformed", "message": "broken"}
    action_id = await documents.bulk_action(errors=[error], outcomes={"malformed": 1})
    query = "query($id: ID!) { bulkAction(id: $id) { errors { id outcome } outcomes { count } } }"
    found = await ann.get(query, id=action_id)
    job = await documents.job(_id="0" * 24)
    assert found == {
        "errors": [{"id": job, "outcome": "MALFORMED"}],
        "outcomes": [{"count": 1}],
    }


async def test_the_filter_is_in_the_audit_log(ann: Client, engine: Engine) -> None:
    await ann.get(CANCEL, filter={"tags": ["a"], "functionName": "a.b"})
    await engine.audit.close()
    (entry,) = await engine.mongo["auditLog"].find({}).to_list(None)
    assert entry["mutation"] == "cancelJobs"
    assert entry["input"] == {"functionName": "a.b", "internal": False, "tags": ["a"]}
    assert entry["objectType"] == "BulkAction"


@pytest.mark.parametrize("owner", ["ann", "bob"])
async def test_changes_of_own_actions_are_sent(ann: Client, bob: Client, owner: str) -> None:
    client: Any = {"ann": ann, "bob": bob}[owner]
    query = bulk_actions_changed(ann.context, SubscribeOptions(snapshot=True))
    async with LiveClient(query) as live:
        await live.until(ChangeKind.READY)
        await client.get(CANCEL, filter={})
        own = (await ann.get(CANCEL, filter={}))["bulkActionId"]
        message = await live.next()
        if owner == "ann":
            message = await live.next()
    assert message.record is not None
    assert message.record.owner == "ann"
    assert own
