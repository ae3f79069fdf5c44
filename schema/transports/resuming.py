"""Resumes a subscription from `Last-Event-ID`."""

from dataclasses import replace

from ostinato.jobs.errors import BadRequest
from ostinato.schema.errors import format_exception
from ostinato.schema.transports.documents import RequestRejected
from ostinato.schema.transports.execution import Operation
from ostinato.schema.transports.roots import AFTER


def apply_last_event_id(operation: Operation, last_event_id: str | None) -> Operation:
    """Return the operation with the id as the `after` argument of its root field.

    Raises RequestRejected if the argument has another value: only the client knows which is newer.
    """
    if not last_event_id:
        return operation
    if operation.after not in {None, last_event_id}:
        message = "`Last-Event-ID` and the argument `after` differ: send only one of them"
        raise RequestRejected([format_exception(BadRequest.at(AFTER, message=message))])
    return replace(operation, request=replace(operation.request, after=last_event_id))
