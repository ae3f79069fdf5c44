"""GraphQL over HTTP beyond the audit: media types, methods, bodies and origins."""

from http import HTTPStatus
from typing import Any

import httpx
import pytest

from tests.schema.conftest import Running, make_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRAPHQL_RESPONSE = "application/graphql-response+json"
ACCEPT = {"accept": GRAPHQL_RESPONSE}


async def _post(running: Running, query: str, **payload: object) -> httpx.Response:
    async with running.client() as client:
        return await client.post("/graphql", json={"query": query, **payload}, headers=ACCEPT)


def _code(response: httpx.Response) -> str:
    code: str = response.json()["errors"][0]["extensions"]["code"]
    return code


async def test_response_has_the_newer_media_type_if_accepted(
    running: Running,
) -> None:
    response = await _post(
        running, "query Q($n: String!) { hello(name: $n) }", variables={"n": "x"}
    )
    assert response.status_code == HTTPStatus.OK
    assert response.headers["content-type"] == f"{GRAPHQL_RESPONSE}; charset=utf-8"
    assert response.json() == {"data": {"hello": "Hello x"}}


JSON_BODY = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        (f"{GRAPHQL_RESPONSE}, application/json", GRAPHQL_RESPONSE),
        (f"application/json, {GRAPHQL_RESPONSE}", "application/json"),
        (f"application/json;q=0.5, {GRAPHQL_RESPONSE};q=0.9", GRAPHQL_RESPONSE),
        ("text/html, */*;q=0.1", "application/json"),
        (f"{GRAPHQL_RESPONSE};q=0, application/json", "application/json"),
    ],
)
async def test_response_has_the_preferred_accepted_type(
    running: Running, accept: str, answer: str
) -> None:
    async with running.client() as client:
        response = await client.post(
            "/graphql", json={"query": "{ hello }"}, headers={"accept": accept}
        )
    assert response.headers["content-type"].startswith(answer)


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/json;q=nan"])
async def test_unsupported_accept_header_is_406(running: Running, accept: str) -> None:
    async with running.client() as client:
        response = await client.post("/graphql", json={}, headers={"accept": accept})
    assert response.status_code == HTTPStatus.NOT_ACCEPTABLE


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {},
    ],
)
async def test_body_of_an_unsupported_type_is_415(
    running: Running, headers: dict[str, str]
) -> None:
    async with running.client() as client:
        response = await client.post("/graphql", content=b'{"query":"{hello}"}', headers=headers)
    assert response.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"1",
        b'"x"',
        b"{}",
        b'[{"query":"{hello}"}]',
        b'{"query":1}',
        b'{"query":""}',
        b'{"query":"{hello}","variables":[]}',
        b'{"query":"{hello}","operationName":1}',
        b'{"query":"{hello}","extensions":"x"}',
        b'{"query":"\xff"}',
        b'{"query":"\\ud800"}',
        b"[" * 100_000,
        b'{"query":"{hello}","variables":{"a":' + b"[" * 500 + b"]" * 500 + b"}}",
    ],
)
async def test_malformed_body_is_400(running: Running, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    async with running.client() as client:
        response = await client.post("/graphql", content=body, headers=headers)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert _code(response) == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "the body cannot be decoded: not JSON: "),
        (b'{"query":1,}', "not JSON: trailing comma is not allowed: line 1 column 11"),
        (b'{"variables":' + b"[" * 70 + b"]" * 70 + b"}", "nested deeper than 64 levels"),
        (b"[" * 100_000, "nested deeper than 64 levels"),
        (
            b'\xef\xbb\xbf{"a":"\xff"}',
            "the body cannot be decoded: not UTF-8: byte 0xff at offset 9",
        ),
        (
            b'{"variables":{"a":["\\ud83d"]}}',
            r"variables.a.0 contains the unpaired surrogate \ud83d",
        ),
    ],
)
async def test_error_for_an_undecodable_body_has_the_reason(
    running: Running, body: bytes, problem: str
) -> None:
    async with running.client() as client:
        response = await client.post("/graphql", content=body, headers=JSON_BODY)
    (error,) = response.json()["errors"]
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert problem in error["message"]


async def test_byte_order_mark_is_ignored(running: Running) -> None:
    body = b'\xef\xbb\xbf{"query":"{ hello }"}'
    async with running.client() as client:
        response = await client.post("/graphql", content=body, headers=JSON_BODY)
    assert response.json() == {"data": {"hello": "Hello world"}}


@pytest.mark.parametrize("name", ["variables", "extensions", "operationName"])
async def test_empty_get_parameter_is_treated_as_missing(running: Running, name: str) -> None:
    async with running.client() as client:
        response = await client.get("/graphql", params={"query": "{ hello }", name: ""})
    assert response.json() == {"data": {"hello": "Hello world"}}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_other_methods_are_405(running: Running, method: str) -> None:
    async with running.client() as client:
        response = await client.request(method, "/graphql")
    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert response.headers["allow"] == "GET, POST"


async def test_get_runs_queries_with_variables(running: Running) -> None:
    parameters = {"query": "query($n: String!) { hello(name: $n) }", "variables": '{"n":"x"}'}
    async with running.client() as client:
        response = await client.get("/graphql", params=parameters)
    assert response.json() == {"data": {"hello": "Hello x"}}


async def test_get_never_runs_mutations(running: Running) -> None:
    parameters = {"query": 'mutation { add(input: {name: "x"}) }'}
    async with running.client() as client:
        response = await client.get("/graphql", params=parameters)
    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert response.headers["allow"] == "POST"
    assert running.probe.mutations == 0


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "text/*", "multipart/mixed", "text/event-stream;q=0, */*"]
)
async def test_subscription_without_an_accepted_stream_type_is_406_and_lists_the_types(
    running: Running, accept: str
) -> None:
    query, headers = "subscription { ticks }", {"accept": accept}
    async with running.client() as client:
        response = await client.post("/graphql", json={"query": query}, headers=headers)
    assert response.status_code == HTTPStatus.NOT_ACCEPTABLE
    message = response.json()["errors"][0]["message"]
    for transport in (
        "text/event-stream",
        "multipart/mixed; subscriptionSpec=1.0",
        "graphql-transport",
    ):
        assert transport in message


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        ("text/event-stream", "text/event-stream"),
        ("text/event-stream, multipart/mixed", "text/event-stream"),
        ("multipart/mixed;boundary=x;subscriptionSpec=1.0, application/json", "multipart/mixed"),
        ("multipart/mixed;subscriptionSpec=1.0;q=0.5, text/event-stream", "text/event-stream"),
    ],
)
async def test_subscription_has_the_preferred_accepted_stream_type(
    running: Running, accept: str, answer: str
) -> None:
    query, headers = "subscription { count(to: 1) }", {"accept": accept}
    async with running.client() as client:
        response = await client.post("/graphql", json={"query": query}, headers=headers)
    assert response.headers["content-type"].startswith(answer)


async def test_preflight_from_another_origin_is_not_allowed(running: Running) -> None:
    async with running.client() as client:
        response = await client.options("/graphql", headers=_preflight("https://evil.example"))
    assert "access-control-allow-origin" not in response.headers


async def test_configured_origin_may_send_a_token() -> None:
    origin = "https://app.example"
    async with (
        serve(make_settings(allowed_origins=(origin,))) as running,
        running.client() as client,
    ):
        response = await client.options("/graphql", headers=_preflight(origin))
    assert response.headers["access-control-allow-origin"] == origin
    allowed = response.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "last-event-id" in allowed


def _preflight(origin: str) -> dict[str, Any]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
