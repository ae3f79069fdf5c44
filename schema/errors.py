"""Turns every error into what a client may see: a code always, a foreign exception's text never.

Errors that we raise bring their own `extensions`. What graphql-core says of a document or of its
variables is the client's to fix. Anything else is logged with its traceback, and masked.
"""

import re
import uuid
from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError

from ostinato.jobs.errors import BadRequest, Issue, OstinatoError
from ostinato.jobs.logs import get_log
from ostinato.resolvers.outages import expected

log = get_log("ostinato.graphql")

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
INTERNAL = "INTERNAL_SERVER_ERROR"

FormattedError = dict[str, Any]


_MASK = "something went wrong on our side; report it with the id in `extensions`"
_VARIABLE = re.compile(
    r"Variable '\$(?P<name>\w+)' has invalid value(?: at (?P<path>\S+))?: (?P<message>.*)",
    re.DOTALL,
)
_STEP = re.compile(r"\.(?P<field>\w+)|\[(?P<index>\d+)\]")


def format_document_errors(errors: Iterable[GraphQLError], code: str) -> list[FormattedError]:
    """Format what is wrong with a document: all of it is the client's to fix."""
    return [_shape(error, error.message, {"code": code}) for error in errors]


def format_variable_errors(errors: Iterable[GraphQLError]) -> list[FormattedError]:
    """Format what is wrong with the operation's name or its variables' values."""
    return [_format_variable_error(error) for error in errors]


def format_execution_errors(errors: Iterable[GraphQLError]) -> list[FormattedError]:
    """Format errors of running resolvers; logs and masks the unexpected ones."""
    return [_format_execution_error(error) for error in errors]


def format_exception(error: Exception) -> FormattedError:
    """Format an error that belongs to no field."""
    error = expected(error)
    if isinstance(error, OstinatoError):
        return {"message": str(error), "extensions": error.extensions}
    return {"message": _MASK, "extensions": _mask(error)}


def _format_variable_error(error: GraphQLError) -> FormattedError:
    cause = _root_cause(error)
    if isinstance(cause, OstinatoError):
        return _shape(error, str(cause), cause.extensions)
    found = _VARIABLE.fullmatch(error.message)
    issues = [_issue_of(found)] if found else []
    return _shape(error, error.message, BadRequest(error.message, issues).extensions)


def _issue_of(found: re.Match[str]) -> Issue:
    steps = _STEP.finditer(found["path"] or "")
    path = (step["field"] or int(step["index"]) for step in steps)
    return Issue(path=(found["name"], *path), message=found["message"], code="invalid_type")


def _format_execution_error(error: GraphQLError) -> FormattedError:
    cause = expected(_root_cause(error))
    if isinstance(cause, OstinatoError):
        return _shape(error, str(cause), cause.extensions)
    if isinstance(cause, GraphQLError) and cause.nodes:
        # graphql-core points at the argument that a variable's value made invalid.
        return _shape(error, cause.message, {"code": BadRequest.code})
    return _shape(error, _MASK, _mask(cause))


def _root_cause(error: GraphQLError) -> Exception:
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _mask(cause: Exception) -> dict[str, object]:
    error_id = uuid.uuid4().hex
    log.error("graphql.failed", exc_info=cause, error_id=error_id)
    return {"code": INTERNAL, "id": error_id}


def _shape(error: GraphQLError, message: str, extensions: dict[str, object]) -> FormattedError:
    formatted: FormattedError = {"message": message}
    if error.locations:
        formatted["locations"] = [
            {"line": place.line, "column": place.column} for place in error.locations
        ]
    if error.path is not None:
        formatted["path"] = error.path
    return formatted | {"extensions": extensions}
