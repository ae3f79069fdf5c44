"""Callers that the application's own `authenticate` identifies, over every transport."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection
from starlette.types import Scope
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from ostinato import Authenticate, Unauthorized, Viewer
from ostinato.jobs.arq_queue.shared_buckets import Spending
from ostinato.jobs.revocations import Revocation
from ostinato.resolvers.auth import OnVerified
from ostinato.resolvers.throttle import Throttles
from ostinato.schema.transports.authentication import ApplicationAuthentication
from tests.processes import TLS, eventually
from tests.schema.conftest import Running, make_settings, serve
from tests.schema.streams import SSE

ME = {"query": "{ me }"}
TICKS = "subscription { ticks }"
ADA = {"cookie": "session=ada"}
REJECTED = {
    "message": "sign in: the application did not accept your credentials",
    "extensions": {"code": "UNAUTHORIZED"},
}


async def by_cookie(connection: HTTPConnection, _params: Mapping[str, object]) -> Viewer | None:
    """Accept the sessions of Ada and Bob."""
    user = connection.cookies.get("session", "")
    return Viewer(id=user, token_id=user) if user in {"ada", "bob"} else None


def returning(value: object) -> Authenticate:
    """Return a function that returns this value, or raises it."""

    async def authenticate(*_: object) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return authenticate


def authenticating(authenticate: Authenticate, record: OnVerified) -> ApplicationAuthentication:
    async def spend(spendings: Sequence[Spending]) -> Sequence[float]:
        return [0.0] * len(spendings)

    settings = make_settings()
    failed = Throttles(settings, spend).failed_tokens
    return ApplicationAuthentication(authenticate, settings, failed, lambda _: False, record)


async def ask(running: Running, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=running.url, verify=TLS) as client:
        return await client.post("/graphql", json=ME, headers=headers)


async def close_code(running: Running, headers: Mapping[str, str], payload: object = None) -> Any:
    """Return the close code and the reason of a WebSocket that is not accepted."""
    async with running.socket(additional_headers=dict(headers)) as socket:
        await socket.send({"type": "connection_init", "payload": payload})
        return await socket.closed(), socket.connection.close_reason


async def test_cookie_identifies_the_viewer_over_every_transport() -> None:
    async with serve(make_settings(jwt_secret=None), authenticate=by_cookie) as running:
        assert (await ask(running, **ADA)).json() == {"data": {"me": "ada"}}
        stream = await ask(running, **ADA, **SSE)
        assert b'{"data":{"me":"ada"}}' in stream.content
        async with running.socket(additional_headers=ADA) as socket:
            await socket.send({"type": "connection_init"})
            assert await socket.receive() == {"type": "connection_ack"}
            await socket.subscribe("1", "{ me }")
            assert (await socket.receive())["payload"] == {"data": {"me": "ada"}}


async def test_function_sees_the_handshake_and_the_parameters_of_a_socket() -> None:
    async def authenticate(connection: HTTPConnection, params: Mapping[str, Any]) -> Viewer:
        return Viewer(id=f"{connection.headers['x-team']}/{params.get('user')}")

    async with serve(make_settings(), authenticate=authenticate) as running:
        async with running.socket(additional_headers={"x-team": "red"}) as socket:
            await socket.send({"type": "connection_init", "payload": {"user": "eve"}})
            await socket.receive()
            await socket.subscribe("1", "{ me }")
            assert (await socket.receive())["payload"] == {"data": {"me": "red/eve"}}
        assert (await ask(running, **{"x-team": "blue"})).json() == {"data": {"me": "blue/None"}}


@pytest.mark.parametrize(
    "rejection",
    [None, Unauthorized("details"), Viewer(id="ada", expires_at=datetime.now(UTC))],
)
async def test_rejected_caller_gets_unauthorized_without_details(rejection: object) -> None:
    async with serve(make_settings(), authenticate=returning(rejection)) as running:
        answer = await ask(running, **ADA)
        assert answer.status_code == HTTPStatus.UNAUTHORIZED
        assert answer.json()["errors"] == [REJECTED]
        assert await close_code(running, ADA) == (4403, REJECTED["message"])


async def test_caller_without_credentials_is_anonymous() -> None:
    async with serve(make_settings(introspection=False), authenticate=by_cookie) as running:
        answer = await ask(running)
        assert answer.status_code == HTTPStatus.UNAUTHORIZED
        assert answer.json()["errors"] == [REJECTED]
        assert await close_code(running, {}) == (4403, REJECTED["message"])


async def test_token_is_not_accepted_instead() -> None:
    async with serve(make_settings(), authenticate=by_cookie) as running:
        answer = await ask(running, authorization=f"Bearer {running.token()}")
    assert answer.status_code == HTTPStatus.UNAUTHORIZED


FAILURES = (
    RuntimeError("the password is hunter2"),
    "ada",
    Viewer(id=""),
    Viewer(id="x" * 256),
    Viewer(id="a\0b"),
    Viewer(id="ada", roles=frozenset({"\ud800"})),
    Viewer(id="ada", roles=frozenset({"x" * 201})),
    Viewer(id="ada", roles=frozenset(map(str, range(1_001)))),
    asyncio.CancelledError(),
    Viewer(id="ada", roles=("admin",)),  # type: ignore[arg-type] # what the test is about
    Viewer(id="ada", expires_at=datetime(2100, 1, 1)),  # noqa: DTZ001 # without a time zone
    Viewer(id="ada", issued_at=datetime(2000, 1, 1)),  # noqa: DTZ001 # without a time zone
    Viewer(id="ada", token_id=""),
    Viewer(id="ada", token_id="x" * 1_025),
    Viewer(id="ada", token_id="a\0b"),
    Viewer(id="ada", token_id=7),  # type: ignore[arg-type] # what the test is about
)


async def test_errors_of_the_function_are_logged_and_masked() -> None:
    async def authenticate(connection: HTTPConnection, _: object) -> Any:
        return await returning(FAILURES[int(connection.headers["x-failure"])])(connection, {})

    async with serve(make_settings(), authenticate=authenticate) as running:
        for number in range(len(FAILURES)):
            headers = {**ADA, "x-failure": str(number)}
            with capture_logs() as logs:
                answer = await ask(running, **headers)
                code, reason = await close_code(running, headers)
            assert (answer.status_code, code) == (HTTPStatus.INTERNAL_SERVER_ERROR, 1013)
            (error,) = answer.json()["errors"]
            assert error["message"] == reason == "internal error while signing in: try again"
            assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
            assert [line["event"] for line in logs].count("authenticate.failed") == 2


async def test_slow_function_ends_with_the_request_timeout() -> None:
    async def authenticate(*_: object) -> None:
        await asyncio.Event().wait()

    settings = make_settings(request_timeout_ms=100)
    async with serve(settings, authenticate=authenticate) as running:
        assert (await ask(running, **ADA)).status_code == HTTPStatus.INTERNAL_SERVER_ERROR


FOREIGN = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://sub.127.0.0.1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


async def test_requests_of_other_sites_are_rejected() -> None:
    async with serve(make_settings(), authenticate=by_cookie) as running:
        for headers in FOREIGN:
            async with httpx.AsyncClient(base_url=running.url, verify=TLS) as client:
                read = await client.get("/graphql", params=ME, headers=ADA | headers)
                sent = await client.post("/graphql", json=ME, headers=ADA | headers)
            assert read.status_code == sent.status_code == HTTPStatus.FORBIDDEN
            assert sent.json()["errors"][0]["extensions"] == {"code": "FORBIDDEN"}


async def test_sockets_of_other_sites_are_rejected() -> None:
    async with serve(make_settings(), authenticate=by_cookie) as running:
        for headers in FOREIGN[:3]:
            with pytest.raises(InvalidStatus):
                await close_code(running, ADA | headers)


async def test_own_pages_and_allowed_origins_may_send_cookies() -> None:
    allowed = "https://shop.example"
    settings = make_settings(allowed_origins=(allowed,))
    async with serve(settings, authenticate=by_cookie) as running:
        own = await ask(running, **ADA, **{"sec-fetch-site": "same-origin"}, origin=running.url)
        other = await ask(running, **ADA, **{"sec-fetch-site": "cross-site"}, origin=allowed)
    assert own.json() == other.json() == {"data": {"me": "ada"}}
    assert other.headers["access-control-allow-origin"] == allowed
    assert other.headers["access-control-allow-credentials"] == "true"


async def test_every_origin_cannot_be_allowed_to_send_cookies() -> None:
    settings = make_settings(allowed_origins=("*",))
    async with serve(settings, authenticate=by_cookie) as running:
        answer = await ask(running, **ADA, origin="https://evil.example")
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "access-control-allow-credentials" not in answer.headers


async def test_failures_of_an_address_are_limited_and_known_credentials_are_exempt() -> None:
    limits = {"failed_tokens_per_second": 0.001, "failed_tokens_burst": 3}
    async with serve(make_settings(**limits), authenticate=by_cookie) as running:
        await ask(running, **ADA)
        for _ in range(3):
            answer = await ask(running, cookie="session=guess")
            assert answer.status_code == HTTPStatus.UNAUTHORIZED
        answer = await ask(running, cookie="session=bob")
        assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert (await close_code(running, {"cookie": "session=bob"}))[0] == 1013
        assert (await ask(running, **ADA)).json() == {"data": {"me": "ada"}}
        assert (await ask(running)).json()["errors"][0]["extensions"]["code"] == "UNAUTHORIZED"


async def test_rejected_parameters_of_sockets_are_limited_too() -> None:
    limits = {"failed_tokens_per_second": 0.001, "failed_tokens_burst": 1}
    async with serve(make_settings(**limits), authenticate=by_cookie) as running:
        guesses = [{"token": "a"}, {"token": "b"}]
        codes = [(await close_code(running, {}, guess))[0] for guess in guesses]
    assert codes == [4403, 1013]


async def test_credentials_that_were_rejected_are_no_longer_exempt() -> None:
    viewers = iter([Viewer(id="ada"), None, None])

    async def authenticate(*_: object) -> Viewer | None:
        return next(viewers)

    limits = {"failed_tokens_per_second": 0.001, "failed_tokens_burst": 1}
    async with serve(make_settings(**limits), authenticate=authenticate) as running:
        statuses = [(await ask(running, **ADA)).status_code for _ in range(3)]
    assert statuses == [200, 401, 429]


async def test_roles_of_a_viewer_are_recorded_when_they_are_new() -> None:
    recorded: list[tuple[str, list[str]]] = []

    async def by_path(connection: HTTPConnection, _params: Mapping[str, object]) -> Viewer:
        name, *roles = connection.url.path.split("/")[1:]
        return Viewer(id=name, roles=frozenset(roles))

    async def record(viewer: Viewer) -> None:
        recorded.append((viewer.id, [*viewer.roles]))

    authentication = authenticating(by_path, record)
    for path in ("/ada", "/ada", "/ada/editor", "/ada/editor", "/bob", "/ada"):
        scope: Scope = {"type": "http", "path": path, "headers": [], "server": ("h", 80)}
        await authentication.viewer(HTTPConnection(scope))
    assert recorded == [("ada", []), ("ada", ["editor"]), ("bob", []), ("ada", [])]


async def test_revoked_session_is_rejected_and_its_socket_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ostinato.resolvers.revocation_monitor.POLL_S", 0.05)
    now = datetime.now(UTC)
    revoked = Revocation(id="x", token_id="ada", revoked_at=now, revoked_by="eve", expires_at=now)
    async with serve(make_settings(), authenticate=by_cookie) as running:
        async with running.socket(additional_headers=ADA) as socket:
            await socket.send({"type": "connection_init"})
            await socket.receive()
            running.probe.revocations.append(revoked)
            assert await socket.closed() == 4403

        async def is_rejected() -> bool:
            return (await ask(running, **ADA)).status_code == HTTPStatus.UNAUTHORIZED

        await eventually(is_rejected)
        assert (await ask(running, cookie="session=bob")).is_success


@pytest.mark.parametrize("expires_in", [None, timedelta(hours=8)])
async def test_socket_is_authenticated_again_after_the_maximum_lifetime(
    monkeypatch: pytest.MonkeyPatch, expires_in: timedelta | None
) -> None:
    maximum = "ostinato.schema.transports.authentication.MAX_LIFETIME"
    monkeypatch.setattr(maximum, timedelta(milliseconds=200))
    expires_at = None if expires_in is None else datetime.now(UTC) + expires_in
    viewer = Viewer(id="ada", expires_at=expires_at)
    async with (
        serve(make_settings(), authenticate=returning(viewer)) as running,
        running.socket() as socket,
    ):
        await socket.send({"type": "connection_init"})
        await socket.receive()
        await socket.subscribe("1", TICKS)
        assert await socket.closed() == 4403
        assert socket.connection.close_reason == "Your sign-in must be checked again: reconnect"
