"""Reads what a client asks to execute out of decoded JSON; the same for every transport."""

from typing import Any

from ostinato.schema.transports.execution import OperationRequest
from ostinato.schema.transports.persisted import EXTENSION


class BadParameters(ValueError):
    """The parameters of a request have the wrong shape; the text says which."""


def read_parameters(payload: object) -> OperationRequest:
    """Check `query`, `variables`, `operationName` and `extensions`; raises BadParameters."""
    if not isinstance(payload, dict):
        raise BadParameters("the request must be a JSON object")
    query, name = payload.get("query"), payload.get("operationName")
    extensions = _object_or_null(payload, "extensions")
    if not query and EXTENSION in (extensions or {}):
        query = ""
    elif not isinstance(query, str) or not query:
        raise BadParameters("`query` must be a string that is not empty")
    if name is not None and not isinstance(name, str):
        raise BadParameters("`operationName` must be a string or null")
    return OperationRequest(
        query=query,
        variables=_object_or_null(payload, "variables"),
        operation_name=name or None,
        extensions=extensions,
    )


def _object_or_null(payload: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = payload.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadParameters(f"`{name}` must be an object or null")
    return value
