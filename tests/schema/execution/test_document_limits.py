"""Limits of documents, and that hostile documents are rejected quickly."""

import math
import time

import pytest
from graphql import get_introspection_query, parse

from ostinato.schema.execution.document_limits import DocumentLimits, check_limits
from ostinato.schema.execution.documents import MAX_CACHE_CHARS, DocumentCache, RequestRejected
from ostinato.schema.execution.encoding import MAX_DEPTH, InvalidJson, decode_json
from ostinato.schema.execution.operation_request import OperationRequest
from ostinato.schema.execution.operation_runner import OperationRunner
from tests.schema.conftest import make_settings
from tests.schema.example import example_schema

CHAIN = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(100))
HOSTILE = {
    "too many tokens": "{ hello" + " hello" * 5_000 + "}",
    "a body of one letter fields": "{" + "a " * 130_000 + "}",
    "deep selections": "{ item " * 200 + "}" * 200,
    "selections that the parser cannot follow": "{a" * 2_000 + "}" * 2_000,
    "deep lists": "{ echo(value: " + "[" * 2_000 + "]" * 2_000 + ") }",
    "deep types": "query($a: " + "[" * 2_000 + "Int" + "]" * 2_000 + ") { hello }",
    "many aliases": "{" + "".join(f"a{n}: hello " for n in range(60)) + "}",
    "many fields": "{" + "item { name } " * 600 + "}",
    "many directives": "{ hello " + "@include(if: true) " * 60 + "}",
    "repeated fields": "{" + 'hello(name: "x") ' * 500 + "}",
    "repeated nested fields": "{" + "item { " + "name " * 60 + "} " + "item { name } " * 100 + "}",
    "fragments that double": "{ ...F0 } " + CHAIN + "fragment F100 on Query { hello }",
    "fragments that double to nothing": "{ ...F0 } " + CHAIN,
    "fragments in a chain": "{ ...F0 } "
    + "".join(f"fragment F{n} on Query {{ ...F{n + 1} hello }} " for n in range(500))
    + "fragment F500 on Query { hello }",
    "fragments in a circle": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "deep inline fragments": "{" + "... {" * 300 + "hello" + "}" * 300 + "}",
    "thousand errors": "{" + " ".join(f"helo{n}" for n in range(900)) + "}",
    "lists in lists in lists": "{" + "rows(first: 100) { nodes { " * 3 + "name" + " } }" * 3 + "}",
    "lists of as many as a variable says": "query($n: Int) { "
    + "rows(last: $n) { edges { node { " * 3
    + "name"
    + " } } }" * 3
    + "}",
    "lists in lists by fragments": "{ ...F0 } "
    + "".join(f"fragment F{n} on Query {{ rows {{ nodes {{ ...F{n + 1} }} }} }} " for n in range(5))
    + "fragment F5 on Query { name }",
    "aliased introspection": "{ a: __schema { types { name } } b: __schema { types { name } } }",
    "a list of very many fields": "{ rows(first: 100) { nodes { rows(first: 100) { nodes { "
    + " ".join(f"a{n}: name" for n in range(50))
    + " } } } } }",
    "aliased leaves of introspection": "{ __schema { types { fields { a: name b: name } } } }",
    "aliases in introspection": "{ __schema { a: types { name } b: types { name } } }",
    "aliases in a fragment of introspection": "{ __schema { ...F } } "
    "fragment F on __Schema { types { ... { a: fields { name } b: fields { name } } } }",
}


@pytest.fixture
def documents() -> DocumentCache:
    settings = make_settings()
    return DocumentCache(example_schema, DocumentLimits.of(settings), introspection=True)


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_document_is_rejected_quickly_with_a_code(
    documents: DocumentCache, source: str
) -> None:
    started = time.process_time()
    with pytest.raises(RequestRejected) as caught:
        documents.prepare(source)
    assert time.process_time() - started < 1
    codes = {error["extensions"]["code"] for error in caught.value.errors}
    assert codes <= {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}


NESTED = [name for name in HOSTILE if "list" in name and "deep" not in name]


@pytest.mark.parametrize("name", NESTED)
def test_nested_lists_over_the_limit_are_rejected(documents: DocumentCache, name: str) -> None:
    with pytest.raises(RequestRejected, match="more than 100000 fields on list items"):
        documents.prepare(HOSTILE[name])


