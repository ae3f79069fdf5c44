"""Rights that were lost: what their owners and admins see and can do."""

from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from ostinato.schema.server.app import create_app
from tests.api import operations as op
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.conftest import JWT_SECRET

pytestmark = pytest.mark.audit("lost rights")

ISSUED = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
AUDIT = {"functionName": "functions.audit"}
LOST = "'functions.audit' requires the role auditor, which 'ann' has lost"
CRON_WARNINGS = "query($id: ID!) { cron(id: $id) { warnings { code message } } }"
TASK_WARNINGS = "{ recurringTasks { nodes { warnings { code message } } } }"


async def lose_role(engine: Engine) -> None:
    await engine.owners.record_roles("ann", frozenset(), ISSUED)


async def test_paused_cron_shows_the_reason(
    engine: Engine, ann: Client, admin: Client, documents: Documents
) -> None:
    cron = await documents.cron(**AUDIT, enabled=False, pausedBecause="roleLost")
    for client in (ann, admin):
        [warning] = (await client.get(CRON_WARNINGS, id=cron))["warnings"]
        assert warning["code"] == "ROLE_LOST"
        assert warning["message"] == f"{LOST}: sign in with the role, then resume it"


async def test_stopped_recurring_task_shows_the_reason(ann: Client, documents: Documents) -> None:
    await documents.recurring_task(**AUDIT, enabled=False, pausedBecause="roleLost")
    [task] = (await ann.get(TASK_WARNINGS))["nodes"]
    assert [warning["code"] for warning in task["warnings"]] == ["ROLE_LOST"]


async def test_admin_cannot_resume_the_cron_of_an_owner_without_the_role(
    engine: Engine, admin: Client, documents: Documents
) -> None:
    cron = await documents.cron(**AUDIT, enabled=False, pausedBecause="roleLost")
    await lose_role(engine)
    answer = await admin(op.RESUME_CRON, input={"cronId": cron})
    assert answer.code == "PRECONDITION_FAILED"
    assert answer.message.startswith(LOST)


@pytest.mark.parametrize(("kind", "code"), [("api", "PRECONDITION_FAILED"), ("job", None)])
async def test_admin_cannot_retry_what_its_owner_may_not_run(
    engine: Engine, admin: Client, documents: Documents, kind: str, code: str | None
) -> None:
    job = await documents.job(**AUDIT, state="failed", cause={"kind": kind}, args={})
    await lose_role(engine)
    assert (await admin(op.RETRY_JOB, input={"jobId": job})).code == code


Token = tuple[list[str], int]
"""Roles, and the seconds from ISSUED to `iat`."""


async def send(http: httpx.AsyncClient, token: Token) -> None:
    """Send a query of `ann` with a token."""
    roles, seconds = token
    issued_at = ISSUED + timedelta(seconds=seconds)
    expires_at = issued_at + timedelta(days=1)
    claims = {"sub": "ann", "roles": roles, "iat": issued_at, "exp": expires_at}
    bearer = f"Bearer {jwt.encode(claims, JWT_SECRET, algorithm='HS256')}"
    query = {"query": "{ viewer { id } }"}
    answer = await http.post("/graphql", json=query, headers={"authorization": bearer})
    assert answer.json() == {"data": {"viewer": {"id": "ann"}}}


@pytest.mark.parametrize(
    ("tokens", "stored"),
    [
        ([(["auditor"], 0), ([], 1)], []),
        ([([], 1), (["auditor"], 0)], []),
        ([([], 1), (["auditor", "a"], 2)], ["a", "auditor"]),
        ([(["a", "auditor"], 1), (["auditor", "b"], 1)], ["auditor"]),
        ([([], 1), (["$auditor"], 1)], []),
        ([(["$auditor"], 1), ([], 1), (["$auditor"], 1)], []),
    ],
    ids=["newer", "older", "more roles", "same second", "fewer first", "fewer last"],
)
async def test_roles_of_the_newest_token_are_stored(
    api_settings: Settings, engine: Engine, tokens: list[Token], stored: list[str]
) -> None:
    app = create_app(api_settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as http,
    ):
        for token in tokens:
            await send(http, token)
    found = await engine.mongo["owners"].find_one({"_id": "ann"})
    assert (found or {})["roles"] == stored


async def test_roles_are_written_once_per_token(engine: Engine) -> None:
    for _ in range(2):
        await engine.owners.record_roles("ann", frozenset({"auditor"}), ISSUED)
        await engine.mongo["owners"].update_one({"_id": "ann"}, {"$set": {"roles": ["other"]}})
    found = await engine.mongo["owners"].find_one({"_id": "ann"})
    assert (found or {})["roles"] == ["other"]
