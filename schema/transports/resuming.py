"""Lets a subscription begin where a stream of events broke off, by its `Last-Event-ID`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from graphql import OperationDefinitionNode, StringValueNode, VariableNode

from jobs.errors import BadRequest
from schema.errors import format_exception
from schema.transports.documents import RequestRejected
from schema.transports.execution import Operation
from schema.transports.roots import AFTER, fields_in, fragments_of, operation_of


def resumed(operation: Operation, last_event_id: str | None) -> Operation:
    """Return the operation as if `after` were given to its root field.

    Raises RequestRejected if it is given there, and differs: only the client knows which is newer.
    """
    if not last_event_id:
        return operation
    if _after_of(operation) not in {None, last_event_id}:
        message = "`Last-Event-ID` and the argument `after` differ: send one of them"
        raise RequestRejected([format_exception(BadRequest.at(AFTER, message=message))])
    return replace(operation, request=replace(operation.request, after=last_event_id))


def _after_of(operation: Operation) -> object:
    document = operation.prepared.document
    asked = operation_of(document, operation.request.operation_name)
    given = next(
        (
            argument.value
            for field in fields_in(asked.selection_set, fragments_of(document))
            for argument in field.arguments or ()
            if argument.name.value == AFTER
        ),
        None,
    )
    if isinstance(given, VariableNode):
        return _value_of(given.name.value, asked, operation.request.variables or {})
    return given.value if isinstance(given, StringValueNode) else None


def _value_of(name: str, asked: OperationDefinitionNode, variables: Mapping[str, Any]) -> object:
    """Return what a variable is given, or its default."""
    if name in variables:
        return variables[name]
    defaults = {
        each.variable.name.value: each.default_value for each in asked.variable_definitions or ()
    }
    default = defaults.get(name)
    return default.value if isinstance(default, StringValueNode) else None
