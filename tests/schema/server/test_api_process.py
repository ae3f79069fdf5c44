"""The `api` command: a real process with real servers."""

import signal
import socket
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from ostinato.schema.server.uvicorn_server import listen
from tests.engine.open_servers import start_open_valkey
from tests.processes import TLS, ApiProcess, Processes
from tests.schema.conftest import TRANSPORT_WS, Socket, make_settings


async def test_api_is_ready_when_mongodb_redis_and_the_change_feed_are(
    api_server: ApiProcess,
) -> None:
    async with httpx.AsyncClient(verify=TLS) as client:
        response = await client.get(f"{api_server.url}/readyz")
    assert response.json() == {
        "status": "ok",
        "checks": {"mongo": "ok", "redis": "ok", "change feed": "ok"},
    }


async def test_api_without_redis_is_degraded_but_ready_and_answers(
    processes: Processes, tmp_path: Path
) -> None:
    valkey, redis_url = await start_open_valkey(tmp_path)
    api = await processes.api(redis_url=redis_url)
    await valkey.stop()
    headers = {"authorization": f"Bearer {api.token()}"}
    async with httpx.AsyncClient(verify=TLS, headers=headers) as client:
        ready = await client.get(f"{api.url}/readyz")
        jobs = {"query": "{ jobs(first: 1) { nodes { id } } }"}
        answer = await client.post(api.graphql_url, json=jobs)
    assert (ready.status_code, ready.json()["status"]) == (HTTPStatus.OK, "degraded")
    assert ready.json()["checks"] == {"mongo": "ok", "redis": "failed", "change feed": "ok"}
    assert answer.json() == {"data": {"jobs": {"nodes": []}}}


async def test_terminated_api_closes_its_sockets_with_1012(api_server: ApiProcess) -> None:
    subprotocols = [TRANSPORT_WS]
    async with connect(api_server.ws_url, subprotocols=subprotocols, proxy=None) as connection:
        client = Socket(connection)
        await client.init(api_server.token("ada"))
        await client.subscribe("1", "subscription { jobsChanged { kind } }")
        message = await client.receive()
        assert message["payload"] == {"data": {"jobsChanged": {"kind": "READY"}}}
        api_server.child.popen.send_signal(signal.SIGTERM)
        assert await client.closed() == 1012


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_api_exits_with_0_after_a_stop_signal(
    api_server: ApiProcess, number: signal.Signals
) -> None:
    api_server.child.popen.send_signal(number)
    assert await api_server.child.wait() == 0, api_server.child.tail()


async def test_log_of_the_api_has_no_escape_sequences(api_server: ApiProcess) -> None:
    log = api_server.child.tail()
    assert "Started server process" in log
    assert "color_message" not in log
    assert "x1b" not in log


async def test_api_logs_its_address_once_it_serves(api_server: ApiProcess) -> None:
    log = api_server.child.tail()
    assert log.count("api.serving") == log.count(f"url={api_server.url}/") == 1


def test_port_in_use_is_an_error_before_the_api_starts() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, pytest.raises(OSError, match="in use"):
        listen(make_settings(port=taken.getsockname()[1]))


def test_tcp_user_timeout_is_set_to_the_send_timeout() -> None:
    with listen(make_settings(send_timeout_ms=7_000)) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7_000
