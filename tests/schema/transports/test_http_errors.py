"""Errors over HTTP: of requests, tokens and operations."""

import asyncio
from http import HTTPStatus

import httpx
import jwt
import pytest

from ostinato.jobs.settings import Mode
from ostinato.resolvers.auth import issue_token
from tests.processes import TLS
from tests.schema.conftest import SECRET, Running, make_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRAPHQL_RESPONSE = "application/graphql-response+json"
ACCEPT = {"accept": GRAPHQL_RESPONSE}


async def _post(running: Running, query: str, **payload: object) -> httpx.Response:
    async with running.client() as client:
        return await client.post("/graphql", json={"query": query, **payload}, headers=ACCEPT)


def _code(response: httpx.Response) -> str:
    code: str = response.json()["errors"][0]["extensions"]["code"]
    return code


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


async def test_variable_of_an_invalid_type_is_bad_request_with_its_path(running: Running) -> None:
    query = "mutation($input: ItemInput!) { add(input: $input) }"
    response = await _post(running, query, variables={"input": {"name": "x", "sizes": [1, "y"]}})
    extensions = response.json()["errors"][0]["extensions"]
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert extensions["code"] == "BAD_REQUEST"
    assert [issue["path"] for issue in extensions["issues"]] == [["input", "sizes", 1]]


async def test_failed_field_does_not_affect_other_fields(running: Running) -> None:
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


async def test_issues_of_invalid_input_are_sent_to_the_client(running: Running) -> None:
    response = await _post(running, "{ bad }")
    issue = {"path": ["input", "name"], "message": "too short", "code": "too_small"}
    assert response.json()["errors"][0]["extensions"]["issues"] == [issue]


@pytest.mark.parametrize("query", ["{ broken }", "{ unencodable }"])
async def test_unexpected_error_is_masked_and_has_an_id(running: Running, query: str) -> None:
    response = await _post(running, query)
    extensions = response.json()["errors"][0]["extensions"]
    assert extensions["code"] == "INTERNAL_SERVER_ERROR"
    assert len(extensions["id"]) == 32
    assert "hunter2" not in response.text
    assert "object" not in response.text


async def test_value_that_json_cannot_represent_affects_only_itself(running: Running) -> None:
    response = await _post(running, "{ hello item { name } unencodable }")
    (error,) = response.json()["errors"]
    assert error["path"] == ["unencodable", "value"]
    assert response.json()["data"] == {
        "hello": "Hello world",
        "item": {"name": "an item"},
        "unencodable": {"value": None},
    }


async def test_operation_that_exceeds_the_timeout_is_stopped() -> None:
    async with serve(make_settings(request_timeout_ms=100)) as running:
        response = await _post(running, "{ endless }")
    assert _code(response) == "TIMEOUT"


async def test_invalid_token_is_401_and_a_missing_token_fails_only_fields_that_need_a_viewer(
    running: Running,
) -> None:
    async with httpx.AsyncClient(base_url=running.url, verify=TLS) as client:
        invalid = await client.post(
            "/graphql", json={"query": "{ hello }"}, headers={"authorization": "Bearer x"}
        )
        anonymous = await client.post("/graphql", json={"query": "{ __typename me }"})
    assert (invalid.status_code, _code(invalid)) == (HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED")
    assert invalid.headers["www-authenticate"].startswith("Bearer")
    assert anonymous.json()["data"] == {"__typename": "Query", "me": None}
    assert _code(anonymous) == "UNAUTHORIZED"


async def test_production_requires_a_token_before_it_reads_the_body() -> None:
    async with serve(make_settings(mode=Mode.PRODUCTION)) as running:
        async with httpx.AsyncClient(base_url=running.url, verify=TLS) as client:
            anonymous = await client.post("/graphql", content=b"{")
        signed_in = await _post(running, "{ __typename }")
        introspection = await _post(running, "{ __schema { types { name } } }")
    assert (anonymous.status_code, _code(anonymous)) == (HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED")
    assert signed_in.json() == {"data": {"__typename": "Query"}}
    assert "introspection" in introspection.json()["errors"][0]["message"].lower()


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, HTTPStatus.METHOD_NOT_ALLOWED), ({"get_queries": True}, HTTPStatus.OK)],
)
async def test_production_accepts_queries_with_get_only_if_enabled(
    changes: dict[str, bool], status: HTTPStatus
) -> None:
    async with (
        serve(make_settings(mode=Mode.PRODUCTION, **changes)) as running,
        running.client() as client,
    ):
        answer = await client.get("/graphql", params={"query": "{ __typename }"})
    assert answer.status_code == status


async def test_content_length_over_the_limit_is_413_before_the_body_is_sent(
    running: Running,
) -> None:
    answer = await _raw_post(running, {"content-length": "300000"}, b"")
    assert answer.startswith(b"HTTP/1.1 413")


async def test_chunked_body_over_the_limit_is_413_while_it_is_received(running: Running) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = await _raw_post(running, {"transfer-encoding": "chunked"}, chunk * 5)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"PAYLOAD_TOO_LARGE" in answer


async def test_incomplete_body_is_408_after_the_timeout() -> None:
    async with serve(make_settings(request_timeout_ms=100)) as running:
        answer = await _raw_post(running, {"content-length": "100"}, b"{")
    assert answer.startswith(b"HTTP/1.1 408")


async def _raw_post(running: Running, headers: dict[str, str], body: bytes) -> bytes:
    """Send the start of a request and return the response that arrives before its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    all_headers = {"host": "localhost", "content-type": "application/json", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    writer.write(f"POST /graphql HTTP/1.1\r\n{lines}\r\n".encode() + body)
    async with asyncio.timeout(30):
        answer = await reader.readuntil(b"\r\n\r\n")
        answer += await reader.read(1_000)
    writer.close()
    return answer


async def test_keys_that_cannot_be_fetched_are_503() -> None:
    settings = make_settings(jwt_secret=None, jwt_jwks_url="http://127.0.0.1:9/keys")
    token = issue_token(make_settings(), "ada")
    async with (
        serve(settings) as running,
        httpx.AsyncClient(base_url=running.url, verify=TLS) as client,
    ):
        header = {"authorization": f"Bearer {token}"}
        no_key_id = await client.post("/graphql", json={"query": "{ hello }"}, headers=header)
        token = jwt.encode({"sub": "ada"}, SECRET, headers={"kid": "1"})
        header = {"authorization": f"Bearer {token}"}
        response = await client.post("/graphql", json={"query": "{ hello }"}, headers=header)
    assert no_key_id.status_code == HTTPStatus.UNAUTHORIZED
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert (_code(response), response.headers["retry-after"]) == ("UNAVAILABLE", "5")
