"""Which responses are compressed, and that their content is unchanged."""

import httpx
import pytest

from tests.schema.conftest import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = "query ($v: JSON!) { echo(value: $v) }"


async def _echo(running: Running, size: int, encoding: str) -> httpx.Response:
    payload = {"query": QUERY, "variables": {"v": "x" * size}}
    async with running.client() as client:
        return await client.post("/graphql", json=payload, headers={"accept-encoding": encoding})


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate, gzip;q=0.5", "*", "br, x-gzip"])
@pytest.mark.parametrize("size", [2_000, 100_000])
async def test_large_response_is_compressed_for_clients_that_accept_gzip(
    running: Running, encoding: str, size: int
) -> None:
    response = await _echo(running, size, encoding)
    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) < size / 10
    assert "accept-encoding" in response.headers["vary"]
    assert response.json() == {"data": {"echo": "x" * size}}


@pytest.mark.parametrize(
    ("size", "encoding"), [(100, "gzip"), (2_000, ""), (2_000, "br"), (2_000, "gzip;q=0")]
)
async def test_small_responses_and_responses_to_other_clients_are_not_compressed(
    running: Running, size: int, encoding: str
) -> None:
    response = await _echo(running, size, encoding)
    assert "content-encoding" not in response.headers
    assert response.json() == {"data": {"echo": "x" * size}}
