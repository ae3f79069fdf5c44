"""GraphQL over HTTP where it goes beyond the audit: limits, methods, errors, tokens."""

import asyncio
from http import HTTPStatus
from typing import Any

import httpx
import jwt
import pytest

from resolvers.auth import mint
from tests.transports.conftest import SECRET, Running, make_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRAPHQL_RESPONSE = "application/graphql-response+json"
ACCEPT = {"accept": GRAPHQL_RESPONSE}


async def _post(running: Running, query: str, **payload: object) -> httpx.Response:
    async with running.client() as client:
        return await client.post("/graphql", json={"query": query, **payload}, headers=ACCEPT)


def _code(response: httpx.Response) -> str:
    code: str = response.json()["errors"][0]["extensions"]["code"]
    return code


async def test_query_is_answered_with_the_newer_media_type_when_it_is_accepted(
    running: Running,
) -> None:
    response = await _post(
        running, "query Q($n: String!) { hello(name: $n) }", variables={"n": "x"}
    )
    assert response.status_code == HTTPStatus.OK
    assert response.headers["content-type"] == f"{GRAPHQL_RESPONSE}; charset=utf-8"
    assert response.json() == {"data": {"hello": "Hello x"}}


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
async def test_answer_is_the_best_type_that_accept_names(
    running: Running, accept: str, answer: str
) -> None:
    async with running.client() as client:
        response = await client.post(
            "/graphql", json={"query": "{ hello }"}, headers={"accept": accept}
        )
    assert response.headers["content-type"].startswith(answer)


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/json;q=nan"])
async def test_type_that_we_cannot_answer_with_is_406(running: Running, accept: str) -> None:
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
async def test_body_of_another_type_is_415(running: Running, headers: dict[str, str]) -> None:
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


async def test_subscription_over_http_is_refused_and_says_where_to_go(running: Running) -> None:
    response = await _post(running, "subscription { ticks }")
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "WebSocket" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ hello", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } query B { hello }", "BAD_REQUEST"),
        ("query($n: Int!) { hello }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on Query { hello }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_request_that_is_not_executed_is_400_with_a_code(
    running: Running, query: str, code: str
) -> None:
    response = await _post(running, query)
    assert (response.status_code, _code(response)) == (HTTPStatus.BAD_REQUEST, code)
    assert "data" not in response.json()


async def test_variable_of_a_wrong_type_is_bad_request_with_its_path(running: Running) -> None:
    query = "mutation($input: ItemInput!) { add(input: $input) }"
    response = await _post(running, query, variables={"input": {"name": "x", "sizes": [1, "y"]}})
    extensions = response.json()["errors"][0]["extensions"]
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert extensions["code"] == "BAD_REQUEST"
    assert [issue["path"] for issue in extensions["issues"]] == [["input", "sizes", 1]]


async def test_failed_field_leaves_the_others(running: Running) -> None:
    response = await _post(running, "{ hello missing }")
    assert response.status_code == HTTPStatus.OK
    assert response.json()["data"] == {"hello": "Hello world", "missing": None}
    assert response.json()["errors"] == [
        {
            "message": "You have no such thing",
            "locations": [{"line": 1, "column": 9}],
            "path": ["missing"],
            "extensions": {"code": "NOT_FOUND"},
        }
    ]


async def test_issues_of_bad_input_reach_the_client(running: Running) -> None:
    response = await _post(running, "{ bad }")
    issue = {"path": ["input", "name"], "message": "too short", "code": "too_small"}
    assert response.json()["errors"][0]["extensions"]["issues"] == [issue]


@pytest.mark.parametrize("query", ["{ broken }", "{ unencodable }"])
async def test_unexpected_error_is_masked_under_an_id(running: Running, query: str) -> None:
    response = await _post(running, query)
    extensions = response.json()["errors"][0]["extensions"]
    assert extensions["code"] == "INTERNAL_SERVER_ERROR"
    assert len(extensions["id"]) == 32
    assert "hunter2" not in response.text
    assert "object" not in response.text


async def test_operation_that_takes_too_long_is_stopped_as_timeout() -> None:
    async with serve(make_settings(request_timeout_ms=100)) as running:
        response = await _post(running, "{ endless }")
    assert _code(response) == "TIMEOUT"


async def test_invalid_token_is_401_and_no_token_only_fails_what_needs_a_viewer(
    running: Running,
) -> None:
    async with httpx.AsyncClient(base_url=running.url) as client:
        invalid = await client.post(
            "/graphql", json={"query": "{ hello }"}, headers={"authorization": "Bearer x"}
        )
        anonymous = await client.post("/graphql", json={"query": "{ __typename me }"})
    assert (invalid.status_code, _code(invalid)) == (HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED")
    assert invalid.headers["www-authenticate"].startswith("Bearer")
    assert anonymous.json()["data"] == {"__typename": "Query", "me": None}
    assert _code(anonymous) == "UNAUTHORIZED"


async def test_announced_body_over_the_limit_is_413_before_it_is_sent(running: Running) -> None:
    answer = await _raw_post(running, {"content-length": "300000"}, b"")
    assert answer.startswith(b"HTTP/1.1 413")


async def test_chunked_body_over_the_limit_is_413_while_it_comes_in(running: Running) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = await _raw_post(running, {"transfer-encoding": "chunked"}, chunk * 5)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"PAYLOAD_TOO_LARGE" in answer


async def test_body_that_stops_coming_is_408() -> None:
    async with serve(make_settings(request_timeout_ms=100)) as running:
        answer = await _raw_post(running, {"content-length": "100"}, b"{")
    assert answer.startswith(b"HTTP/1.1 408")


async def _raw_post(running: Running, headers: dict[str, str], body: bytes) -> bytes:
    """Send the start of a request and return the answer that comes before its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    every = {"host": "localhost", "content-type": "application/json", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in every.items())
    writer.write(f"POST /graphql HTTP/1.1\r\n{lines}\r\n".encode() + body)
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"\r\n\r\n")
        answer += await reader.read(1_000)
    writer.close()
    return answer


async def test_keys_that_cannot_be_fetched_are_503() -> None:
    settings = make_settings(jwt_secret=None, jwt_jwks_url="http://127.0.0.1:9/keys")
    token = mint(make_settings(), "ada")
    async with serve(settings) as running, httpx.AsyncClient(base_url=running.url) as client:
        header = {"authorization": f"Bearer {token}"}
        no_key_id = await client.post("/graphql", json={"query": "{ hello }"}, headers=header)
        token = jwt.encode({"sub": "ada"}, SECRET, headers={"kid": "1"})
        header = {"authorization": f"Bearer {token}"}
        response = await client.post("/graphql", json={"query": "{ hello }"}, headers=header)
    assert no_key_id.status_code == HTTPStatus.UNAUTHORIZED
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert (_code(response), response.headers["retry-after"]) == ("UNAVAILABLE", "5")


async def test_other_origins_get_no_answer_to_a_preflight(running: Running) -> None:
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
    assert "authorization" in response.headers["access-control-allow-headers"].lower()


def _preflight(origin: str) -> dict[str, Any]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
