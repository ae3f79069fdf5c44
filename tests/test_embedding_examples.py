"""Runs the examples of docs/embedding.md; tests/schema/server/test_mount.py runs the mounts."""

import asyncio
import importlib
import json
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import ASGIApp

from ostinato import Settings
from ostinato.jobs.ids import new_id
from tests.engine.rig import run_worker
from tests.live.serving import hosted
from tests.live.transports import Caller, Document
from tests.processes import ROOT, TLS, environment
from tests.schema.streams import SSE
from tests.test_examples import code_blocks

FUNCTIONS = {"functions": ("docs.examples.my_functions",)}
ME = {"query": "{ viewer { id roles } }"}


@pytest.fixture
def example(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> ASGIApp:
    """Return the application of the example that the test names, with the test's settings."""
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module(f"docs.examples.{request.param}")
    app: ASGIApp = importlib.reload(module).app
    return app


@pytest.mark.parametrize("example", ["session_sign_in"], indirect=True)
async def test_session_cookie_signs_in_until_the_session_ends(example: ASGIApp) -> None:
    async with (
        hosted(example) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=TLS, trust_env=False) as http,
    ):
        assert (await http.post("/ostinato/graphql", json=ME)).json()["data"] == {"viewer": None}
        await http.post("/sign-in/root")
        answer = await http.post("/ostinato/graphql", json=ME)
        assert answer.json()["data"]["viewer"] == {"id": "root", "roles": ["admin"]}
        config = await http.get("/ostinato/config.json")
        assert config.json()["usesTokens"] is False
        session = http.cookies["session"]
        await http.post("/sign-out")
        http.cookies.set("session", session)
        assert (await http.post("/ostinato/graphql", json=ME)).status_code == 401


@pytest.mark.parametrize("example", ["one_process"], indirect=True)
async def test_one_process_serves_the_api_and_runs_jobs(example: ASGIApp) -> None:
    async with (
        hosted(example) as port,
        httpx.AsyncClient(timeout=60, verify=TLS, trust_env=False) as http,
    ):
        greeting = await http.post(f"http://127.0.0.1:{port}/greetings/ada")
    assert greeting.json() == "Hello, ada"


PLACE = 'mutation { placeOrder(item: "tea") { id jobs { id functionName state } } }'
ORDER = "query ($id: ID!) { order(orderId: $id) { jobs { id version } } jobs { nodes { id } } }"
FIVE_TIMES = "a: jobs { id } b: jobs { id } c: jobs { id } d: jobs { id } e: jobs { id }"
FOLLOW = """subscription ($id: ID!, $after: String) {
  orderJobs(orderId: $id, after: $after) { kind cursor job { id state } }
}"""


@pytest.mark.parametrize("example", ["live_orders"], indirect=True)
async def test_jobs_of_an_order_are_part_of_the_applications_schema(
    example: ASGIApp, settings: Settings
) -> None:
    async with hosted(example) as port:
        alice, bob = (_caller(settings, port, name) for name in ("alice", "bob"))
        async with alice.client() as http:
            order = (await alice.execute(http, PLACE))["placeOrder"]
            (job,) = order["jobs"]
            assert (job["functionName"], job["state"]) == ("my_functions.receipt", "PENDING")
            found = await alice.execute(http, ORDER, id=order["id"])
            assert [each["id"] for each in found["order"]["jobs"]] == [job["id"]]
            assert [each["id"] for each in found["jobs"]["nodes"]] == [job["id"]]
        async with bob.client() as http:
            body = {"query": ORDER, "variables": {"id": order["id"]}}
            answer = (await http.post("/graphql", json=body)).json()
            assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("example", ["live_orders"], indirect=True)
@pytest.mark.parametrize(
    ("query", "jobs", "message"),
    [
        ("query ($id: ID!) { order(orderId: $id) { jobs { id } } }", 1_001, "at most 1,000 jobs"),
        ("subscription ($id: ID!) { orderJobs(orderId: $id) { kind } }", 1_001, "at most 1,000"),
        (f"query ($id: ID!) {{ order(orderId: $id) {{ {FIVE_TIMES} }} }}", 1_000, "MAX_COST"),
    ],
)
async def test_jobs_of_an_order_are_limited(
    example: ASGIApp, settings: Settings, query: str, jobs: int, message: str
) -> None:
    live_orders = importlib.import_module("docs.examples.live_orders")
    order = live_orders.StoredOrder(id="large", customer="alice", job_ids=[new_id()] * jobs)
    live_orders.orders["large"] = order
    async with hosted(example) as port, _caller(settings, port, "alice").client() as http:
        body = {"query": query, "variables": {"id": "large"}}
        headers = SSE if query.startswith("subscription") else {}
        answer = await http.post("/graphql", headers=headers, json=body)
    assert "PAYLOAD_TOO_LARGE" in answer.text
    assert message in answer.text


@pytest.mark.parametrize("example", ["live_orders"], indirect=True)
async def test_subscription_of_an_order_sends_its_jobs_alone_and_resumes(
    example: ASGIApp, settings: Settings
) -> None:
    async with hosted(example) as port, _caller(settings, port, "alice").client() as http:
        alice = _caller(settings, port, "alice")
        order = (await alice.execute(http, PLACE))["placeOrder"]
        await alice.execute(http, PLACE)
        async with _following(http, order["id"]) as messages:
            first = [await anext(messages) for _ in range(2)]
            assert [each["kind"] for each in first] == ["SNAPSHOT", "READY"]
        async with (
            run_worker(settings.model_copy(update=FUNCTIONS)),
            _following(http, order["id"], first[-1]["cursor"]) as messages,
        ):
            assert (await anext(messages))["kind"] == "READY"
            states = await _states_until_success(messages, order["jobs"][0]["id"])
    assert states[-1] == "SUCCESS"


def _caller(settings: Settings, port: int, name: str) -> Caller:
    return Caller(settings=settings, port=port, name=name, prefix="/ostinato")


@asynccontextmanager
async def _following(
    http: httpx.AsyncClient, order_id: str, after: str | None = None
) -> AsyncIterator[AsyncIterator[Document]]:
    body = {"query": FOLLOW, "variables": {"id": order_id, "after": after}}

    async def messages(response: httpx.Response) -> AsyncIterator[Document]:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                message: Document = json.loads(line.removeprefix("data: "))
                yield message["data"]["orderJobs"]

    async with http.stream("POST", "/graphql", headers=SSE, json=body) as response:
        yield messages(response)


async def _states_until_success(messages: AsyncIterator[Document], job_id: str) -> list[str]:
    """Return the states of the messages up to the end of the job; all must be about it."""
    states: list[str] = []
    async with asyncio.timeout(60):
        async for message in messages:
            if message["job"] is None:
                continue
            assert message["job"]["id"] == job_id
            states.append(message["job"]["state"])
            if states[-1] == "SUCCESS":
                break
    return states


def test_the_blocks_on_the_page_equal_the_examples() -> None:
    folder = ROOT / "docs" / "examples"
    code = "".join(file.read_text() for file in folder.glob("*.py"))
    blocks = code_blocks("docs/embedding.md", "python")
    assert len(blocks) > 4
    places = [(block, textwrap.indent(block, "    ")) for block in blocks]
    assert [block for block, inner in places if block not in code and inner not in code] == []