@pytest.mark.parametrize("name", [name for name in HOSTILE if "introspection" in name])
def test_aliases_in_introspection_are_rejected(documents: DocumentCache, name: str) -> None:
    with pytest.raises(RequestRejected, match="introspection fields cannot have aliases"):
        documents.prepare(HOSTILE[name])


def test_introspection_query_of_tools_is_accepted(documents: DocumentCache) -> None:
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert documents.prepare(query).operations


def test_a_list_of_lists_is_accepted() -> None:
    fields = "id state attempt functionName createdAt"
    source = f"""query($n: Int) {{
        jobs(first: $n) {{ nodes {{ children(first: $n) {{ nodes {{ {fields} }} }} }} }}
    }}"""
    check_limits(parse(source), DocumentLimits.of(make_settings()))


def test_document_larger_than_the_cache_is_prepared_without_caching(
    documents: DocumentCache,
) -> None:
    source = "{ hello }" + " " * MAX_CACHE_CHARS
    assert documents.prepare(source) is not documents.prepare(source)


def test_introspection_can_be_disabled() -> None:
    limits = DocumentLimits.of(make_settings())
    documents = DocumentCache(example_schema, limits, introspection=False)
    with pytest.raises(RequestRejected, match="introspection"):
        documents.prepare("{ __schema { queryType { name } } }")


@pytest.mark.parametrize("introspection", [True, False])
def test_names_are_suggested_only_if_introspection_is_enabled(introspection: bool) -> None:
    limits = DocumentLimits.of(make_settings())
    documents = DocumentCache(example_schema, limits, introspection=introspection)
    with pytest.raises(RequestRejected) as caught:
        documents.prepare("{ helo }")
    assert ("Did you mean 'hello'?" in str(caught.value)) is introspection


async def test_names_of_input_fields_are_not_suggested_without_introspection() -> None:
    settings = make_settings(introspection=False)
    runner = OperationRunner(example_schema, settings, lambda _viewer: None)
    query = "mutation($input: ItemInput!) { add(input: $input) }"
    given = OperationRequest(query=query, variables={"input": {"name": "x", "sises": []}})
    with pytest.raises(RequestRejected) as caught:
        await runner.run(runner.prepare(given), None)
    assert "sises" in str(caught.value)
    assert "Did you mean" not in str(caught.value)


def test_fields_of_a_shared_fragment_are_counted_for_each_operation(
    documents: DocumentCache,
) -> None:
    names = " ".join(f"f{n}" for n in range(200))
    operations = " ".join(f"query Q{n} {{ ...F }}" for n in range(40))
    with pytest.raises(RequestRejected, match="too many operations and fragments"):
        documents.prepare(f"fragment F on Query {{ {names} }} {operations}")


def test_repeated_document_is_prepared_once(documents: DocumentCache) -> None:
    assert documents.prepare("{ hello }") is documents.prepare("{ hello }")


def test_least_recently_used_documents_are_dropped_first(documents: DocumentCache) -> None:
    kept, dropped = documents.prepare("{ kept: hello }"), documents.prepare("{ dropped: hello }")
    for number in range(11):
        documents.prepare("{ kept: hello }")
        documents.prepare(f"{{ hello }} # {number}" + "#" * 100_000)
    assert documents.prepare("{ kept: hello }") is kept
    assert documents.prepare("{ dropped: hello }") is not dropped


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_nested_deeper_than_the_limit_is_rejected(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    decode_json(opening * (MAX_DEPTH - 1) + "[]" + closing * (MAX_DEPTH - 1))
    with pytest.raises(ValueError, match="nested deeper"):
        decode_json(opening * MAX_DEPTH + "[]" + closing * MAX_DEPTH)


def test_many_shallow_values_are_within_the_depth_limit() -> None:
    assert len(decode_json("[" + ",".join(["[]"] * 1_000) + "]")) == 1_000


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 310, "9" * 5_000])
def test_a_number_too_large_for_a_double_is_left_to_validation(number: str) -> None:
    value = decode_json(f'{{"a":[{number}]}}')["a"][0]
    assert value == int(number) if len(number) == 310 else math.isinf(value)


@pytest.mark.parametrize("body", [b'[1e400,"\xff"]', r'[1e400,"\ud800"]', "[1e400,NaN]"])
def test_a_number_too_large_for_a_double_does_not_hide_other_errors(body: bytes | str) -> None:
    with pytest.raises(InvalidJson, match=r"not UTF-8: byte 0xff at offset 8|unpaired|not JSON"):
        decode_json(body)
