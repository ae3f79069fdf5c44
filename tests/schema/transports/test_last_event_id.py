"""The `Last-Event-ID` header and the `after` argument of a subscription."""

import asyncio
from typing import Any

import pytest

from ostinato.schema.build import graphql_schema
from ostinato.schema.execution.documents import RequestRejected
from ostinato.schema.execution.operation_request import OperationRequest
from ostinato.schema.execution.operation_runner import Operation, OperationRunner
from ostinato.schema.transports.event_stream import apply_last_event_id
from tests.schema.conftest import make_settings

RUNNER = OperationRunner(graphql_schema, make_settings(), lambda *_: None)
PLAIN = "subscription { cronsChanged { cursor } }"
LITERAL = 'subscription { cronsChanged(after: "a") { cursor } }'
VARIABLE = (
    "subscription S($a: Cursor) { cronsChanged(after: $a) { cursor } } query Q { viewer { id } }"
)
NAMED = 'subscription($a: Cursor = "a") { ...Crons } fragment Crons on Subscription { ...Deeper }'
NAMED += " fragment Deeper on Subscription { cronsChanged(after: $a) { cursor } }"
INLINE = "subscription($a: Cursor) { ... { ... on Subscription { cronsChanged(after: $a) { cursor }"
INLINE += " } cronsChanged(after: $a) { kind } } }"


async def _prepared(query: str, **variables: Any) -> Operation:
    name = "S" if query == VARIABLE else None
    request = OperationRequest(query=query, variables=variables, operation_name=name)
    return await RUNNER.prepare(request)


def _operation(query: str, **variables: Any) -> Operation:
    return asyncio.run(_prepared(query, **variables))


@pytest.mark.parametrize("last_event_id", [None, ""])
async def test_missing_last_event_id_does_not_change_the_operation(
    last_event_id: str | None,
) -> None:
    operation = await _prepared(LITERAL)
    assert apply_last_event_id(operation, last_event_id) is operation


@pytest.mark.parametrize(
    "operation",
    [
        _operation(PLAIN),
        _operation(LITERAL),
        _operation(VARIABLE),
        _operation(VARIABLE, a=None),
        _operation(VARIABLE, a="a"),
        _operation(NAMED),
        _operation(NAMED, a=None),
        _operation(NAMED, a="a"),
        _operation(INLINE),
        _operation(INLINE, a="a"),
    ],
)
async def test_last_event_id_replaces_a_missing_or_equal_argument(
    operation: Operation,
) -> None:
    assert apply_last_event_id(operation, "a").request.last_event_id == "a"


@pytest.mark.parametrize(
    "operation",
    [
        _operation(LITERAL),
        _operation(VARIABLE, a="a"),
        _operation(NAMED),
        _operation(NAMED, a="c"),
        _operation(INLINE, a="a"),
    ],
)
async def test_last_event_id_that_differs_from_the_argument_is_rejected(
    operation: Operation,
) -> None:
    with pytest.raises(RequestRejected) as caught:
        apply_last_event_id(operation, "b")
    extensions = caught.value.errors[0]["extensions"]
    assert extensions["code"] == "BAD_REQUEST"
    assert extensions["issues"][0]["path"] == ["after"]


@pytest.mark.parametrize("directive", ["@include(if: $x)", "@skip(if: $x)"])
@pytest.mark.parametrize("root", ["...F {}", "... {} {{ ...F }}", "...F ... {} {{ ...F }}"])
async def test_conditional_root_field_is_rejected(root: str, directive: str) -> None:
    selected = root.format(directive)
    query = f"subscription($x: Boolean!) {{ {selected} }}"
    query += " fragment F on Subscription { cronsChanged { kind } }"
    with pytest.raises(RequestRejected, match="must not use `@skip` or `@include`"):
        await _prepared(query, x=True)
