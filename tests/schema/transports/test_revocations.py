"""Revoked tokens: rejected, and their open sockets and streams end as with expired ones."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
import jwt
import pytest

from ostinato.jobs.revocations import Revocation, RevokedTokens
from tests.processes import TLS, ApiProcess, Processes, eventually
from tests.schema.conftest import SECRET, Running, Socket, make_settings, serve
from tests.schema.server.test_connection_limits import signed_in
from tests.schema.streams import MULTIPART, SSE, streamed

pytestmark = pytest.mark.audit("revoked tokens")

HELLO = {"query": "{ hello }"}
TICKS = "subscription { ticks }"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
REVOKE = "mutation($i: RevokeTokensInput!) { revokeTokens(input: $i) { revocation { id } } }"


def revocation(**changes: object) -> Revocation:
    values = {"id": "x", "revoked_at": NOW, "revoked_by": "eve", "expires_at": NOW}
    return Revocation(**(values | changes))  # type: ignore[arg-type] # by name


def revocation_of(token: str) -> Revocation:
    token_id = jwt.decode(token, SECRET, algorithms=["HS256"])["jti"]
    return revocation(token_id=token_id)


@pytest.fixture(autouse=True)
def _fast_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato.resolvers.revocation_monitor.POLL_S", 0.05)


@pytest.mark.parametrize(
    ("subject", "token_id", "seconds", "is_revoked"),
    [
        ("ada", None, -1, True),
        ("ada", None, 0, False),
        ("ada", "other", 1, False),
        ("bob", None, -1, False),
        ("bob", "a", 100, True),
    ],
)
def test_revocations_cover_a_token_or_a_users_earlier_tokens(
    subject: str, token_id: str | None, seconds: int, *, is_revoked: bool
) -> None:
    revoked = RevokedTokens([revocation(token_id="a"), revocation(subject="ada", before=NOW)])
    issued_at = NOW + timedelta(seconds=seconds)
    assert revoked.contains(subject, token_id, issued_at) is is_revoked
    assert len(revoked) == 2


async def post(running: Running, token: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=running.url, verify=TLS) as client:
        headers = {"authorization": f"Bearer {token}"}
        return await client.post("/graphql", json=HELLO, headers=headers)


async def test_revoked_token_is_unauthorized_until_the_revocation_is_deleted() -> None:
    async with serve(make_settings()) as running:
        revoked, other = running.token("ada", ttl_s=60), running.token("ada", ttl_s=61)
        assert (await post(running, revoked)).is_success
        running.probe.revocations.append(revocation_of(revoked))
        await eventually(lambda: _is_rejected(running, revoked))
        answer = await post(running, revoked)
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        (error,) = answer.json()["errors"]
        assert error["message"] == "the token was revoked: sign in again"
        assert error["extensions"]["code"] == "UNAUTHORIZED"
        assert (await post(running, other)).is_success
        running.probe.revocations.clear()
        await eventually(lambda: _is_accepted(running, revoked))


async def _is_rejected(running: Running, token: str) -> bool:
    return (await post(running, token)).status_code == HTTPStatus.UNAUTHORIZED


async def _is_accepted(running: Running, token: str) -> bool:
    return (await post(running, token)).is_success


async def test_revoked_tokens_are_limited_like_invalid_ones() -> None:
    limit = {"failed_tokens_per_second": 0.001, "failed_tokens_burst": 3}
    async with serve(make_settings(**limit)) as running:
        revoked = [running.token("ada", ttl_s=60 + number) for number in range(5)]
        running.probe.revocations.extend(map(revocation_of, revoked))
        await eventually(lambda: _is_rejected(running, revoked[0]))
        codes = [(await post(running, token)).status_code for token in revoked[1:]]
        assert (codes[0], codes[-1]) == (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)


async def test_socket_of_a_revoked_token_sends_errors_and_closes_4403() -> None:
    async with serve(make_settings()) as running:
        token = running.token("ada")
        async with running.acknowledged(token) as socket, running.acknowledged() as other:
            await socket.subscribe("1", TICKS)
            await socket.receive()
            running.probe.revocations.append(revocation_of(token))
            message = await socket.receive()
            assert (message["id"], message["type"]) == ("1", "next")
            assert message["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHORIZED"
            assert await socket.closed() == 4403
            assert socket.connection.close_reason == "The token was revoked: sign in again"
            await other.subscribe("1", "{ hello }")
            assert (await other.receive())["type"] == "next"


@pytest.mark.parametrize("accept", [SSE, MULTIPART])
async def test_stream_of_a_revoked_token_ends_with_an_error(accept: dict[str, str]) -> None:
    async with serve(make_settings()) as running, streamed(running, TICKS, accept) as stream:
        await stream.next()
        before = datetime.now(UTC) + timedelta(seconds=5)
        running.probe.revocations.append(revocation(subject="ada", before=before))
        rest = b"".join(await stream.read_to_end())
    assert b"UNAUTHORIZED" in rest
    assert b"the token was revoked" in rest


async def test_revocation_takes_effect_in_every_api_process(processes: Processes) -> None:
    apis = [await processes.api() for _ in range(2)]
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(signed_in(api, "ann")) for api in apis]
        admins = await stack.enter_async_context(signed_in(apis[0], "eve"))
        await revoke(apis[0], "ann")
        assert [await socket.closed() for socket in sockets] == [4403, 4403]
        await still_works(admins)


async def revoke(api: ApiProcess, subject: str) -> None:
    headers = {"authorization": f"Bearer {api.token('eve', 'admin')}"}
    before = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    body = {"query": REVOKE, "variables": {"i": {"subject": subject, "before": before}}}
    async with httpx.AsyncClient(verify=TLS) as client:
        answer = await client.post(api.graphql_url, json=body, headers=headers)
    found = answer.json()["data"]["revokeTokens"]
    assert found == {"revocation": {"id": f"sub:{subject}"}}


async def still_works(socket: Socket) -> None:
    await socket.subscribe("1", "{ viewer { id } }")
    assert (await socket.receive())["type"] == "next"
