"""Limits of documents, and that hostile documents are rejected quickly."""

import math
import time
from dataclasses import replace

import pytest
from graphql import get_introspection_query, parse

from ostinato.schema.execution.document_limits import (
    MAX_SNAPSHOT_FACTOR,
    DocumentLimits,
    LimitExceeded,
    check_cost,
    check_limits,
)
from ostinato.schema.execution.documents import MAX_CACHE_CHARS, DocumentCache, RequestRejected
from ostinato.schema.execution.operation_request import OperationRequest
from ostinato.schema.execution.operation_runner import OperationRunner
from tests.schema.conftest import make_settings
from tests.schema.example import example_schema

EVERY_FIELD = """{ jobs(first: 100) { nodes {
    id version functionName state scheduledTime createdAt startedAt completedAt cancelRequestedAt
    purgeAt queue priority timeoutMs attempt maxAttempts internal owner args result
    timeline { seq at state attempt workerId } progress { done total message }
    error { name message traceback } cause { __typename }
} } }"""
"""The largest page of jobs with all that a client shows: allowed by default."""

USED_ONCE = "mutation($a: JSON!) { a: createWithTimeout(input: {data: $a}) }"
USED_TWICE = USED_ONCE[:-1] + "b: createWithTimeout(input: {data: [{x: $a}]}) }"
CHAIN = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(100))
NESTED_LISTS = {
    "lists nested three levels deep": "{"
    + "rows(first: 100) { nodes { " * 3
    + "name"
    + " } }" * 3
    + "}",
    "lists nested through fragments": "{ ...F0 } "
    + "".join(f"fragment F{n} on Query {{ rows {{ nodes {{ ...F{n + 1} }} }} }} " for n in range(5))
    + "fragment F5 on Query { name }",
    "nested lists of many fields": "{ rows(first: 100) { nodes { rows(first: 100) { nodes { "
    + " ".join(f"a{n}: name" for n in range(50))
    + " } } } } }",
}
ALIASED_INTROSPECTION = {
    "aliased introspection": "{ a: __schema { types { name } } b: __schema { types { name } } }",
    "aliased leaf fields in introspection": "{ __schema { types { fields { a: name b: name } } } }",
    "aliases in introspection": "{ __schema { a: types { name } b: types { name } } }",
    "aliases in an introspection fragment": "{ __schema { ...F } } "
    "fragment F on __Schema { types { ... { a: fields { name } b: fields { name } } } }",
}
HOSTILE = {
    "too many tokens": "{ hello" + " hello" * 5_000 + "}",
    "many one-letter fields": "{" + "a " * 130_000 + "}",
    "deeply nested selections": "{ item " * 200 + "}" * 200,
    "selections nested deeper than the parser's recursion limit": "{a" * 2_000 + "}" * 2_000,
    "deeply nested list values": "{ echo(value: " + "[" * 2_000 + "]" * 2_000 + ") }",
    "deeply nested list types": "query($a: " + "[" * 2_000 + "Int" + "]" * 2_000 + ") { hello }",
    "many aliases": "{" + "".join(f"a{n}: hello " for n in range(60)) + "}",
    "many fields": "{" + "item { name } " * 600 + "}",
    "many directives": "{ hello " + "@include(if: true) " * 60 + "}",
    "repeated fields": "{" + 'hello(name: "x") ' * 500 + "}",
    "repeated nested fields": "{" + "item { " + "name " * 60 + "} " + "item { name } " * 100 + "}",
    "fragments that each spread the next one twice": "{ ...F0 } "
    + CHAIN
    + "fragment F100 on Query { hello }",
    "the same with an undefined last fragment": "{ ...F0 } " + CHAIN,
    "long chain of fragments": "{ ...F0 } "
    + "".join(f"fragment F{n} on Query {{ ...F{n + 1} hello }} " for n in range(500))
    + "fragment F500 on Query { hello }",
    "fragment cycle": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "deeply nested inline fragments": "{" + "... {" * 300 + "hello" + "}" * 300 + "}",
    "900 unknown fields": "{" + " ".join(f"helo{n}" for n in range(900)) + "}",
    "many definitions": "{ hello } "
    + "".join(f"fragment F{n} on Query {{ hello }} " for n in range(150)),
    **NESTED_LISTS,
    **ALIASED_INTROSPECTION,
}


def _limits() -> DocumentLimits:
    return DocumentLimits.of(make_settings())


@pytest.fixture
def documents() -> DocumentCache:
    settings = make_settings()
    return DocumentCache(example_schema, DocumentLimits.of(settings), introspection=True)


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_document_is_rejected_quickly_with_a_code(
    documents: DocumentCache, source: str
) -> None:
    started = time.process_time()
    with pytest.raises(RequestRejected) as caught:
        await documents.prepare(source)
    assert time.process_time() - started < 1
    codes = {error["extensions"]["code"] for error in caught.value.errors}
    assert codes <= {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}


