"""Failures are open until they are resolved; a retry of their job deletes them."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from ostinato.schema.ids import parse_global_id
from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.api.documents import ERROR, Documents
from tests.malformed import DUE

FAILED: dict[str, Any] = {"state": "failed", "attempt": 1, "completedAt": DUE, "error": ERROR}
WEEK = timedelta(days=7)
IN_STATES = """query($filter: FailureFilter) { failures(filter: $filter) {
  nodes { id state resolvedAt version } } }"""


async def _failed(documents: Documents, **fields: Any) -> tuple[str, str]:
    """Return the ids of a failure and of its job."""
    job = await documents.job(**FAILED | fields)
    job_id = parse_global_id(job)[1]
    return await documents.failure(_id=job_id, jobId=job_id), job


@pytest.mark.parametrize("caller", ["ann", "admin"])
async def test_resolved_failure_is_kept_and_its_job_gets_a_purge_time(
    clients: Clients, documents: Documents, engine: Engine, caller: str
) -> None:
    failure, job = await _failed(documents)
    answer = await clients.of(caller, caller).get(op.RESOLVE_FAILURE, input={"failureId": failure})
    assert (answer["failureId"], answer["failure"]["id"]) == (failure, failure)
    seen = answer["failure"]["job"]
    assert (seen["id"], seen["state"], seen["version"]) == (job, "FAILED", 2)
    wait = datetime.fromisoformat(seen["purgeAt"]) - await engine.now()
    assert abs(wait - WEEK) < timedelta(minutes=1)
    ann = clients.of("ann")
    assert (await ann.get(op.LISTS["failures"]))["nodes"] == []
    (kept,) = (await ann.get(IN_STATES, filter={"states": ["RESOLVED"]}))["nodes"]
    assert (kept["id"], kept["state"], kept["version"]) == (failure, "RESOLVED", 2)
    assert datetime.fromisoformat(kept["resolvedAt"]) <= await engine.now()


async def test_a_failure_is_resolved_once(ann: Client, documents: Documents) -> None:
    failure, _ = await _failed(documents)
    await ann.get(op.RESOLVE_FAILURE, input={"failureId": failure})
    answer = await ann(op.RESOLVE_FAILURE, input={"failureId": failure})
    assert answer.code == "PRECONDITION_FAILED"


async def test_failures_are_listed_by_their_state(ann: Client, documents: Documents) -> None:
    opened = await documents.failure()
    resolved = await documents.failure(resolvedAt=DUE)
    given: Any
    for given, expected in (
        (None, [opened]),
        ({}, [opened]),
        ({"states": ["OPEN"]}, [opened]),
        ({"states": ["RESOLVED"]}, [resolved]),
        ({"states": ["RESOLVED", "OPEN"]}, [resolved, opened]),
        ({"states": None}, [resolved, opened]),
        ({"states": []}, []),
    ):
        found = (await ann.get(IN_STATES, filter=given))["nodes"]
        assert [one["id"] for one in found] == expected


async def test_failures_are_filtered_by_function_and_time(
    ann: Client, documents: Documents
) -> None:
    wanted = await documents.failure(functionName="a.b", at=DUE)
    await documents.failure(functionName="a.c", at=DUE)
    await documents.failure(functionName="a.b", at=DUE + WEEK)
    which = {"functionName": "a.b", "failedTo": (DUE + timedelta(1)).isoformat()}
    assert [one["id"] for one in (await ann.get(IN_STATES, filter=which))["nodes"]] == [wanted]
    assert (await ann(IN_STATES, filter={"owner": "bob"})).code == "FORBIDDEN"


async def test_requests_and_batches_are_listed_by_their_state(
    ann: Client, documents: Documents
) -> None:
    insert: Any
    for name, kind, insert, ended in (
        ("requests", "RequestFilter", documents.request, "completed"),
        ("batches", "BatchFilter", documents.batch, "done"),
    ):
        active, done = await insert(), await insert(state=ended)
        query = f"query($filter: {kind}) {{ {name}(filter: $filter) {{ nodes {{ id }} }} }}"
        given: Any
        for given, expected in ((None, [done, active]), ([ended.upper()], [done]), ([], [])):
            found = (await ann.get(query, filter={"states": given}))["nodes"]
            assert [one["id"] for one in found] == expected


async def test_a_failure_of_another_owner_is_not_found_and_kept(
    ann: Client, bob: Client, documents: Documents
) -> None:
    failure, _ = await _failed(documents)
    assert (await bob(op.RESOLVE_FAILURE, input={"failureId": failure})).code == "NOT_FOUND"
    assert [
        failure_node["id"] for failure_node in (await ann.get(op.LISTS["failures"]))["nodes"]
    ] == [failure]


async def test_an_id_of_another_type_is_rejected(ann: Client, documents: Documents) -> None:
    answer = await ann(op.RESOLVE_FAILURE, input={"failureId": await documents.job()})
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", "failureId"]])


async def test_a_failure_logged_by_a_function_has_no_job(ann: Client, documents: Documents) -> None:
    failure = await documents.failure()
    answer = await ann.get(op.RESOLVE_FAILURE, input={"failureId": failure})
    assert answer["failure"]["job"] is None


async def test_a_job_has_the_newest_failure_that_its_function_recorded(
    ann: Client, bob: Client, documents: Documents
) -> None:
    job, other = await documents.job(attempt=1), await documents.job(attempt=1)
    recorder = parse_global_id(job)[1]
    await documents.failure(recordedById=recorder)
    newest = await documents.failure(recordedById=recorder, resolvedAt=DUE)
    await documents.failure("bob", recordedById=parse_global_id(other)[1])
    query = "{ jobs { nodes { id recordedFailure { id state recordedBy { id } job { id } } } } }"
    found = {each["id"]: each["recordedFailure"] for each in (await ann.get(query))["nodes"]}
    expected = {"id": newest, "state": "RESOLVED", "recordedBy": {"id": job}, "job": None}
    assert found == {job: expected, other: None}
    mine = "{ failures(filter: {states: null}) { nodes { recordedBy { id } } } }"
    assert (await bob.get(mine))["nodes"] == [{"recordedBy": None}]


async def test_a_resolved_job_can_be_retried_and_is_retained_again(
    ann: Client, documents: Documents, engine: Engine
) -> None:
    failure, job = await _failed(documents)
    await ann.get(op.RESOLVE_FAILURE, input={"failureId": failure})
    await ann.get(op.RETRY_JOB, input={"jobId": job})
    stored = await engine.mongo["jobs"].find_one({"_id": parse_global_id(job)[1]})
    assert stored is not None
    assert (stored["state"], stored.get("purgeAt")) == ("pending", None)


async def test_the_event_of_a_manual_retry_has_the_user_who_asked_for_it(
    admin: Client, ann: Client, documents: Documents
) -> None:
    _, job = await _failed(documents)
    await admin.get(op.RETRY_JOB, input={"jobId": job})
    query = "query($id: ID!) { job(id: $id) { timeline { state by } } }"
    *_, retried = (await ann.get(query, id=job))["timeline"]
    assert retried == {"state": "PENDING", "by": "root"}


async def test_a_retried_job_has_no_failure_to_resolve(ann: Client, documents: Documents) -> None:
    failure, job = await _failed(documents)
    await ann.get(op.RETRY_JOB, input={"jobId": job})
    assert (await ann(op.RESOLVE_FAILURE, input={"failureId": failure})).code == "NOT_FOUND"
