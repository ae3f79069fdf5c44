"""Every root field of the schema, called by the owner, another user, an admin, and anonymously."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import httpx
import pytest
from graphql import GraphQLField

from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token
from ostinato.schema.build import graphql_schema
from ostinato.schema.ids import global_id
from ostinato.schema.server.app import create_app
from tests.api.conftest import FUNCTIONS
from tests.api.documents import Documents
from tests.audit.owned_objects import COLLECTIONS, MARKER, READABLE
from tests.audit.report import Tried
from tests.audit.root_field_lines import (
    ADMIN,
    OBJECT,
    OWN,
    OWN_FOUND,
    SIGNED_IN,
    Line,
    change_of_cron,
    with_id,
)
from tests.audit.selections import selection_of
from tests.live.serving import served
from tests.malformed import CRON_TICK
from tests.processes import TLS

pytestmark = pytest.mark.audit("owner matrix")

SCHEMA: Final = graphql_schema._schema
CALLERS: Final[dict[str, tuple[str, ...] | None]] = {
    "owner": ("ann",),
    "other": ("bob",),
    "admin": ("root", "admin"),
    "anonymous": None,
}

Insert: TypeAlias = Callable[..., Awaitable[str]]

ONE: Final = {"input": {"name": "n", "cronspec": "@daily"}}
TOO_OLD: Final = OBJECT | dict.fromkeys(("owner", "admin"), "BAD_REQUEST")
PERIOD: Final = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}
TASK: Final = {"input": {"taskId": "t", "intervalMs": 1_000}}
CARL: Final = {"input": {"owner": "carl"}}
WAITING: Final = {
    "timeoutAt": datetime(2999, 1, 1, tzinfo=UTC),
    "timeoutJobId": None,
    "processJobId": None,
}
SNAPSHOT: Final = {"snapshot": True}
RETRYABLE: Final = {"retry": {"retries": 0}}
CALENDAR: Final = {"input": {"name": "holidays"}}
NO_CALENDAR: Final = ADMIN | {"admin": "NOT_FOUND"}
DAILY: Final = {"input": {"cronspec": "@daily"}}
QUEUE: Final = {"input": {"queue": "default"}}
LINES: Final[dict[str, Line]] = {
    "Query.node": Line(access=OBJECT, args={"id": "$id"}),
    "Query.viewer": Line(access=SIGNED_IN, shows_object=False),
    "Query.job": Line(access=OBJECT, args={"id": "$id"}),
    "Query.jobs": Line(access=OWN),
    "Query.jobTree": Line(access=OWN, args={"rootId": "$id"}),
    "Query.jobLogs": Line(access=OBJECT, args={"jobId": "$id"}, shows_object=False),
    "Query.alerts": Line(access=OWN, of="alert"),
    "Query.cron": Line(access=OBJECT, of="cron", args={"id": "$id"}),
    "Query.crons": Line(access=OWN, of="cron", args={"first": 5}),
    "Query.cronTicks": Line(
        access=OWN,
        of="cron_tick",
        args={"cronId": global_id("Cron", CRON_TICK["cronId"])},
    ),
    "Query.previewCron": Line(access=SIGNED_IN, shows_object=False, args=DAILY),
    "Query.previewCronChange": replace(change_of_cron(intervalMs=3_600_000), shows_object=False),
    "Query.previewTicks": Line(access=SIGNED_IN, shows_object=False, args=DAILY),
    "Query.calendars": Line(access=SIGNED_IN, shows_object=False),
    "Query.recurringTask": Line(access=OWN_FOUND, of="recurring_task", args={"taskId": "t"}),
    "Query.recurringTasks": Line(access=OWN, of="recurring_task"),
    "Query.batch": Line(access=OBJECT, of="batch", args={"id": "$id"}),
    "Query.batches": Line(access=OWN, of="batch"),
    "Query.request": Line(access=OBJECT, of="request", args={"id": "$id"}),
    "Query.requests": Line(access=OWN, of="request"),
    "Query.failures": Line(access=OWN, of="failure"),
    "Query.jobTotals": Line(access=SIGNED_IN, shows_object=False),
    "Query.activity": Line(access=SIGNED_IN, shows_object=False, args={"range": "ONE_HOUR"}),
    "Query.functions": Line(access=SIGNED_IN, shows_object=False),
    "Query.queues": Line(access=ADMIN, shows_object=False, args={"first": 10}),
    "Query.owner": Line(access=ADMIN, shows_object=False, args={"id": "carl"}),
    "Query.suspendedOwners": Line(access=ADMIN, shows_object=False),
    "Query.auditLog": Line(access=ADMIN, shows_object=False),
    "Query.workers": Line(access=ADMIN, shows_object=False),
    "Query.tokenRevocations": Line(access=ADMIN, shows_object=False),
    "Mutation.registerCron": Line(access=OWN, args=ONE),
    "Mutation.pauseCron": with_id("cronId", "cron"),
    "Mutation.resumeCron": with_id("cronId", "cron"),
    "Mutation.deleteCron": with_id("cronId", "cron"),
    "Mutation.updateCron": change_of_cron(intervalMs=3_600_000),
    "Mutation.skipNextRun": with_id("cronId", "cron"),
    "Mutation.triggerCron": with_id("cronId", "cron"),
    "Mutation.backfillCron": change_of_cron(TOO_OLD, **PERIOD),
    "Mutation.applyCrons": Line(access=OWN, args={"input": {"managedBy": "s", "crons": []}}),
    "Mutation.scheduleJob": Line(
        access=OWN, args={"input": {"functionName": "tasks.runTask", "args": {"name": "x"}}}
    ),
    "Mutation.scheduleJobs": Line(
        access=OWN,
        args={"input": {"jobs": [{"functionName": "tasks.runTask", "args": {"name": "x"}}]}},
    ),
    "Mutation.rescheduleJob": Line(
        access=OBJECT, args={"input": {"jobId": "$id", "runAfterMs": 1_000}}, fields=RETRYABLE
    ),
    "Query.bulkAction": Line(access=OBJECT, of="bulk_action", args={"id": "$id"}),
    "Query.failureGroups": Line(access=OWN, shows_object=False),
    "Query.bulkActions": Line(access=OWN, of="bulk_action"),
    "Mutation.cancelJobs": Line(access=OWN, args={"filter": {}}),
    "Mutation.retryJobs": Line(access=OWN, args={"filter": {}}),
    "Mutation.retryFailures": Line(access=OWN, args={"filter": {}}),
    "Mutation.rescheduleJobs": Line(access=OWN, args={"filter": {}, "runAfterMs": 1}),
    "Mutation.resolveFailures": Line(access=OWN, args={"filter": {}}),
    "Mutation.cancelBulkAction": with_id("bulkActionId", "bulk_action"),
    "Subscription.bulkActionsChanged": Line(access=OWN, of="bulk_action", args={"snapshot": True}),
    "Mutation.cancelJob": with_id("jobId", "job"),
    "Mutation.retryJob": with_id("jobId", "job", state="failed", attempt=1),
    "Mutation.resolveFailure": with_id("failureId", "failure"),
    "Mutation.startRecurringTask": Line(access=OWN, args=TASK),
    "Mutation.updateRecurringTask": Line(
        access=OBJECT,
        of="recurring_task",
        args={"input": {"recurringTaskId": "$id", "intervalMs": 5_000}},
        fields={"args": {"name": MARKER}, "functionName": "tasks.runTask", "enabled": False},
    ),
    "Mutation.stopRecurringTask": Line(
        access=OWN_FOUND, of="recurring_task", args={"input": {"taskId": "t"}}
    ),
    "Mutation.deleteRecurringTask": Line(
        access=OWN_FOUND,
        of="recurring_task",
        args={"input": {"taskId": "t"}},
        fields={"enabled": False},
    ),
    "Mutation.deleteItems": Line(access=OWN, args={"input": {}}),
    "Mutation.addItems": Line(access=OWN, args={"input": {"items": [1]}}),
    "Mutation.startBatch": Line(access=OWN, args={"input": {}}),
    "Mutation.pauseBatch": with_id("batchId", "batch"),
    "Mutation.resumeBatch": with_id("batchId", "batch", state="paused"),
    "Mutation.updateBatch": Line(
        access=OBJECT, of="batch", args={"input": {"batchId": "$id", "delayMs": 5}}
    ),
    "Mutation.cancelBatch": with_id("batchId", "batch"),
    "Mutation.deleteBatch": with_id("batchId", "batch", state="done"),
    "Mutation.deleteRequest": with_id("requestId", "request", state="completed"),
    "Mutation.completeRequest": with_id("requestId", "request", **WAITING),
    "Mutation.rejectRequest": Line(
        access=OBJECT,
        of="request",
        args={"input": {"requestId": "$id", "error": "no"}},
        fields=WAITING,
    ),
    "Mutation.extendRequest": Line(
        access=OBJECT,
        of="request",
        args={"input": {"requestId": "$id", "timeoutMs": 1_000}},
        fields=WAITING,
    ),
    "Mutation.cancelRequest": with_id("requestId", "request", **WAITING),
    "Mutation.createWithTimeout": Line(access=OWN, args={"input": {"data": 1}}),
    "Mutation.acknowledgeAlert": with_id("alertId", "alert"),
    "Mutation.resolveAlert": with_id("alertId", "alert"),
    "Mutation.pauseQueue": Line(access=ADMIN, args=QUEUE),
    "Mutation.resumeQueue": Line(access=ADMIN, args=QUEUE),
    "Mutation.createCalendar": Line(access=ADMIN, args=CALENDAR),
    "Mutation.replaceCalendar": Line(access=NO_CALENDAR, args=CALENDAR),
    "Mutation.deleteCalendar": Line(access=NO_CALENDAR, args=CALENDAR),
    "Mutation.suspendOwner": Line(access=ADMIN, args=CARL),
    "Mutation.resumeOwner": Line(access=ADMIN, args=CARL),
    "Mutation.purgeOwner": Line(access=ADMIN | {"admin": "PRECONDITION_FAILED"}, args=CARL),
    "Mutation.revokeToken": Line(access=ADMIN, args={"input": {"jti": "x"}}),
    "Mutation.revokeTokens": Line(access=ADMIN, args={"input": {"subject": "carl"}}),
    "Mutation.deleteRevocation": Line(
        access=ADMIN | {"admin": "NOT_FOUND"}, args={"input": {"revocationId": "jti:none"}}
    ),
    "Subscription.jobChanged": Line(access=OBJECT, args={"jobId": "$id"}),
    "Subscription.jobsChanged": Line(access=OWN, args={"snapshot": True, "first": 10}),
    "Subscription.jobTreeChanged": Line(
        access=OWN, args={"rootId": "$id", "snapshot": True, "first": 10}
    ),
    "Subscription.jobLogsChanged": Line(access=OBJECT, args={"jobId": "$id"}, shows_object=False),
    "Subscription.alertsChanged": Line(
        access=OWN, of="alert", args={"snapshot": True, "first": 10, "states": ["OPEN"]}
    ),
    "Subscription.cronsChanged": Line(access=OWN, of="cron", args={"snapshot": True, "first": 5}),
    "Subscription.cronTicksChanged": Line(access=OWN, of="cron_tick", args={"snapshot": True}),
    "Subscription.recurringTasksChanged": Line(access=OWN, of="recurring_task", args=SNAPSHOT),
    "Subscription.requestsChanged": Line(access=OWN, of="request", args=SNAPSHOT),
    "Subscription.batchesChanged": Line(access=OWN, of="batch", args=SNAPSHOT),
    "Subscription.failuresChanged": Line(access=OWN, of="failure", args=SNAPSHOT),
    "Subscription.requestChanged": Line(access=OBJECT, of="request", args={"requestId": "$id"}),
    "Subscription.batchChanged": Line(access=OBJECT, of="batch", args={"batchId": "$id"}),
    "Subscription.activityChanged": Line(
        access=SIGNED_IN, shows_object=False, args={"range": "ONE_HOUR", "everyMs": 1_000}
    ),
    "Subscription.statsChanged": Line(
        access=SIGNED_IN, shows_object=False, args={"everyMs": 1_000}
    ),
}


def root_fields() -> dict[str, GraphQLField]:
    """Return the root fields of the schema, by `Type.field`."""
    types = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    return {
        f"{kind.name}.{name}": root
        for kind in types
        if kind is not None
        for name, root in kind.fields.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls root fields over HTTP."""

    client: httpx.AsyncClient
    settings: Settings

    async def call(self, name: str, args: Mapping[str, Any], user: tuple[str, ...] | None) -> str:
        """Return the response of a root field, of a subscription the events up to READY."""
        kind, _, field_name = name.partition(".")
        root = root_fields()[name]
        declared = ", ".join(f"${arg}: {root.args[arg].type}" for arg in args)
        passed = ", ".join(f"{arg}: ${arg}" for arg in args)
        selected = selection_of(SCHEMA, root, DEPTHS.get(name, 3))
        query = (
            f"{kind.lower()}{f'({declared})' if args else ''} {{ "
            f"{field_name}{f'({passed})' if args else ''} {selected} }}"
        )
        headers = {"accept": "text/event-stream" if kind == "Subscription" else "application/json"}
        if user is not None:
            headers["authorization"] = f"Bearer {issue_token(self.settings, user[0], user[1:])}"
        body = {"query": query, "variables": dict(args)}
        async with self.client.stream("POST", "/graphql", json=body, headers=headers) as response:
            if not response.headers["content-type"].startswith("text/event-stream"):
                return (await response.aread()).decode()
            return await _first_events(response)


