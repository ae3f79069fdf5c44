"""Parsing and encoding of graphql-transport-ws, without sockets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.schema.transports.graphql_ws import (
    ClientMessage,
    ConnectionInit,
    InvalidMessage,
    Subscribe,
    complete_message,
    error_message,
    next_prefix,
    parse_message,
)

MAX_ID_CHARS = 128
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
TYPES = st.sampled_from(["connection_init", "ping", "pong", "subscribe", "complete", "next"])
REQUESTS = st.fixed_dictionaries(
    {}, optional={"query": JSON, "variables": JSON, "operationName": JSON, "extensions": JSON}
)
MESSAGES = st.fixed_dictionaries(
    {}, optional={"type": TYPES | JSON, "id": JSON, "payload": JSON | REQUESTS}
)


@given(st.text() | JSON.map(json.dumps) | MESSAGES.map(json.dumps))
def test_parser_accepts_any_text_or_raises_invalid_message(text: str) -> None:
    message: object
    try:
        message = parse_message(text, MAX_ID_CHARS)
    except InvalidMessage as error:
        message = error
    assert isinstance(message, InvalidMessage | ClientMessage)


@given(st.text(min_size=1, max_size=MAX_ID_CHARS), st.text(min_size=1))
def test_valid_subscribe_message_is_parsed(operation_id: str, query: str) -> None:
    payload = {"query": query, "variables": {"a": [1]}, "operationName": "A", "extensions": None}
    text = json.dumps({"id": operation_id, "type": "subscribe", "payload": payload})
    if any("\ud800" <= char <= "\udfff" for char in operation_id + query):
        return
    message = parse_message(text, MAX_ID_CHARS)
    assert isinstance(message, Subscribe)
    assert (message.id, message.request.query) == (operation_id, query)
    assert (message.request.variables, message.request.operation_name) == ({"a": [1]}, "A")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_prefix_with_the_id_and_response_form_a_valid_message(operation_id: str) -> None:
    response = '{"data":{"a":"}"}}'
    assert json.loads(next_prefix(operation_id) + response.encode() + b"}") == {
        "id": operation_id,
        "type": "next",
        "payload": {"data": {"a": "}"}},
    }


def test_complete_and_error_messages_follow_the_protocol() -> None:
    errors = [{"message": "no", "extensions": {"code": "NOT_FOUND"}}]
    assert json.loads(complete_message("1")) == {"id": "1", "type": "complete"}
    assert json.loads(error_message("1", errors)) == {
        "id": "1",
        "type": "error",
        "payload": errors,
    }


@pytest.mark.parametrize(
    "text", ['{"type":"connection_init"}', '{"type":"connection_init","payload":null}']
)
def test_connection_init_requires_no_payload(text: str) -> None:
    assert parse_message(text, MAX_ID_CHARS) == ConnectionInit({})
