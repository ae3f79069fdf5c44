"""The API inside applications of FastAPI, Starlette and Litestar, under any prefix."""

import importlib
import re
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from ostinato import Ostinato, Settings
from ostinato.jobs.settings import Mode
from tests.live.serving import hosted, mounting
from tests.live.transports import JOB, Caller
from tests.processes import TLS, environment
from tests.schema.conftest import TRANSPORT_WS

PREFIX = "/ostinato"
FRAMEWORKS = ("fastapi", "starlette", "litestar")
SCHEDULE = """mutation {
  scheduleJob(
    input: {functionName: "tasks.runTask", args: {name: "x"}, runAfterMs: 60000}
  ) { jobId }
}"""


@pytest.fixture(params=FRAMEWORKS)
def application(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> ASGIApp:
    """Return the application of an example, with the settings of the test."""
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module(f"docs.examples.mounted_{request.param}")
    app: ASGIApp = importlib.reload(module).app
    return app


async def _get(port: int, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=TLS, trust_env=False, follow_redirects=True) as client:
        return await client.get(f"http://127.0.0.1:{port}{path}", headers=headers)


async def test_every_transport_works_under_the_prefix(
    application: ASGIApp, settings: Settings
) -> None:
    async with hosted(application) as port:
        caller = Caller(settings=settings, port=port, name="alice", prefix=PREFIX)
        async with caller.watching() as views, caller.client() as client:
            await caller.execute(client, SCHEDULE)
            stored = await caller.execute(client, f"{{ jobs {{ nodes {{ {JOB} }} }} }}")
            (job,) = stored["jobs"]["nodes"]
            for view in views.values():
                await view.wait_until_equal({job["id"]: job})
        assert (await _get(port, f"{PREFIX}/healthz")).json() == {"status": "ok"}
        assert (await _get(port, f"{PREFIX}/readyz")).json()["status"] == "ok"


@pytest.mark.parametrize("path", [PREFIX, f"{PREFIX}/", f"{PREFIX}/graphiql"])
async def test_links_of_the_pages_stay_under_the_prefix(application: ASGIApp, path: str) -> None:
    async with hosted(application) as port:
        page = await _get(port, path)
        assert page.status_code == HTTPStatus.OK
        assert "default-src 'none'" in page.headers["content-security-policy"]
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert links != []
        for link in links:
            target = page.url.join(link)
            assert target.path.startswith(f"{PREFIX}/assets/")
            assert (await _get(port, target.path)).status_code == HTTPStatus.OK
        config = await _get(port, page.url.join("config.json").path)
        assert page.url.join(config.json()["graphqlPath"]).path == f"{PREFIX}/graphql"


async def test_pages_of_other_sites_are_rejected_under_the_prefix(application: ASGIApp) -> None:
    origin = "https://evil.example"
    async with hosted(application) as port:
        with pytest.raises(InvalidStatus) as rejected:
            await connect(
                f"ws://127.0.0.1:{port}{PREFIX}/graphql",
                additional_headers={"origin": origin},
                subprotocols=[TRANSPORT_WS],
                proxy=None,
            )
    assert rejected.value.response.status_code == HTTPStatus.FORBIDDEN


async def test_prefix_of_a_proxy_is_no_part_of_the_links(settings: Settings) -> None:
    async with hosted(mounting(Ostinato(settings)), root_path="/proxy") as port:
        page = await _get(port, f"{PREFIX}/")
        config = await _get(port, f"{PREFIX}/config.json")
    assert 'src="./assets/' in page.text
    assert config.json()["graphqlPath"] == "graphql"


async def test_api_that_was_never_opened_names_the_fix(settings: Settings) -> None:
    app = Starlette()
    app.mount(PREFIX, Ostinato(settings).asgi())
    async with hosted(app) as port:
        response = await _get(port, f"{PREFIX}/graphql")
        with pytest.raises(InvalidStatus) as rejected:
            await connect(f"ws://127.0.0.1:{port}{PREFIX}/graphql", proxy=None)
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert rejected.value.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    (error,) = response.json()["errors"]
    assert error["message"] == (
        "Ostinato is not open: enter `async with ostinato:` in the lifespan of your application"
    )


async def test_api_that_is_not_open_is_logged_once_a_minute(settings: Settings) -> None:
    app = Starlette()
    app.mount(PREFIX, Ostinato(settings).asgi())
    with capture_logs() as logs:
        async with hosted(app) as port:
            for _ in range(2):
                await _get(port, f"{PREFIX}/graphql")
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["mount.not_open"]


async def test_api_is_served_only_while_it_is_open(settings: Settings) -> None:
    ostinato, app = Ostinato(settings), Starlette()
    app.mount(PREFIX, ostinato.asgi())
    async with hosted(app) as port:
        async with ostinato:
            opened = await _get(port, f"{PREFIX}/readyz")
        closed = await _get(port, f"{PREFIX}/readyz")
    assert (opened.status_code, closed.status_code) == (200, 503)


async def test_api_can_be_served_alone_and_again(settings: Settings) -> None:
    app = Ostinato(settings).asgi()
    for _ in range(2):
        async with hosted(app) as port:
            assert (await _get(port, "/readyz")).json()["status"] == "ok"


async def test_asgi_is_called_once_and_before_it_is_opened(settings: Settings) -> None:
    ostinato = Ostinato(settings)
    ostinato.asgi()
    with pytest.raises(RuntimeError, match="before `async with`"):
        ostinato.asgi()
    async with Ostinato(settings) as opened:
        with pytest.raises(RuntimeError, match="before `async with`"):
            opened.asgi()


@pytest.mark.parametrize(
    ("missing", "variable"), [("jwt_secret", "JWT_SECRET"), ("both", "CURSOR_SECRET")]
)
def test_secrets_that_are_missing_in_production_are_named(
    settings: Settings, missing: str, variable: str
) -> None:
    async def authenticate(*_: Any) -> None:
        return None

    unset = settings.model_copy(update={"jwt_secret": None, "mode": Mode.PRODUCTION})
    with pytest.raises(ValueError, match=f"OSTINATO_{variable}.*`ostinato exec`"):
        Ostinato(unset).asgi(authenticate=None if missing == "jwt_secret" else authenticate)