DEPTHS: Final = {"Subscription.failuresChanged": 2}
"""Levels of selected objects: a snapshot of failures with all fields of two jobs costs too much."""
ERROR: Final = '"extensions":{"code"'
"""What only the errors of a response contain: a bulk action has a field `errors`."""


async def _first_events(response: httpx.Response) -> str:
    """Return the events of a stream up to READY, an error or the first statistics."""
    received = []
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            received.append(line)
            if '"READY"' in line or ERROR in line or '"Stats"' in line or '"Activity"' in line:
                break
    return "\n".join(received)


def code_of(response: str) -> str | None:
    """Return the error code of a response, None if it has data alone."""
    start = response.rfind(ERROR)
    if start < 0:
        return None
    found = json.loads(response[response.find("{") :]) if response[0] == "{" else None
    if found is not None:
        return str(found["errors"][0]["extensions"]["code"])
    return response[start:].partition('"code":"')[2].partition('"')[0]


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"functions": (FUNCTIONS,)})


@pytest.fixture
async def caller(live_settings: Settings) -> AsyncIterator[Caller]:
    async with (
        served(create_app(live_settings), live_settings) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, verify=TLS) as client,
    ):
        yield Caller(client=client, settings=live_settings)


def test_every_root_field_has_a_line() -> None:
    assert LINES.keys() == root_fields().keys()


