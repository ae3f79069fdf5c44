"""Error formatting for clients: every error has a code, and unexpected exceptions are masked.

Ostinato's own errors have `extensions`. graphql-core's errors about documents and variables are
client errors. Any other exception is logged with its traceback and masked.
"""

import re
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from graphql import GraphQLError

from ostinato.jobs.engine import to_client_error
from ostinato.jobs.errors import MAX_ISSUES, BadRequest, Issue, OstinatoError
from ostinato.jobs.logs import get_log

log = get_log("ostinato.graphql")

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
INTERNAL = "INTERNAL_SERVER_ERROR"

MAX_MESSAGE_CHARS = 1_000
MAX_STEP_CHARS = 100  # of a key in the path of an issue

FormattedError = dict[str, Any]


_MASK = "internal server error: report it with the id in `extensions`"
_VARIABLE = re.compile(
    r"Variable '\$(?P<name>\w+)' has invalid value(?: at (?P<path>\S+))?: (?P<message>.*)",
    re.DOTALL,
)
_STEP = re.compile(r"\.(?P<field>\w+)|\[(?P<index>\d+)\]")


def format_document_errors(errors: Iterable[GraphQLError], code: str) -> list[FormattedError]:
    """Format the errors of parsing or validating a document."""
    return [_format(error, _shortened(error.message), {"code": code}) for error in errors]


def format_variable_errors(errors: Iterable[GraphQLError]) -> list[FormattedError]:
    """Format the errors of coercing the variables of an operation."""
    return [_format_variable_error(error) for error in errors]


def format_execution_errors(errors: Iterable[GraphQLError]) -> list[FormattedError]:
    """Format the errors of resolvers; logs and masks unexpected ones."""
    return [_format_execution_error(error) for error in errors]


def format_exception(error: Exception) -> FormattedError:
    """Format an error without a field; logs and masks it if it is unexpected."""
    error = to_client_error(error)
    if isinstance(error, OstinatoError):
        return {"message": _shortened(str(error)), "extensions": _extensions_of(error)}
    return {"message": _MASK, "extensions": _mask(error)}


def _format_variable_error(error: GraphQLError) -> FormattedError:
    cause = _root_cause(error)
    if isinstance(cause, OstinatoError):
        return _format(error, _shortened(str(cause)), _extensions_of(cause))
    found = _VARIABLE.fullmatch(error.message)
    issues = [_issue_of(found)] if found else []
    message = _shortened(error.message)
    return _format(error, message, BadRequest(message, issues).extensions)


def _issue_of(found: re.Match[str]) -> Issue:
    steps = _STEP.finditer(found["path"] or "")
    path = (step["field"] or int(step["index"]) for step in steps)
    return Issue(
        path=(found["name"], *path), message=_shortened(found["message"]), code="invalid_type"
    )


def _format_execution_error(error: GraphQLError) -> FormattedError:
    cause = to_client_error(_root_cause(error))
    if isinstance(cause, OstinatoError):
        return _format(error, _shortened(str(cause)), _extensions_of(cause))
    if isinstance(cause, GraphQLError) and cause.nodes:
        # graphql-core raises this for an argument with an invalid variable value.
        return _format(error, _shortened(cause.message), {"code": BadRequest.code})
    return _format(error, _MASK, _mask(cause))


def _extensions_of(error: OstinatoError) -> dict[str, object]:
    """Return the extensions of an error, with at most MAX_ISSUES issues and no large text."""
    if not isinstance(error, BadRequest) or not error.issues:
        return error.extensions
    issues = [_shortened_issue(issue) for issue in error.issues[:MAX_ISSUES]]
    return BadRequest(str(error), issues).extensions


def _shortened_issue(issue: Issue) -> Issue:
    path = (_shortened(s, MAX_STEP_CHARS) if isinstance(s, str) else s for s in issue.path)
    return replace(issue, path=tuple(path), message=_shortened(issue.message))


def _shortened(message: str, limit: int = MAX_MESSAGE_CHARS) -> str:
    """Leave out the middle of a text that repeats a large value."""
    if len(message) <= limit:
        return message
    half = limit // 2
    return f"{message[:half]} … {message[-half:]}"


def _root_cause(error: GraphQLError) -> Exception:
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _mask(cause: Exception) -> dict[str, object]:
    error_id = uuid.uuid4().hex
    log.error("graphql.failed", exc_info=cause, error_id=error_id)
    return {"code": INTERNAL, "id": error_id}


def _format(error: GraphQLError, message: str, extensions: dict[str, object]) -> FormattedError:
    formatted: FormattedError = {"message": message}
    if error.locations:
        formatted["locations"] = [
            {"line": each.line, "column": each.column} for each in error.locations
        ]
    if error.path is not None:
        formatted["path"] = error.path
    return formatted | {"extensions": extensions}
