"""The audit log in the API: what it records of mutations, and who reads it."""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
import pytest
from graphql import GraphQLInputObjectType, get_named_type

from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from ostinato.resolvers.audit import CLIENT_ADDRESS, UNRECORDED, describe_input
from ostinato.resolvers.auth import issue_token
from ostinato.schema.inputs.calendars import CalendarInput
from ostinato.schema.server.app import create_app
from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.api.documents import Documents
from tests.api.test_contract import SCHEMA
from tests.jobs.mongo.test_audit_log import accepting_only

pytestmark = pytest.mark.audit("audit log")

FIELDS = "id at user asAdmin mutation input objectId address outcome"
LOG = f"""query($filter: AuditFilter, $first: Int, $after: String) {{
  auditLog(filter: $filter, first: $first, after: $after) {{
    nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
GREET = {"functionName": "functions.greet", "args": {"name": "secret"}}
PAUSE = op.mutation("pauseQueue", "QueueInput", "queue { name }")


async def read(admin: Client, **filter_: Any) -> list[dict[str, Any]]:
    """Write the waiting entries, and return those that match, newest first."""
    await admin.context.engine.audit.close()
    nodes: list[dict[str, Any]] = (await admin.get(LOG, filter=filter_))["nodes"]
    return nodes


async def test_mutation_is_recorded_with_its_user_input_object_and_outcome(
    admin: Client, ann: Client
) -> None:
    CLIENT_ADDRESS.set("192.0.2.7")
    job = await ann.get(op.SCHEDULE_JOB, input=GREET | {"priority": 3, "queue": "mail"})
    [entry] = await read(admin)
    assert entry.pop("id")
    assert entry.pop("at")
    assert entry == {
        "user": "ann",
        "asAdmin": False,
        "mutation": "scheduleJob",
        "input": {"functionName": "functions.greet", "priority": 3, "queue": "mail"},
        "objectId": job["jobId"],
        "address": "192.0.2.7",
        "outcome": "OK",
    }


@pytest.mark.parametrize(
    ("document", "input_", "code"),
    [
        (op.SCHEDULE_JOB, {"functionName": "functions.none"}, "BAD_REQUEST"),
        (op.PAUSE_CRON, {"cronId": "x" * 500}, "BAD_REQUEST"),
        (op.STOP_TASK, {"taskId": "none"}, "NOT_FOUND"),
        (PAUSE, {"queue": "mail"}, "FORBIDDEN"),
    ],
)
async def test_rejected_mutation_is_recorded_with_the_code_of_its_error(
    admin: Client, ann: Client, document: str, input_: dict[str, str], code: str
) -> None:
    assert (await ann(document, input=input_)).code == code
    [entry] = await read(admin)
    assert (entry["outcome"], entry["objectId"]) == (code, None)
    assert all(len(text) <= 201 for text in entry["input"].values() if isinstance(text, str))


def test_lists_of_inputs_are_recorded_up_to_a_limit() -> None:
    @dataclass
    class Given:
        item_ids: list[object]

    described = describe_input(Given(item_ids=["a" * 500, {"secret": 1}, *range(100)]))
    listed = described["itemIds"]
    assert isinstance(listed, list)
    assert (len(listed), listed[0], listed[1]) == (20, "a" * 200 + "…", "…")


def test_days_of_a_calendar_are_recorded() -> None:
    given = CalendarInput(name="holidays", dates=[date(2030, 12, 25)], ranges=None)
    assert describe_input(given)["dates"] == ["2030-12-25"]


async def test_mutation_that_did_not_end_is_recorded_as_interrupted(
    admin: Client, ann: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def hang(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(type(engine), "schedule", hang)
    calling = asyncio.create_task(ann(op.SCHEDULE_JOB, input=GREET))
    await begun.wait()
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    assert [entry["outcome"] for entry in await read(admin)] == ["INTERRUPTED"]


def test_no_input_with_json_of_clients_is_recorded() -> None:
    inputs = [one for one in SCHEMA.type_map.values() if isinstance(one, GraphQLInputObjectType)]
    json_fields = {
        name
        for one in inputs
        for name, field in one.fields.items()
        if get_named_type(field.type).name == "JSON"
    }
    assert json_fields | {"error"} == UNRECORDED  # `error` is the text of a person


async def test_action_of_an_admin_is_recorded_before_it_takes_effect(
    admin: Client, engine: Engine, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await documents.job()
    seen: list[dict[str, Any]] = []
    cancel = type(engine).cancel

    async def look_and_cancel(self: Engine, job_id: str) -> Any:
        seen.extend(await engine.mongo["auditLog"].find().to_list(None))
        return await cancel(self, job_id)

    monkeypatch.setattr(type(engine), "cancel", look_and_cancel)
    await admin.get(op.CANCEL_JOB, input={"jobId": job})
    [before] = seen
    assert (before["user"], before["outcome"]) == ("root", None)
    [entry] = await read(admin)
    expected = (True, {"jobId": job}, job, "OK")
    assert (entry["asAdmin"], entry["input"], entry["objectId"], entry["outcome"]) == expected


async def test_action_of_an_admin_that_cannot_be_recorded_does_not_run(
    admin: Client, engine: Engine, documents: Documents
) -> None:
    job = await documents.job()
    async with accepting_only(engine, {"user": "nobody"}):
        assert (await admin(op.CANCEL_JOB, input={"jobId": job})).errors
    [stored] = await engine.mongo["jobs"].find().to_list(None)
    assert stored["state"] == "pending"


async def test_entries_are_filtered_by_user_mutation_and_time(
    admin: Client, ann: Client, bob: Client
) -> None:
    for client in (ann, bob):
        await client.get(op.SCHEDULE_JOB, input=GREET)
    await ann.get(op.ADD_ITEMS, input={"items": ["secret"]})
    added, bobs, anns = await read(admin)
    assert added["input"] == {}
    assert await read(admin, user="ann") == [added, anns]
    assert await read(admin, mutation="scheduleJob") == [bobs, anns]
    assert await read(admin, user="ann", mutation="scheduleJob") == [anns]
    assert added in await read(admin, calledFrom=added["at"])
    assert await read(admin, calledFrom="2100-01-01T00:00:00Z") == []
    assert await read(admin, calledTo="1960-01-01T00:00:00Z") == []


async def test_entries_are_paged_newest_first(admin: Client, ann: Client) -> None:
    for _ in range(3):
        await ann.get(op.SCHEDULE_JOB, input=GREET)
    newest, middle, oldest = await read(admin)
    first = await admin.get(LOG, first=2)
    assert first["nodes"] == [newest, middle]
    assert first["pageInfo"]["hasNextPage"]
    rest = await admin.get(LOG, first=2, after=first["pageInfo"]["endCursor"])
    assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == ([oldest], False)


async def test_only_admins_read_the_audit_log(clients: Clients) -> None:
    assert (await clients.of("ann")(LOG)).code == "FORBIDDEN"
    assert (await clients.of("eve", "auditor")(LOG)).code == "FORBIDDEN"
    assert (await clients.anonymous()(LOG)).code == "UNAUTHORIZED"


async def test_calls_without_a_token_are_not_recorded(clients: Clients, admin: Client) -> None:
    await clients.anonymous()(op.SCHEDULE_JOB, input=GREET)
    assert await read(admin) == []


async def test_requests_are_recorded_with_the_address_of_their_client(
    api_settings: Settings, admin: Client
) -> None:
    app = create_app(api_settings)
    transport = httpx.ASGITransport(app, client=("192.0.2.9", 1234))
    bearer = {"authorization": f"Bearer {issue_token(api_settings, 'ann')}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api", headers=bearer) as http,
    ):
        body = {"query": op.SCHEDULE_JOB, "variables": {"input": GREET}}
        assert "errors" not in (await http.post("/graphql", json=body)).json()
    [entry] = await read(admin)
    assert (entry["address"], entry["outcome"]) == ("192.0.2.9", "OK")


async def test_nothing_is_recorded_if_the_log_is_off(api_settings: Settings) -> None:
    off = api_settings.model_copy(update={"audit_retention_ms": 0})
    async with Engine.open(off) as engine:
        clients = Clients(engine=engine, feed=None)  # type: ignore[arg-type]
        await clients.of("ann").get(op.SCHEDULE_JOB, input=GREET)
        await clients.of("root", "admin").get(PAUSE, input={"queue": "mail"})
        assert await read(clients.of("root", "admin")) == []
