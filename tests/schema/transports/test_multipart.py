"""Subscriptions as multipart responses for Apollo's clients."""

import orjson
import pytest

from tests.schema.conftest import Running, make_settings, serve
from tests.schema.streams import MULTIPART, streamed

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKS = "subscription { ticks }"
END = b"--\r\n"


def _content(part: bytes) -> object:
    head, _, body = part.partition(b"\r\n\r\n")
    assert head == b"\r\ncontent-type: application/json"
    return orjson.loads(body)


async def test_each_result_is_a_part_and_the_final_boundary_ends_the_response(
    running: Running,
) -> None:
    async with streamed(running, "subscription { count(to: 2) }", MULTIPART) as stream:
        kind = stream.response.headers["content-type"]
        preamble, first, second, end = await stream.read_to_end()
    assert kind == 'multipart/mixed; boundary="-"; subscriptionSpec=1.0'
    assert (preamble, end) == (b"", END)
    assert _content(first) == {"payload": {"data": {"count": 0}}}
    assert _content(second) == {"payload": {"data": {"count": 1}}}


async def test_each_part_is_complete_when_its_result_is_available(running: Running) -> None:
    async with streamed(running, TICKS, MULTIPART) as stream:
        assert await stream.next_frame() == b""
        for tick in range(3):
            assert _content(await stream.next_frame()) == {"payload": {"data": {"ticks": tick}}}
            await running.probe.publish()


async def test_error_of_the_operation_is_in_the_payload(running: Running) -> None:
    async with streamed(running, "subscription { hidden }", MULTIPART) as stream:
        _, part, end = await stream.read_to_end()
    content = _content(part)
    assert isinstance(content, dict)
    assert content["payload"]["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
    assert end == END


async def test_invalid_document_is_rejected_like_for_a_query(running: Running) -> None:
    async with streamed(running, "subscription { nope }", MULTIPART) as stream:
        assert stream.response.headers["content-type"].startswith("application/json")
        assert b"GRAPHQL_VALIDATION_FAILED" in await stream.response.aread()


async def test_expired_token_is_sent_as_a_transport_error(running: Running) -> None:
    token = {"authorization": f"Bearer {running.token(ttl_s=2)}"}
    async with streamed(running, TICKS, MULTIPART | token) as stream:
        *_, part, end = await stream.read_to_end()
    content = _content(part)
    assert isinstance(content, dict)
    assert content["payload"] is None
    assert content["errors"][0]["extensions"] == {"code": "UNAUTHORIZED"}
    assert end == END


async def test_quiet_response_is_kept_alive_with_empty_parts() -> None:
    async with (
        serve(make_settings(keep_alive_ms=100)) as running,
        streamed(running, TICKS, MULTIPART) as stream,
    ):
        assert await stream.next_frame() == b""
        await stream.next_frame()
        assert [_content(await stream.next_frame()) for _ in range(2)] == [{}, {}]


async def test_query_is_plain_json_if_both_types_are_accepted(running: Running) -> None:
    async with running.client() as client:
        response = await client.post("/graphql", json={"query": "{ hello }"}, headers=MULTIPART)
    assert response.json() == {"data": {"hello": "Hello world"}}