@pytest.mark.parametrize("name", LINES)
async def test_callers_read_and_change_only_what_is_theirs(
    caller: Caller, engine: Engine, tried: Tried, name: str
) -> None:
    line, codes = LINES[name], dict[str, str | None]()
    for who, user in CALLERS.items():
        identifier = await _insert(engine, line)
        before = await _stored(engine, line)
        args = json.loads(json.dumps(line.args).replace("$id", identifier))
        response = await caller.call(name, args, user)
        codes[who] = code_of(response)
        if who in ("other", "anonymous"):
            assert MARKER not in response
            assert identifier in str(args) or identifier not in response
            assert await _stored(engine, line) == before
        elif who == "owner" and READABLE[line.of] and not name.startswith("Mutation"):
            assert (MARKER in response) == line.shows_object
    tried("owner matrix", name, ", ".join(f"{who} {code or 'data'}" for who, code in codes.items()))
    assert codes == line.access, response


async def _stored(engine: Engine, line: Line) -> list[dict[str, Any]]:
    """Return ann's objects of the line's kind, as they are stored."""
    return await engine.mongo[COLLECTIONS[line.of]].find({"owner": "ann"}).sort("_id").to_list(None)


async def _insert(engine: Engine, line: Line) -> str:
    """Insert ann's object, and delete those of the same name; return its global id."""
    for collection in ("taskConfigs", "crons"):
        await engine.mongo[collection].delete_many({})
    insert: Insert = getattr(Documents(engine.mongo), line.of)
    return await insert("ann", **(READABLE[line.of] | dict(line.fields)))
