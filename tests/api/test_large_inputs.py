"""Large values in every argument of the API: the answer is short."""

import time
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

pytestmark = pytest.mark.audit("large inputs")

LARGE = "x" * 200_000
MAX_ANSWER_BYTES = 4_096
MAX_REJECTED_S = 0.01
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


@pytest.mark.parametrize(
    "args",
    [
        {"k" * 60_000: 1},
        {"name": "x", "k" * 60_000: 1},
        {f"k{number}": 1 for number in range(5_000)},
    ],
)
async def test_answer_to_large_names_of_arguments_is_short(
    runner: OperationRunner, args: dict[str, int]
) -> None:
    document = """mutation($args: JSON) {
        scheduleJob(input: {functionName: "functions.greet", args: $args}) { job { id } }
    }"""
    answer = await _answer(runner, OperationRequest(query=document, variables={"args": args}))
    (error,) = orjson.loads(answer)["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert error["extensions"]["issues"][0]["path"][:2] == ["input", "args"]
    assert len(answer) < 4 * MAX_ANSWER_BYTES


LONG_LISTS = {
    "of an input": (
        "query($value: JobFilter) { jobs(filter: $value) { nodes { id } } }",
        {"states": ["X"] * 60_000},
        "Variable '$value' has invalid value at .states: a list has at most 1000 items, got 60000",
        ["value", "states"],
    ),
    "of a variable": (
        "mutation($value: [JSON!]!) { addItems(input: {items: $value}) { added } }",
        [1] * 60_000,
        "Variable '$value' has invalid value: a list has at most 1000 items, got 60000",
        ["value"],
    ),
}


@pytest.mark.parametrize("name", LONG_LISTS)
async def test_long_list_is_one_error_with_its_path(runner: OperationRunner, name: str) -> None:
    document, value, message, path = LONG_LISTS[name]
    request = OperationRequest(query=document, variables={"value": value})
    times = []
    for _ in range(5):  # the first one validates the document; a busy machine slows some down
        started = time.thread_time()
        answer = await _answer(runner, request)
        times.append(time.thread_time() - started)
    assert min(times) < MAX_REJECTED_S
    (error,) = orjson.loads(answer)["errors"]
    assert error["message"] == message
    assert error["extensions"]["issues"][0]["path"] == path


async def _answer(runner: OperationRunner, request: OperationRequest) -> bytes:
    try:
        return await runner.run(await runner.prepare(request), Viewer(id="ann"))
    except RequestRejected as rejected:
        return orjson.dumps({"errors": rejected.errors})
