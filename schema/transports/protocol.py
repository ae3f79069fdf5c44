"""The messages of graphql-transport-ws, parsed and written; it must not know sockets.

Source: github.com/enisdenjo/graphql-ws, PROTOCOL.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ostinato.jobs.values import readable
from ostinato.schema.errors import FormattedError
from ostinato.schema.transports.encoding import Unreadable, decode, encode
from ostinato.schema.transports.execution import OperationRequest
from ostinato.schema.transports.parameters import BadParameters, read_parameters

SUBPROTOCOL = "graphql-transport-ws"
CONNECTION_ACK = b'{"type":"connection_ack"}'
PING = b'{"type":"ping"}'
PONG = b'{"type":"pong"}'


class CloseCode(IntEnum):
    """Why the server ends a socket; graphql-ws clients reconnect after those marked *."""

    SERVICE_RESTART = 1012
    """* The process is stopping."""
    TRY_AGAIN_LATER = 1013
    """* The client reads too slowly, does not answer pings, or its user has too many sockets."""
    MESSAGE_TOO_BIG = 1009
    INVALID_MESSAGE = 4400
    UNAUTHORIZED = 4401
    """An operation came before the connection was acknowledged."""
    FORBIDDEN = 4403
    """* No valid token, or the token has expired: the client asks for fresh parameters."""
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INITIALISATION_TIMEOUT = 4408
    """* `connection_init` did not come in time."""
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
class UnreadableSubscribe:
    """An operation with a value that cannot be read: an error of its own, not of the socket."""

    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Complete:
    id: str


ClientMessage = ConnectionInit | Ping | Pong | Subscribe | UnreadableSubscribe | Complete


class BadMessage(ValueError):
    """A client sent what the protocol does not allow; the text says what, for its developer."""


def parse_message(text: str, max_id_chars: int) -> ClientMessage:
    """Read one message; raises BadMessage and nothing else, whatever was sent."""
    try:
        message = decode(text)
    except Unreadable as error:
        return _unreadable(error, max_id_chars)
    if not isinstance(message, dict):
        raise BadMessage("Message is not an object")
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
            raise BadMessage("Message has an unknown type")


def _unreadable(error: Unreadable, max_id_chars: int) -> UnreadableSubscribe:
    """Find whose value it is; raises BadMessage if it is no operation's."""
    if isinstance(error.value, dict) and error.value.get("type") == "subscribe":
        operation_id = _operation_id(error.value, max_id_chars)
        if operation_id == readable(operation_id):  # else no answer could repeat it
            return UnreadableSubscribe(operation_id, f"the message cannot be read: {error}")
    raise BadMessage(f"Message cannot be read: {error}")


def next_prefix(operation_id: str) -> bytes:
    """Return what goes before the response of a `next` message; `}` goes behind it.

    It is the only part of the message that differs between clients watching the same.
    """
    return b'{"id":' + encode(operation_id) + b',"type":"next","payload":'


def error_message(operation_id: str, errors: list[FormattedError]) -> bytes:
    return encode({"id": operation_id, "type": "error", "payload": errors})


def complete_message(operation_id: str) -> bytes:
    return encode({"id": operation_id, "type": "complete"})


def _object_or_null(payload: object) -> Mapping[str, Any]:
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise BadMessage("Payload must be an object")
    return payload


def _operation_id(message: Mapping[str, Any], max_chars: int) -> str:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not operation_id:
        raise BadMessage("Id must be a string that is not empty")
    if len(operation_id) > max_chars:
        raise BadMessage(f"Id is longer than {max_chars} characters")
    return operation_id


def _request(payload: object) -> OperationRequest:
    try:
        return read_parameters(payload)
    except BadParameters as error:
        raise BadMessage(str(error)) from None
