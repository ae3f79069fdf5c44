"""Limits for streams: too many, not read, or open at shutdown."""

from http import HTTPStatus

import pytest

from tests.processes import eventually
from tests.schema.conftest import Running, make_settings, serve
from tests.schema.streams import MULTIPART, SSE, streamed

TICKS = "subscription { ticks }"


@pytest.mark.parametrize("limit", ["max_sockets_per_user", "max_sockets_per_address"])
async def test_stream_over_a_limit_is_429_until_another_ends(limit: str) -> None:
    async with serve(make_settings(**{limit: 1})) as running:
        async with streamed(running, TICKS, SSE) as first:
            await first.next()
            async with streamed(running, TICKS, MULTIPART) as second:
                assert second.response.status_code == HTTPStatus.TOO_MANY_REQUESTS
                assert second.response.headers["retry-after"] == "1"
                assert b"TOO_MANY_REQUESTS" in await second.response.aread()
        await eventually(lambda: _is_served(running))


async def test_sockets_and_streams_share_the_limit_of_a_user() -> None:
    async with (
        serve(make_settings(max_sockets_per_user=1)) as running,
        running.acknowledged(),
        streamed(running, TICKS, SSE) as stream,
    ):
        assert stream.response.status_code == HTTPStatus.TOO_MANY_REQUESTS


async def _is_served(running: Running) -> bool:
    async with streamed(running, TICKS, SSE) as stream:
        return stream.response.is_success


@pytest.mark.parametrize("accept", [SSE, MULTIPART])
async def test_stopping_server_ends_streams_without_complete_so_that_clients_reconnect(
    accept: dict[str, str],
) -> None:
    async with serve(make_settings()) as running, streamed(running, TICKS, accept) as stream:
        await stream.next()
        running.server.should_exit = True
        rest = b"".join(await stream.read_to_end())
        assert b"UNAVAILABLE" in rest
        assert b"complete" not in rest
        await eventually(lambda: running.probe.open_streams == 0)


async def test_draining_server_rejects_new_streams() -> None:
    async with serve(make_settings()) as running:
        await running.app.state.connections.drain(0)
        async with streamed(running, TICKS, SSE) as stream:
            assert stream.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
            assert stream.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("accept", [SSE, MULTIPART])
async def test_client_that_stops_reading_is_disconnected_and_removed(
    accept: dict[str, str],
) -> None:
    async with (
        serve(make_settings(send_timeout_ms=200)) as running,
        streamed(running, "subscription { flood(size: 1000000) }", accept),
    ):
        await eventually(lambda: len(running.app.state.connections) == 1)
        await eventually(lambda: not running.app.state.connections)
        await eventually(lambda: not running.server.server_state.connections)
