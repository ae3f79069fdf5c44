"""The pages, their configuration, the health endpoints, and the headers of every response."""

from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import pytest
from starlette.applications import Starlette

from ostinato.jobs.settings import Mode, Settings
from ostinato.schema.server.pages import page_routes
from tests.processes import TLS
from tests.schema.conftest import SECRET, Running, make_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "the-development-token"
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}
DEVELOPMENT = {"mode": Mode.DEVELOPMENT, "development_token": TOKEN}


OTHER_ASSETS: Final = [("small", "js"), ("image", "png")]
NO_TOKENS: Final[tuple[None, list[object]]] = (None, [])


def _tokens(response: httpx.Response) -> tuple[object, object]:
    return response.json()["token"], response.json()["users"]


async def _get(running: Running, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=running.url, verify=TLS) as client:
        return await client.get(path, headers=headers)


async def test_local_page_gets_the_development_token() -> None:
    async with serve(make_settings(**DEVELOPMENT)) as running:
        for host in ("127.0.0.1", "localhost", "[::1]"):
            response = await _get(
                running, "/config.json", **SAME_ORIGIN, host=f"{host}:{running.port}"
            )
            config = response.json()
            assert (config["graphqlPath"], config["token"]) == ("graphql", TOKEN)
            assert response.headers["cache-control"] == "no-store"


async def test_local_page_gets_tokens_of_a_second_user_and_of_an_admin() -> None:
    async with serve(make_settings(**DEVELOPMENT)) as running:
        users = (await _get(running, "/config.json", **SAME_ORIGIN)).json()["users"]
    seen = [jwt.decode(user["token"], SECRET, algorithms=["HS256"]) for user in users[1:]]
    assert users[0] == {"name": "alice", "token": TOKEN}
    assert [(one["sub"], one["roles"]) for one in seen] == [("bob", []), ("admin", ["admin"])]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:PORT"},
        {"host": "127.0.0.1.evil.example:PORT"},
        {"host": "localhost.evil.example:PORT"},
        {"host": "192.168.0.1:PORT"},
        {"host": "["},
        {"host": "localhost"},
        {"host": "localhost:9"},
        {"host": "localhost:x"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://[::1"},
        {"origin": "http://localhost:9"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": ""},
        {"x-forwarded-for": "192.0.2.1"},
        {"forwarded": "for=192.0.2.1"},
    ],
)
async def test_pages_of_other_sites_and_rebound_names_get_no_token(headers: dict[str, str]) -> None:
    async with serve(make_settings(**DEVELOPMENT)) as running:
        sent = {"host": "localhost:PORT"} | SAME_ORIGIN | headers
        port = str(running.port)
        changed = {name: value.replace("PORT", port) for name, value in sent.items()}
        response = await _get(running, "/config.json", **changed)
    assert _tokens(response) == NO_TOKENS


async def test_remote_client_with_localhost_as_host_gets_no_token() -> None:
    app = Starlette(routes=page_routes(make_settings(**DEVELOPMENT)))
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 1_234))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get("/config.json", headers=SAME_ORIGIN)
    assert _tokens(response) == NO_TOKENS


@pytest.mark.parametrize("uses_tokens", [True, False])
async def test_pages_of_an_application_with_its_own_sign_in_get_no_tokens(
    uses_tokens: bool,
) -> None:
    routes = page_routes(make_settings(**DEVELOPMENT), uses_tokens=uses_tokens)
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        response = await client.get("/config.json", headers=SAME_ORIGIN)
    assert (_tokens(response) != NO_TOKENS) is uses_tokens


@pytest.mark.parametrize("changes", [{"mode": Mode.PRODUCTION}, {"development_token": None}])
async def test_no_token_is_sent_outside_development(changes: dict[str, Any]) -> None:
    async with serve(make_settings(**(DEVELOPMENT | changes))) as running:
        response = await _get(running, "/config.json", **SAME_ORIGIN)
    assert _tokens(response) == NO_TOKENS