@pytest.mark.parametrize("name", NESTED_LISTS)
async def test_nested_lists_over_the_limit_are_rejected(
    documents: DocumentCache, name: str
) -> None:
    with pytest.raises(RequestRejected, match=r"may cost \d+ points, and the limit is 8000"):
        await documents.prepare(NESTED_LISTS[name])


@pytest.mark.parametrize("name", ALIASED_INTROSPECTION)
async def test_aliases_in_introspection_are_rejected(documents: DocumentCache, name: str) -> None:
    with pytest.raises(RequestRejected, match="introspection fields cannot have aliases"):
        await documents.prepare(ALIASED_INTROSPECTION[name])


async def test_introspection_query_of_tools_is_accepted(documents: DocumentCache) -> None:
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert (await documents.prepare(query)).operations


@pytest.mark.parametrize(
    ("variables", "default", "is_accepted"),
    [
        ({"n": 20}, "", True),
        ({"n": 100}, "", False),
        ({"n": -100}, "", False),
        ({"n": 10**30}, "", False),
        ({"n": None}, "", True),
        ({}, "", True),
        ({}, " = 100", False),
        ({"n": 20}, " = 100", True),
        ({"n": 100.0}, "", False),
        ({"n": "any"}, "", False),
    ],
)
def test_cost_of_lists_depends_on_the_variables(
    variables: dict[str, object], default: str, is_accepted: bool
) -> None:
    inner = "children(first: $n) { edges { node { id state attempt queue functionName } } }"
    rows = f"jobs(first: $n) {{ nodes {{ {inner} }} }}"
    document, limits = parse(f"query($n: Int{default}) {{ {rows} }}"), _limits()
    assert check_limits(document, limits) is None
    if is_accepted:
        check_cost(document, None, variables, limits)
    else:
        with pytest.raises(LimitExceeded, match="points, and the limit is 8000"):
            check_cost(document, None, variables, limits)


@pytest.mark.parametrize(
    ("source", "variables", "cost"),
    [
        ("{ job(id: 1) { id state } }", {}, 3),
        (EVERY_FIELD, {}, 7_002),
        ("{ jobs { nodes { id } } }", {}, 62),
        ("{ jobs(last: 7) { edges { node { id } } pageInfo { hasNextPage } } }", {}, 32),
        ("{ job(id: 1) { args result } }", {}, 16),
        ("{ job(id: 1) { timeline { seq at } } }", {}, 12),
        ("{ crons(first: 3) { nodes { nextRuns } } }", {}, 26),
        ("{ crons(first: 3) { nodes { nextRuns(count: 100) } } }", {}, 311),
        ("{ previewCron(input: {count: 7}) }", {}, 507),
        ("{ previewTicks(input: {count: 7}) { dueAt note } }", {}, 516),
        ("{ calendars { name dates } }", {}, 502),
        ("{ viewer { quotas { kind used limit } } }", {}, 531),
        ("query($i: I!) { previewCron(input: $i) }", {"i": {"count": 9}}, 509),
        ("query($i: I!) { previewCron(input: $i) }", {"i": {}}, 505),
        ("query($n: Int) { previewCron(input: {count: $n}) }", {"n": 1_000}, 1_500),
        ("{ jobs(first: 100) { __typename } }", {}, 202),
        ("{ queues { name workers } }", {}, 300),
        ("{ workers { id } }", {}, 110),
        (USED_ONCE, {"a": "x" * 102_398}, 2_551),
        (USED_TWICE, {"a": "x" * 102_398}, 5_102),
        (USED_TWICE, {"a": 2**70}, 102),
        ("mutation { a: cancelJob { id } b: cancelJob { id } }", {}, 104),
        ("{ ...F ...F } fragment F on Query { job(id: 1) { id } }", {}, 4),
    ],
)
def test_cost_of_each_kind_of_field(source: str, variables: dict[str, object], cost: int) -> None:
    limits = _limits()
    assert cost <= limits.cost
    check_cost(parse(source), None, variables, replace(limits, cost=cost))
    with pytest.raises(LimitExceeded, match=f"may cost {cost} points"):
        check_cost(parse(source), None, variables, replace(limits, cost=cost - 1))


SNAPSHOT = "jobsChanged(snapshot: {}) {{ job {{ id }} }}"


