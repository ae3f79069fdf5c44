"""Subscriptions in the API: snapshots, READY, and changes with their objects."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from ostinato.schema.build import graphql_schema
from tests.api import operations as op
from tests.api.conftest import Client
from tests.api.documents import Documents

JOB = "cursor kind jobId event { seq state } job { id state }"


class Stream:
    """The messages of one subscription."""

    def __init__(self, results: Any) -> None:
        self._results = results

    async def next(self) -> dict[str, Any]:
        """Return the next message; raise the error of the subscription."""
        result = await anext(self._results)
        if result.errors:
            raise result.errors[0].original_error or result.errors[0]
        (message,) = result.data.values()
        assert message["cursor"]
        found: dict[str, Any] = message
        return found

    async def read_until_ready(self) -> list[str]:
        kinds: list[str] = []
        while not kinds or kinds[-1] != "READY":
            kinds.append((await self.next())["kind"])
        return kinds


@asynccontextmanager
async def subscribed(client: Client, document: str, **variables: Any) -> AsyncIterator[Stream]:
    results: Any = await graphql_schema.subscribe(
        document, variable_values=variables, context_value=client.context
    )
    async with aclosing(results):
        yield Stream(results)


async def test_changes_to_a_job_are_sent(ann: Client, documents: Documents) -> None:
    job = await documents.job()
    document = f"subscription($id: ID!) {{ jobChanged(jobId: $id) {{ {JOB} }} }}"
    async with subscribed(ann, document, id=job) as stream:
        assert await stream.read_until_ready() == ["SNAPSHOT", "READY"]
        await ann.get(op.CANCEL_JOB, input={"jobId": job})
        change = await stream.next()
    assert (change["kind"], change["jobId"], change["event"]["seq"]) == ("CHANGED", job, 2)
    assert change["job"] == {"id": job, "state": "CANCELED"}


async def test_jobs_enter_and_leave_a_filter(ann: Client) -> None:
    document = f"subscription {{ jobsChanged(filter: {{states: [PENDING]}}) {{ {JOB} }} }}"
    async with subscribed(ann, document) as stream:
        assert await stream.read_until_ready() == ["READY"]
        input_ = {"functionName": "functions.greet", "args": {"name": "x"}, "runAfterMs": 60_000}
        job = (await ann.get(op.SCHEDULE_JOB, input=input_))["jobId"]
        await ann.get(op.CANCEL_JOB, input={"jobId": job})
        messages = [await stream.next(), await stream.next()]
    assert [(message["kind"], message["jobId"]) for message in messages] == [
        ("CHANGED", job),
        ("LEFT", job),
    ]


async def test_a_snapshot_is_sent_before_ready(ann: Client, documents: Documents) -> None:
    await documents.job()
    await documents.job("bob")
    document = f"subscription {{ jobsChanged(snapshot: true) {{ {JOB} }} }}"
    async with subscribed(ann, document) as stream:
        assert await stream.read_until_ready() == ["SNAPSHOT", "READY"]


async def test_an_object_selected_in_a_fragment_is_read(ann: Client, documents: Documents) -> None:
    job = await documents.job()
    document = """subscription($id: ID!) { jobChanged(jobId: $id) { ...Parts } }
      fragment Parts on JobChange { cursor kind ... on JobChange { job { id } } }"""
    async with subscribed(ann, document, id=job) as stream:
        assert (await stream.next())["job"] == {"id": job}


LISTS = {
    "cronsChanged": (
        "cronId cron { id }",
        op.REGISTER_CRON,
        {"name": "n", "cronspec": "@daily"},
        "cronId",
    ),
    "recurringTasksChanged": (
        "taskId recurringTask { id }",
        op.START_TASK,
        {"taskId": "t", "intervalMs": 60_000},
        "taskId",
    ),
}


@pytest.mark.parametrize("name", LISTS)
async def test_changes_to_a_list_are_sent(ann: Client, name: str) -> None:
    selection, write, input_, identifier = LISTS[name]
    document = f"subscription {{ {name} {{ cursor kind {selection} }} }}"
    async with subscribed(ann, document) as stream:
        assert await stream.read_until_ready() == ["READY"]
        payload = await ann.get(write, input=input_)
        change = await stream.next()
    assert (change["kind"], change[identifier]) == ("CHANGED", payload[identifier])


async def test_changes_to_a_batch_are_sent(ann: Client, documents: Documents) -> None:
    batch = await documents.batch()
    fields = "cursor kind batchId batch { id state }"
    document = f"subscription($id: ID!) {{ batchChanged(batchId: $id) {{ {fields} }} }}"
    async with subscribed(ann, document, id=batch) as stream:
        assert await stream.read_until_ready() == ["SNAPSHOT", "READY"]
        await ann.get(op.CANCEL_BATCH, input={"batchId": batch})
        change = await stream.next()
    assert change["batch"] == {"id": batch, "state": "CANCELED"}


async def test_changes_to_a_request_are_sent(ann: Client, documents: Documents) -> None:
    request = await documents.request()
    fields = "cursor kind requestId request { id state }"
    document = f"subscription($id: ID!) {{ requestChanged(requestId: $id) {{ {fields} }} }}"
    async with subscribed(ann, document, id=request) as stream:
        assert await stream.read_until_ready() == ["SNAPSHOT", "READY"]
        await documents.mongo["requests"].update_one(
            {}, {"$set": {"state": "timeout"}, "$inc": {"version": 1}}
        )
        change = await stream.next()
    assert change["request"] == {"id": request, "state": "TIMEOUT"}