async def test_program_that_sends_no_headers_of_a_browser_gets_no_token() -> None:
    async with serve(make_settings(**DEVELOPMENT)) as running:
        response = await _get(running, "/config.json")
    assert _tokens(response) == NO_TOKENS


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, HTTPStatus.NOT_FOUND), ({"introspection": True}, HTTPStatus.SERVICE_UNAVAILABLE)],
)
async def test_production_serves_graphiql_only_if_introspection_is_enabled(
    tmp_path: Path, changes: dict[str, bool], status: HTTPStatus
) -> None:
    settings = make_settings(mode=Mode.PRODUCTION, **changes)
    transport = httpx.ASGITransport(Starlette(routes=page_routes(settings, tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/graphiql")).status_code == status


@pytest.mark.parametrize("path", ["/", "/graphiql"])
async def test_pages_that_are_not_built_explain_how_to_build_them(
    tmp_path: Path, path: str
) -> None:
    async with _pages(tmp_path / "missing") as client:
        response = await client.get(path)
        assert (await client.get("/assets/x.js")).status_code == HTTPStatus.NOT_FOUND
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "npm run build" in response.text


async def test_built_pages_are_served_and_only_their_assets_are_cached(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    for name in ("index.html", "graphiql.html", "assets/main-abc.js"):
        (tmp_path / name).write_text(name)
    async with _pages(tmp_path) as client:
        page, graphiql = await client.get("/"), await client.get("/graphiql")
        asset = await client.get("/assets/main-abc.js")
        escaped = await client.get("/assets/..%2findex.html")
        missing = await client.get("/assets/old.js")
    assert (page.text, graphiql.text) == ("index.html", "graphiql.html")
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in asset.headers["cache-control"]
    assert escaped.status_code == missing.status_code == HTTPStatus.NOT_FOUND
    assert missing.headers["cache-control"] == "no-store"


async def test_assets_are_compressed_for_clients_that_accept_it(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    text = "const x = 1;\n" * 1_000
    for name, content in {"main-abc.js": text, "small-abc.js": "x", "image-abc.png": text}.items():
        (tmp_path / "assets" / name).write_text(content)
    async with _pages(tmp_path) as client:
        large = await client.get("/assets/main-abc.js")
        plain = await client.get("/assets/main-abc.js", headers={"accept-encoding": "identity"})
        others = [await client.get(f"/assets/{name}-abc.{end}") for name, end in OTHER_ASSETS]
    assert (large.text, large.headers["content-encoding"]) == (text, "gzip")
    assert int(large.headers["content-length"]) < len(text) / 10
    assert plain.text == text
    assert [r.headers.get("content-encoding") for r in (plain, *others)] == [None] * 3
    assert large.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    for name in ("cache-control", "content-type", "etag"):
        assert large.headers[name] == plain.headers[name]


async def test_pages_sign_in_at_the_issuer_and_may_fetch_only_its_tokens(tmp_path: Path) -> None:
    for name in ("index.html", "graphiql.html"):
        (tmp_path / name).write_text(name)
    signs_in = {"jwt_issuer": "https://id.example/realms/1", "oidc_client_id": "pages"}
    routes = page_routes(make_settings(**signs_in), tmp_path)
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        config = (await client.get("/config.json")).json()
        answers = [await client.get(path) for path in ("/", "/graphiql")]
    issuer = {"issuer": "https://id.example/realms/1", "clientId": "pages"}
    assert config["signIn"] == {**issuer, "scope": "openid offline_access"}
    for answer in answers:
        policy = answer.headers["content-security-policy"].split("; ")
        assert "connect-src 'self' https://id.example" in policy


@pytest.mark.parametrize("issuer", [None, "http://id.example", "id.example", "https://"])
async def test_pages_sign_in_only_at_an_issuer_with_https(issuer: str | None) -> None:
    with pytest.raises(ValueError, match=f"OSTINATO_JWT_ISSUER is {issuer!r}.*https://"):
        Settings(jwt_issuer=issuer, oidc_client_id="pages")


async def test_page_may_run_only_code_of_this_server(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("page")
    async with _pages(tmp_path) as client:
        policy = (await client.get("/")).headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy


def _pages(folder: Path) -> httpx.AsyncClient:
    app = Starlette(routes=page_routes(make_settings(), folder))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.mark.parametrize("path", ["/", "/healthz", "/graphql", "/nowhere", "/assets/nothing"])
async def test_every_response_has_the_security_headers(running: Running, path: str) -> None:
    headers = (await _get(running, path)).headers
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert ("worker-src 'self' blob:" in policy) == (path != "/")  # the editor of GraphiQL
    assert "unsafe-eval" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


async def _passes() -> None:
    return None


async def test_health_needs_no_dependency_and_readiness_checks_all(running: Running) -> None:
    async def fails() -> None:
        raise ConnectionError("mongodb://user:hunter2@host")

    running.probe.checks["mongo"] = _passes
    ready = await _get(running, "/readyz")
    running.probe.checks["change feed"] = fails
    unready = await _get(running, "/readyz")
    assert (await _get(running, "/healthz")).json() == {"status": "ok"}
    assert ready.json() == {"status": "ok", "checks": {"mongo": "ok"}}
    assert unready.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert unready.json()["checks"] == {"mongo": "ok", "change feed": "failed"}
    assert "hunter2" not in unready.text


async def test_health_check_fails_while_a_task_is_dead(running: Running) -> None:
    running.probe.dead_tasks.append("change feed")
    answer = await _get(running, "/healthz")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json() == {"status": "failed", "tasks": ["change feed"]}
