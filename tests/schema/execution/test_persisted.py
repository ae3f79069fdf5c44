"""Automatic persisted queries, and the list of allowed operations."""

import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
import pytest

from ostinato.schema.execution.persisted import (
    MAX_CACHE_CHARS,
    PersistedDocuments,
    PersistedQueryNotFound,
)
from tests.schema.conftest import Running, make_settings, serve
from tests.schema.example import Probe, example_app

QUERY = "query Greet($name: String!) { hello(name: $name) }"
OTHER = "{ item { name } }"
TICKS = "subscription { ticks }"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _extensions(text: str, **changes: object) -> dict[str, object]:
    return {"persistedQuery": {"version": 1, "sha256Hash": _hash(text), **changes}}


async def _post(running: Running, **payload: object) -> Any:
    async with running.client() as client:
        return (await client.post("/graphql", json=payload)).json()


def _code(answer: Any) -> str:
    code: str = answer["errors"][0]["extensions"]["code"]
    return code


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    operations = [{"id": "a", "name": "Greet", "type": "query", "body": QUERY}]
    operations.append({"id": "b", "name": "", "type": "subscription", "body": TICKS})
    content = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}
    path = tmp_path / "operations.json"
    path.write_bytes(orjson.dumps(content))
    return path


async def test_hash_is_unknown_until_its_document_is_sent() -> None:
    payload = {"extensions": _extensions(QUERY), "variables": {"name": "x"}}
    async with serve(make_settings()) as running:
        first = await _post(running, **payload)
        assert _code(first) == "PERSISTED_QUERY_NOT_FOUND"
        assert first["errors"][0]["message"] == "PersistedQueryNotFound"
        assert (await _post(running, query=QUERY, **payload))["data"] == {"hello": "Hello x"}
        assert (await _post(running, **payload))["data"] == {"hello": "Hello x"}


async def test_known_hash_is_accepted_by_get_and_websocket() -> None:
    extensions = _extensions(OTHER)
    async with serve(make_settings()) as running, running.acknowledged() as socket:
        await _post(running, query=OTHER, extensions=extensions)
        async with running.client() as client:
            parameters = {"extensions": orjson.dumps(extensions).decode()}
            response = await client.get("/graphql", params=parameters)
        await socket.send({"id": "1", "type": "subscribe", "payload": {"extensions": extensions}})
        message = await socket.receive()
        assert response.json() == message["payload"] == {"data": {"item": {"name": "an item"}}}


@pytest.mark.parametrize(
    "extensions",
    [
        _extensions("{ another }"),
        _extensions(QUERY, version=2),
        _extensions(QUERY, sha256Hash=None),
        {"persistedQuery": "x"},
        {"persistedQuery": None},
    ],
)
async def test_invalid_or_malformed_hash_is_rejected(extensions: object) -> None:
    async with serve(make_settings()) as running:
        answer = await _post(running, query=QUERY, extensions=extensions, variables={"name": "x"})
        assert _code(answer) == "BAD_REQUEST"


async def test_invalid_document_is_not_stored() -> None:
    invalid = {"query": "{ nope }", "extensions": _extensions("{ nope }")}
    async with serve(make_settings()) as running:
        assert _code(await _post(running, **invalid)) == "GRAPHQL_VALIDATION_FAILED"
        answer = await _post(running, extensions=_extensions("{ nope }"))
        assert _code(answer) == "PERSISTED_QUERY_NOT_FOUND"


async def test_request_without_query_and_hash_is_malformed() -> None:
    async with serve(make_settings()) as running, running.client() as client:
        payloads: list[dict[str, object]] = [
            {"extensions": {}},
            {"extensions": None},
            {"query": ""},
        ]
        for payload in payloads:
            response = await client.post("/graphql", json=payload)
            assert response.status_code == HTTPStatus.BAD_REQUEST


def test_stored_documents_are_limited_and_the_oldest_are_removed_first() -> None:
    documents = PersistedDocuments()
    texts = [f"{number:0>60000}" for number in range(MAX_CACHE_CHARS // 60_000 + 1)]
    for text in texts:
        documents.store(text, _extensions(text))
    assert documents.resolve("", _extensions(texts[1])) == texts[1]
    with pytest.raises(PersistedQueryNotFound):
        documents.resolve("", _extensions(texts[0]))


def test_huge_document_is_not_stored() -> None:
    documents, text = PersistedDocuments(), "#" * 100_000
    documents.store(text, _extensions(text))
    with pytest.raises(PersistedQueryNotFound):
        documents.resolve("", _extensions(text))


async def test_only_listed_operations_run_by_text_id_or_hash(manifest: Path) -> None:
    async with serve(make_settings(operations_file=manifest)) as running:
        payload = {"variables": {"name": "x"}}
        by_id = _extensions(QUERY, sha256Hash="a")
        for identification in (
            {"query": QUERY},
            {"extensions": by_id},
            {"extensions": _extensions(QUERY)},
        ):
            assert (await _post(running, **identification, **payload))["data"] == {
                "hello": "Hello x"
            }
        assert _code(await _post(running, query=OTHER)) == "FORBIDDEN"
        assert (
            _code(await _post(running, query=OTHER, extensions=_extensions(OTHER))) == "FORBIDDEN"
        )


async def test_unlisted_hash_without_document_is_not_found(manifest: Path) -> None:
    async with serve(make_settings(operations_file=manifest)) as running:
        assert _code(await _post(running, extensions=_extensions(OTHER))) == (
            "PERSISTED_QUERY_NOT_FOUND"
        )


async def test_only_listed_operations_run_over_websocket(manifest: Path) -> None:
    async with (
        serve(make_settings(operations_file=manifest)) as running,
        running.acknowledged() as socket,
    ):
        await socket.subscribe("1", TICKS)
        assert (await socket.receive())["payload"] == {"data": {"ticks": 0}}
        await socket.subscribe("2", "subscription { count(to: 1) }")
        message = await socket.receive()
        assert message["payload"][0]["extensions"] == {"code": "FORBIDDEN"}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"a": 1}', b'{"format": "apollo-persisted-query-manifest"}', b'{"a": "{ no }"}'],
)
def test_invalid_operation_list_prevents_the_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "operations.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="operation"):
        example_app(make_settings(operations_file=path), Probe())


async def test_operation_list_may_map_ids_to_documents(tmp_path: Path) -> None:
    path = tmp_path / "operations.json"
    path.write_bytes(orjson.dumps({"x": OTHER}))
    async with serve(make_settings(operations_file=path)) as running:
        assert "data" in await _post(running, query=OTHER)