@pytest.mark.parametrize(
    ("source", "variables", "cost"),
    [
        (f"subscription {{ {SNAPSHOT.format('true')} }}", {}, 5_000),
        (f"subscription {{ {SNAPSHOT.format('true, first: 7')} }}", {}, 35),
        (f"subscription {{ {SNAPSHOT.format('true, first: 2000')} }}", {}, 5_000),
        (f"subscription {{ ...F }} fragment F on S {{ {SNAPSHOT.format('true')} }}", {}, 5_000),
        (f"subscription($s: Boolean) {{ {SNAPSHOT.format('$s')} }}", {"s": True}, 5_000),
        (f"subscription($s: Boolean = true) {{ {SNAPSHOT.format('$s')} }}", {}, 5_000),
        (f"subscription($n: Int) {{ {SNAPSHOT.format('true, first: $n')} }}", {"n": 8}, 40),
    ],
)
def test_snapshot_costs_its_rows(source: str, variables: dict[str, object], cost: int) -> None:
    limits = _limits()
    allowed = math.ceil(cost / MAX_SNAPSHOT_FACTOR)
    check_cost(parse(source), None, variables, replace(limits, cost=allowed))
    with pytest.raises(LimitExceeded, match=f"the snapshot may cost {cost} points"):
        check_cost(parse(source), None, variables, replace(limits, cost=max(allowed - 1, 3)))


@pytest.mark.parametrize("given", ["false", "null", "$s", "false, first: 2000"])
def test_subscription_without_a_snapshot_costs_one_event(given: str) -> None:
    source = f"subscription($s: Boolean) {{ {SNAPSHOT.format(given)} }}"
    assert check_cost(parse(source), None, {}, replace(_limits(), cost=3)) == 3


async def test_variable_that_is_used_twice_is_charged_for_each_request(
    documents: DocumentCache,
) -> None:
    prepared = await documents.prepare(
        "query($v: String) { a: hello(name: $v) b: hello(name: $v) }"
    )
    assert documents.cost_of(prepared, None, {"v": "x" * 1_022}) == 52
    with pytest.raises(RequestRejected, match="points, and the limit is"):
        documents.cost_of(prepared, None, {"v": "x" * 200_000})


async def test_document_larger_than_the_cache_is_prepared_without_caching(
    documents: DocumentCache,
) -> None:
    source = "{ hello }" + " " * MAX_CACHE_CHARS
    assert await documents.prepare(source) is not await documents.prepare(source)


async def test_introspection_can_be_disabled() -> None:
    limits = DocumentLimits.of(make_settings())
    documents = DocumentCache(example_schema, limits, introspection=False)
    with pytest.raises(RequestRejected, match="introspection"):
        await documents.prepare("{ __schema { queryType { name } } }")


@pytest.mark.parametrize("introspection", [True, False])
async def test_names_are_suggested_only_if_introspection_is_enabled(introspection: bool) -> None:
    limits = DocumentLimits.of(make_settings())
    documents = DocumentCache(example_schema, limits, introspection=introspection)
    with pytest.raises(RequestRejected) as caught:
        await documents.prepare("{ helo }")
    assert ("Did you mean 'hello'?" in str(caught.value)) is introspection


async def test_names_of_input_fields_are_not_suggested_without_introspection() -> None:
    settings = make_settings(introspection=False)
    runner = OperationRunner(example_schema, settings, lambda _viewer: None)
    query = "mutation($input: ItemInput!) { add(input: $input) }"
    request = OperationRequest(query=query, variables={"input": {"name": "x", "sises": []}})
    with pytest.raises(RequestRejected) as caught:
        await runner.run(await runner.prepare(request), None)
    assert "sises" in str(caught.value)
    assert "Did you mean" not in str(caught.value)


async def test_fields_of_a_shared_fragment_are_counted_for_each_operation(
    documents: DocumentCache,
) -> None:
    names = " ".join(f"f{n}" for n in range(200))
    operations = " ".join(f"query Q{n} {{ ...F }}" for n in range(40))
    with pytest.raises(RequestRejected, match="too many operations and fragments"):
        await documents.prepare(f"fragment F on Query {{ {names} }} {operations}")


async def test_repeated_document_is_prepared_once(documents: DocumentCache) -> None:
    assert await documents.prepare("{ hello }") is await documents.prepare("{ hello }")


async def test_least_recently_used_documents_are_dropped_first(documents: DocumentCache) -> None:
    kept, dropped = (
        await documents.prepare("{ kept: hello }"),
        await documents.prepare("{ dropped: hello }"),
    )
    for number in range(11):
        await documents.prepare("{ kept: hello }")
        await documents.prepare(f"{{ hello }} # {number}" + "#" * 100_000)
    assert await documents.prepare("{ kept: hello }") is kept
    assert await documents.prepare("{ dropped: hello }") is not dropped
