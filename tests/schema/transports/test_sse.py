"""Subscriptions as server-sent events: the distinct connections mode of graphql-sse."""

from http import HTTPStatus

import pytest

from tests.processes import eventually
from tests.schema.conftest import Running, make_settings, serve
from tests.schema.streams import SSE, streamed

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKS = "subscription { ticks }"
COMPLETE = b"event: complete\ndata:"


def _next(data: str) -> bytes:
    return b"event: next\ndata: " + data.encode()


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_each_result_is_an_event_and_complete_ends_the_stream(
    running: Running, method: str
) -> None:
    async with streamed(running, "subscription { count(to: 2) }", SSE, method) as stream:
        assert stream.response.status_code == HTTPStatus.OK
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert await stream.read_to_end() == [
            _next('{"data":{"count":0}}'),
            _next('{"data":{"count":1}}'),
            COMPLETE,
        ]


async def test_each_result_is_sent_immediately(running: Running) -> None:
    async with streamed(running, TICKS, SSE) as stream:
        for tick in range(3):
            assert await stream.next() == _next(f'{{"data":{{"ticks":{tick}}}}}')
            await running.probe.publish()


async def test_results_are_not_delayed_by_compression(running: Running) -> None:
    headers = {**SSE, "accept-encoding": "gzip"}
    async with streamed(running, "subscription { flood(size: 5000) }", headers) as stream:
        assert "content-encoding" not in stream.response.headers
        assert (await stream.next()).startswith(_next('{"data":{"flood":"xxx'))


async def test_query_and_mutation_are_one_event_if_only_events_are_accepted(
    running: Running,
) -> None:
    for document, data in (
        ("{ hello }", '{"data":{"hello":"Hello world"}}'),
        ('mutation { add(input: {name: "x"}) }', '{"data":{"add":"x"}}'),
    ):
        async with streamed(running, document, SSE) as stream:
            assert await stream.read_to_end() == [_next(data), COMPLETE]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("subscription { nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { hidden }", "NOT_FOUND"),
        ("query ($n: String!) { hello(name: $n) }", "BAD_REQUEST"),
    ],
)
async def test_operation_that_cannot_run_sends_its_error_and_completes(
    running: Running, document: str, code: str
) -> None:
    async with streamed(running, document, SSE) as stream:
        error, complete = await stream.read_to_end()
    assert f'"code":"{code}"' in error.decode()
    assert complete == COMPLETE


async def test_unexpected_error_of_a_subscription_is_masked_and_completes_it(
    running: Running,
) -> None:
    async with streamed(running, "subscription { breaks }", SSE) as stream:
        _, error, complete = await stream.read_to_end()
    assert b"INTERNAL_SERVER_ERROR" in error
    assert b"hunter2" not in error
    assert complete == COMPLETE


async def test_transient_error_ends_the_stream_without_complete_so_that_clients_reconnect(
    running: Running,
) -> None:
    async with streamed(running, "subscription { breaks(unavailable: true) }", SSE) as stream:
        first, reason = await stream.read_to_end()
    assert (first, reason) == (_next('{"data":{"breaks":1}}'), b": UNAVAILABLE")


async def test_stream_requires_a_token(running: Running) -> None:
    for headers in ({"authorization": ""}, {"authorization": "Bearer nonsense"}):
        async with streamed(running, TICKS, SSE | headers) as stream:
            assert stream.response.status_code == HTTPStatus.UNAUTHORIZED
            assert stream.response.headers["www-authenticate"].startswith("Bearer")


async def test_get_never_runs_mutations_for_event_streams(running: Running) -> None:
    document = 'mutation { add(input: {name: "x"}) }'
    async with streamed(running, document, SSE, "GET") as stream:
        assert stream.response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert running.probe.mutations == 0


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", HTTPStatus.BAD_REQUEST),
        (b"[]", HTTPStatus.BAD_REQUEST),
        (b"null", HTTPStatus.BAD_REQUEST),
        (b'{"query":1}', HTTPStatus.BAD_REQUEST),
        (b'{"query":"{hello}","variables":[]}', HTTPStatus.BAD_REQUEST),
        (b"x" * 300_000, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    ],
)
async def test_malformed_request_has_an_error_status(
    running: Running, content: bytes, status: HTTPStatus
) -> None:
    headers = {**SSE, "content-type": "application/json"}
    async with running.client() as client:
        response = await client.post("/graphql", content=content, headers=headers)
    assert response.status_code == status
    assert response.json()["errors"]


async def test_document_over_a_limit_is_rejected(running: Running) -> None:
    deep = "subscription { items { " + "item { " * 20 + "name" + " }" * 22
    async with streamed(running, deep, SSE) as stream:
        error, _ = await stream.read_to_end()
    assert b"deeper than" in error


async def test_client_that_leaves_ends_its_subscription(running: Running) -> None:
    async with streamed(running, TICKS, SSE) as stream:
        await stream.next()
        assert running.probe.open_streams == 1
    await eventually(lambda: running.probe.open_streams == 0)


async def test_quiet_stream_is_kept_alive_with_comments() -> None:
    async with (
        serve(make_settings(keep_alive_ms=100)) as running,
        streamed(running, TICKS, SSE) as stream,
    ):
        await stream.next()
        assert [await stream.next_frame() for _ in range(3)] == [b":"] * 3


async def test_expired_token_sends_an_error_and_ends_the_stream_without_complete(
    running: Running,
) -> None:
    token = {"authorization": f"Bearer {running.token(ttl_s=2)}"}
    async with streamed(running, TICKS, SSE | token) as stream:
        first, expired = await stream.read_to_end()
    assert first == _next('{"data":{"ticks":0}}')
    assert expired.startswith(_next('{"data":null,"errors":['))
    assert b"UNAUTHORIZED" in expired
