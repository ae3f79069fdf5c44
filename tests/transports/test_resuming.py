"""How `Last-Event-ID` and the argument `after` of a subscription's root field meet."""

from typing import Any

import pytest

from schema.build import graphql_schema
from schema.transports.documents import RequestRejected
from schema.transports.execution import Operation, OperationRequest, OperationRunner
from schema.transports.resuming import resumed
from tests.transports.conftest import make_settings

RUNNER = OperationRunner(graphql_schema, make_settings(), lambda *_: None)
PLAIN = "subscription { cronsChanged { cursor } }"
LITERAL = 'subscription { cronsChanged(after: "a") { cursor } }'
VARIABLE = (
    "subscription S($a: Cursor) { cronsChanged(after: $a) { cursor } } query Q { viewer { id } }"
)


def _operation(query: str, **variables: Any) -> Operation:
    name = "S" if query == VARIABLE else None
    request = OperationRequest(query=query, variables=variables, operation_name=name)
    return RUNNER.prepare(request)


@pytest.mark.parametrize("last_event_id", [None, ""])
async def test_without_a_last_event_id_the_operation_is_as_it_was(
    last_event_id: str | None,
) -> None:
    operation = _operation(LITERAL)
    assert resumed(operation, last_event_id) is operation


@pytest.mark.parametrize(
    "operation",
    [
        _operation(PLAIN),
        _operation(LITERAL),
        _operation(VARIABLE),
        _operation(VARIABLE, a=None),
        _operation(VARIABLE, a="a"),
    ],
)
async def test_last_event_id_stands_for_an_argument_that_is_missing_or_the_same(
    operation: Operation,
) -> None:
    assert resumed(operation, "a").request.after == "a"


@pytest.mark.parametrize("operation", [_operation(LITERAL), _operation(VARIABLE, a="a")])
async def test_last_event_id_that_differs_from_the_argument_is_refused(
    operation: Operation,
) -> None:
    with pytest.raises(RequestRejected) as caught:
        resumed(operation, "b")
    extensions = caught.value.errors[0]["extensions"]
    assert extensions["code"] == "BAD_REQUEST"
    assert extensions["issues"][0]["path"] == ["after"]
