"""Large values in every argument of the API: the answer is short."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    get_named_type,
    is_input_object_type,
    is_leaf_type,
)

from ostinato.resolvers.auth import Viewer
from ostinato.schema.build import graphql_schema
from ostinato.schema.execution.documents import RequestRejected
from ostinato.schema.execution.operation_request import OperationRequest
from ostinato.schema.execution.operation_runner import OperationRunner

LARGE = "x" * 200_000
MAX_ANSWER_BYTES = 4_096
SCHEMA = graphql_schema._schema
ROOTS = (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type))


def _values(name: str, argument: GraphQLArgument | GraphQLInputField) -> Iterator[tuple[str, Any]]:
    """Yield each place of a text in an argument, with the argument's value."""
    kind = get_named_type(argument.type)
    if is_input_object_type(kind):
        assert isinstance(kind, GraphQLInputObjectType)
        for field, inner in kind.fields.items():
            for place, value in _values(field, inner):
                yield f"{name}.{place}", {field: value}
    elif is_leaf_type(kind) and kind.name in {"String", "ID", "Cursor", "DateTime", "JSON"}:
        yield name, LARGE


def _cases() -> Iterator[tuple[str, str, Any]]:
    """Yield a name, a document and the value of its only variable, for each place of a text."""
    for operation, root in ROOTS:
        for field_name, field in root.fields.items() if root else ():
            is_leaf = is_leaf_type(get_named_type(field.type))
            selection = "" if is_leaf else "{ __typename }"
            for place, value in _places(field):
                name = place.partition(".")[0]
                selected = f"{field_name}({name}: $value) {selection}"
                document = f"{operation}($value: {field.args[name].type}) {{ {selected} }}"
                yield f"{field_name}.{place}", document, value


def _places(field: GraphQLField) -> Iterator[tuple[str, Any]]:
    for name, argument in field.args.items():
        yield from _values(name, argument)


CASES = list(_cases())


@pytest.mark.parametrize(
    ("document", "value"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_answer_to_a_large_value_is_short(
    runner: OperationRunner, document: str, value: Any
) -> None:
    request = OperationRequest(query=document, variables={"value": value})
    answer = await _answer(runner, request)
    assert b"errors" in answer
    assert len(answer) < MAX_ANSWER_BYTES


@pytest.mark.parametrize(
    "document", [f"{{ {LARGE} }}", f"query {LARGE}", f"{{ job(id: {LARGE}) }}"]
)
async def test_answer_to_a_large_name_is_short(runner: OperationRunner, document: str) -> None:
    answer = await _answer(runner, OperationRequest(query=document))
    assert b"errors" in answer
    assert len(answer) < MAX_ANSWER_BYTES


async def _answer(runner: OperationRunner, request: OperationRequest) -> bytes:
    try:
        return await runner.run(await runner.prepare(request), Viewer(id="ann"))
    except RequestRejected as rejected:
        return orjson.dumps({"errors": rejected.errors})
