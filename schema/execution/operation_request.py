"""Operation requests and their parsing, for all transports."""

from dataclasses import dataclass
from typing import Any

from ostinato.schema.execution.persisted import EXTENSION


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRequest:
    """A request to execute an operation, independent of the transport."""

    query: str
    """Empty if the client sent only the document's hash, in `extensions`."""
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None
    last_event_id: str | None = None
    """The header `Last-Event-ID`: a cursor, used if the root field has no argument `after`."""


class InvalidParameters(ValueError):
    """A request parameter has the wrong type; the client receives the message."""


def parse_parameters(payload: object) -> OperationRequest:
    """Parse `query`, `variables`, `operationName` and `extensions`; raises InvalidParameters."""
    if not isinstance(payload, dict):
        raise InvalidParameters("the request must be a JSON object")
    query, name = payload.get("query"), payload.get("operationName")
    extensions = _object_or_null(payload, "extensions")
    if not query and EXTENSION in (extensions or {}):
        query = ""
    elif not isinstance(query, str) or not query:
        raise InvalidParameters("`query` must be a non-empty string")
    if name is not None and not isinstance(name, str):
        raise InvalidParameters("`operationName` must be a string or null")
    return OperationRequest(
        query=query,
        variables=_object_or_null(payload, "variables"),
        operation_name=name or None,
        extensions=extensions,
    )


def _object_or_null(payload: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = payload.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidParameters(f"`{name}` must be an object or null")
    return value
