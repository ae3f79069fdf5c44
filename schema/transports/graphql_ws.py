"""Parsing and encoding of graphql-transport-ws messages. No I/O.

Implements PROTOCOL.md of github.com/enisdenjo/graphql-ws.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ostinato.jobs.json_values import replace_surrogates
from ostinato.schema.errors import FormattedError
from ostinato.schema.execution.encoding import InvalidJson, decode_json, encode_json
from ostinato.schema.execution.operation_request import (
    InvalidParameters,
    OperationRequest,
    parse_parameters,
)

SUBPROTOCOL = "graphql-transport-ws"
CONNECTION_ACK = b'{"type":"connection_ack"}'
PING = b'{"type":"ping"}'
PONG = b'{"type":"pong"}'


class CloseCode(IntEnum):
    """Close codes of the server; graphql-ws clients reconnect after those marked *."""

    SERVICE_RESTART = 1012
    """* The process is stopping."""
    TRY_AGAIN_LATER = 1013
    """* Slow client, missing pong, too many messages, or too many connections of its user or
    address."""
    MESSAGE_TOO_BIG = 1009
    INVALID_MESSAGE = 4400
    UNAUTHORIZED = 4401
    """The client sent an operation before the connection was acknowledged."""
    FORBIDDEN = 4403
    """* The token is missing, invalid or expired: the client must send a new one."""
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INITIALISATION_TIMEOUT = 4408
    """* `connection_init` did not arrive in time."""
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_INITIALISATIONS = 4429
    INTERNAL_ERROR = 4500


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True)
class Subscribe:
    id: str
    request: OperationRequest


@dataclass(frozen=True, slots=True)
class InvalidSubscribe:
    """A `subscribe` message that cannot be decoded; fails the operation, not the connection."""

    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Complete:
    id: str


ClientMessage = ConnectionInit | Ping | Pong | Subscribe | InvalidSubscribe | Complete


class InvalidMessage(ValueError):
    """A message that violates the protocol; the client receives the text."""


def parse_message(text: str, max_id_chars: int) -> ClientMessage:
    """Parse a message; raises only InvalidMessage."""
    try:
        message = decode_json(text)
    except InvalidJson as error:
        return _invalid_subscribe(error, max_id_chars)
    if not isinstance(message, dict):
        raise InvalidMessage("Message must be a JSON object")
    payload = message.get("payload")
    match message.get("type"):
        case "connection_init":
            return ConnectionInit(_object_or_null(payload))
        case "ping":
            _object_or_null(payload)
            return Ping()
        case "pong":
            _object_or_null(payload)
            return Pong()
        case "subscribe":
            return Subscribe(_operation_id(message, max_id_chars), _request(payload))
        case "complete":
            return Complete(_operation_id(message, max_id_chars))
        case _:
            raise InvalidMessage("Message has an unknown `type`")


def _invalid_subscribe(error: InvalidJson, max_id_chars: int) -> InvalidSubscribe:
    """Return the operation to fail; raises InvalidMessage unless the message is a `subscribe`."""
    if isinstance(error.value, dict) and error.value.get("type") == "subscribe":
        operation_id = _operation_id(error.value, max_id_chars)
        # An id with unpaired surrogates cannot be encoded in a response.
        if operation_id == replace_surrogates(operation_id):
            return InvalidSubscribe(operation_id, f"the message cannot be decoded: {error}")
    raise InvalidMessage(f"Message cannot be decoded: {error}")


def next_prefix(operation_id: str) -> bytes:
    """Return the start of a `next` message, before the response and a closing `}`.

    Clients that receive the same result differ only in this prefix.
    """
    return b'{"id":' + encode_json(operation_id) + b',"type":"next","payload":'


def error_message(operation_id: str, errors: list[FormattedError]) -> bytes:
    return encode_json({"id": operation_id, "type": "error", "payload": errors})


def complete_message(operation_id: str) -> bytes:
    return encode_json({"id": operation_id, "type": "complete"})


def _object_or_null(payload: object) -> Mapping[str, Any]:
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise InvalidMessage("Payload must be an object or null")
    return payload


def _operation_id(message: Mapping[str, Any], max_chars: int) -> str:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not operation_id:
        raise InvalidMessage("Id must be a non-empty string")
    if len(operation_id) > max_chars:
        raise InvalidMessage(f"Id is longer than {max_chars} characters: shorten it")
    return operation_id


def _request(payload: object) -> OperationRequest:
    try:
        return parse_parameters(payload)
    except InvalidParameters as error:
        raise InvalidMessage(str(error)) from None
