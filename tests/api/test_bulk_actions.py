"""Bulk actions in the API: their start, permissions, lists and errors."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import bulk_actions_changed
from ostinato.schema.ids import global_id, parse_global_id
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.live.reading import Client as LiveClient
from tests.malformed import DUE

FIELDS = """bulkActionId bulkAction { id kind state processed total owner targetOwner runAt
  outcomes { outcome count } errors { id outcome message } }"""
CANCEL = f"mutation($filter: JobFilter!) {{ cancelJobs(filter: $filter) {{ {FIELDS} }} }}"
RETRY = f"mutation($filter: JobFilter!) {{ retryJobs(filter: $filter) {{ {FIELDS} }} }}"
RESOLVE = f"mutation($filter: FailureFilter!) {{ resolveFailures(filter: $filter) {{ {FIELDS} }} }}"
RESCHEDULE = f"""mutation($filter: JobFilter!, $at: DateTime, $after: Milliseconds) {{
  rescheduleJobs(filter: $filter, runAt: $at, runAfterMs: $after) {{ {FIELDS} }} }}"""
RETRY_FAILURES = RESOLVE.replace("resolveFailures", "retryFailures")
JOBS = "query($filter: JobFilter!) { jobs(filter: $filter) { nodes { id } } }"
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


async def test_pending_jobs_are_rescheduled_to_one_instant(
    ann: Client, documents: Documents, engine: Engine
) -> None:
    wanted = [await documents.job(), await documents.job()]
    await documents.job()
    await documents.job(state="failed")
    started = (await ann.get(RESCHEDULE, filter={"ids": wanted}, after=60_000))["bulkAction"]
    assert (started["kind"], started["total"]) == ("RESCHEDULE_JOBS", 2)
    wait = datetime.fromisoformat(started["runAt"]) - await engine.now()
    assert timedelta(0) < wait <= timedelta(minutes=1)
    at = await ann.get(RESCHEDULE, filter={}, at="2026-12-24T00:00:00Z")
    assert (at["bulkAction"]["total"], at["bulkAction"]["runAt"][:10]) == (3, "2026-12-24")


async def test_a_new_time_and_the_filter_are_checked(ann: Client) -> None:
    for given, paths in (
        ({}, [["runAt"]]),
        ({"after": 1, "at": "2026-12-24T00:00:00Z"}, [["runAt"]]),
        ({"after": -1}, [["runAfterMs"]]),
        ({"at": "2999-01-01T00:00:00Z"}, [["runAt"]]),
    ):
        answer = await ann(RESCHEDULE, filter={}, **given)
        assert (answer.code, answer.paths) == ("BAD_REQUEST", paths)
    states = await ann(RESCHEDULE, filter={"states": ["FAILED"]}, after=1)
    assert states.paths == [["filter", "states"]]


async def test_jobs_are_filtered_by_their_cause_and_by_ids(
    ann: Client, bob: Client, documents: Documents
) -> None:
    cron = await documents.cron()
    run = await documents.job(cause={"kind": "cron", "id": parse_global_id(cron)[1]})
    other = await documents.job()
    assert (await ann.get(JOBS, filter={"causeId": cron}))["nodes"] == [{"id": run}]
    assert (await ann.get(JOBS, filter={"ids": [other, run]}))["nodes"] == [
        {"id": other},
        {"id": run},
    ]
    assert (await bob.get(JOBS, filter={"ids": [other], "internal": None}))["nodes"] == []
    wrong: dict[str, Any]
    for wrong in ({"ids": []}, {"ids": [run] * 101}, {"causeId": await documents.failure()}):
        (path,) = (await ann(JOBS, filter=wrong)).paths
        assert path == ["filter", *wrong]
    assert (await ann(JOBS, filter={"ids": [run, cron]})).paths == [["filter", "ids", 1]]


async def test_only_open_failures_are_changed(
    ann: Client, documents: Documents, engine: Engine
) -> None:
    await documents.failure(functionName="a.b")
    await documents.failure(functionName="a.c")
    await documents.failure(functionName="a.b", resolvedAt=DUE)
    wanted: dict[str, Any]
    for document in (RESOLVE, RETRY_FAILURES):
        for wanted, total in (({}, 2), ({"functionName": "a.b"}, 1), ({"states": None}, 2)):
            assert (await ann.get(document, filter=wanted))["bulkAction"]["total"] == total
            await engine.mongo["bulkActions"].delete_many({})
        answer = await ann(document, filter={"states": ["RESOLVED"]})
        assert (answer.code, answer.paths) == ("BAD_REQUEST", [["filter", "states"]])


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
    assert global_id("BulkAction", message.record.id) == own
