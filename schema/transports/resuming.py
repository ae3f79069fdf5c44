"""Lets a subscription begin where a stream of events broke off, by its `Last-Event-ID`."""

from dataclasses import replace

from graphql import FieldNode, OperationDefinitionNode, StringValueNode, VariableNode

from jobs.errors import BadRequest
from schema.errors import format_exception
from schema.transports.documents import RequestRejected
from schema.transports.execution import Operation

ARGUMENT = "after"


def resumed(operation: Operation, last_event_id: str | None) -> Operation:
    """Return the operation as if `after` were given to its root field.

    Raises RequestRejected if it is given there, and differs: only the client knows which is newer.
    """
    if not last_event_id:
        return operation
    if _after_of(operation) not in {None, last_event_id}:
        message = "`Last-Event-ID` and the argument `after` differ: send one of them"
        raise RequestRejected([format_exception(BadRequest.at(ARGUMENT, message=message))])
    return replace(operation, request=replace(operation.request, after=last_event_id))


def _after_of(operation: Operation) -> object:
    given = [
        argument.value
        for field in _root_fields(operation)
        for argument in field.arguments or ()
        if argument.name.value == ARGUMENT
    ]
    match given:
        case [VariableNode(name=name)]:
            return (operation.request.variables or {}).get(name.value)
        case [StringValueNode(value=value)]:
            return value
    return None


def _root_fields(operation: Operation) -> list[FieldNode]:
    name = operation.request.operation_name
    return [
        selection
        for node in operation.prepared.document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (name is None or (node.name is not None and node.name.value == name))
        for selection in node.selection_set.selections
        if isinstance(selection, FieldNode)
    ]
