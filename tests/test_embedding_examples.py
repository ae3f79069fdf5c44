"""Runs the examples of docs/embedding.md; tests/schema/server/test_mount.py runs the mounts."""

import importlib
import textwrap

import httpx
import pytest
from starlette.types import ASGIApp

from ostinato import Settings
from tests.live.serving import hosted
from tests.processes import ROOT, TLS, environment
from tests.test_examples import code_blocks

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


def test_the_blocks_on_the_page_equal_the_examples() -> None:
    folder = ROOT / "docs" / "examples"
    code = "".join(file.read_text() for file in folder.glob("*.py"))
    blocks = code_blocks("docs/embedding.md", "python")
    assert len(blocks) > 4
    places = [(block, textwrap.indent(block, "    ")) for block in blocks]
    assert [block for block, inner in places if block not in code and inner not in code] == []
