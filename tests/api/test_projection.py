"""Projected fields have the values and errors that graphql-core gives."""

from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import pytest
from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    assert_object_type,
    get_named_type,
    is_leaf_type,
    is_object_type,
    is_required_argument,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato.jobs.engine import Engine
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.live.live_query import LiveQuery, Reset, ResumePoint
from ostinato.schema.build import graphql_schema
from ostinato.schema.errors import FormattedError, format_execution_errors
from ostinato.schema.execution.executors import EventExecutor
from ostinato.schema.execution.operation_request import OperationRequest
from ostinato.schema.execution.operation_runner import (
    Operation,
    OperationExecutor,
    OperationRunner,
)
from ostinato.schema.execution.projection import READ, Project
from ostinato.schema.execution.strawberry_internals import core_schema
from tests.api.conftest import Client
from tests.api.documents import ERROR, Documents
from tests.audit.selections import selection_of

ANN: Final = Viewer(id="ann", roles=frozenset())
NOW: Final = datetime(2030, 1, 31, 12, tzinfo=UTC)
LISTS: Final = ("jobs", "crons", "requests", "batches", "failures", "recurringTasks")
CHANGES: Final = ("jobsChanged", "cronsChanged", "requestsChanged", "batchesChanged")
SCHEMA: Final = core_schema(graphql_schema)
QUERY: Final = assert_object_type(SCHEMA.query_type)
SUBSCRIPTION: Final = assert_object_type(SCHEMA.subscription_type)
DOCUMENT: Final = """query($yes: Boolean!, $no: Boolean!) {
    jobs(first: 50) { nodes {
        __typename alias: state state ...Part id @skip(if: $yes) version @include(if: $no)
        error { ...Error kind: __typename }
        cause { kind id job { id } } tags timeline { state } progress { done }
    } pageInfo { hasNextPage } }
}
fragment Part on Job { result args error { name } ... on Job { queue owner } }
fragment Error on JobError { message traceback }"""


class PlainExecutor(EventExecutor):
    """Executes every field with graphql-core."""

    def _projected(
        self, kind: GraphQLObjectType, selected: GroupedFieldSet
    ) -> Mapping[str, Project]:
        return {}

    def _value_projection(
        self, kind: GraphQLOutputType, details: FieldDetailsList
    ) -> Project | None:
        return None


@st.composite
def selections(draw: st.DrawFn, kind: GraphQLObjectType, depth: int = 2) -> str:
    """Draw a selection set: fields without required arguments, some with an alias, in any order."""
    selected = ["__typename"] if draw(st.booleans()) else []
    for name in draw(st.lists(st.sampled_from(sorted(kind.fields)), max_size=6)):
        field = kind.fields[name]
        named = get_named_type(field.type)
        alias = f"a{len(selected)}: " if draw(st.booleans()) else ""
        if any(map(is_required_argument, field.args.values())):
            continue
        if is_leaf_type(named):
            selected.append(f"{alias}{name}")
        elif is_object_type(named) and depth:
            selected.append(f"x{len(selected)}: {name} {draw(selections(named, depth - 1))}")
    return f"{{ {' '.join(selected or ['__typename'])} }}"


@st.composite
def documents_of_lists(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(LISTS))
    connection = assert_object_type(get_named_type(QUERY.fields[name].type))
    node = assert_object_type(get_named_type(connection.fields["nodes"].type))
    return f"{{ {name}(first: 3) {{ nodes {draw(selections(node))} }} }}"


async def insert_documents(documents: Documents) -> None:
    """Insert objects of each kind, with values that graphql-core rejects."""
    failed: dict[str, Any] = {
        "state": "failed",
        "error": ERROR,
        "completedAt": NOW,
        "tags": ["a", "b"],
    }
    await documents.job()
    await documents.job(**failed)
    await documents.job(state="success", result={"a": [1, None]}, progress={"done": 2**53 + 2})
    await documents.job(progress={"done": 1.5})
    await documents.cron()
    await documents.recurring_task()
    await documents.batch()
    await documents.request()
    await documents.failure()


async def prepared(runner: OperationRunner, document: str, **variables: Any) -> Operation:
    return await runner.prepare(OperationRequest(query=document, variables=variables), ANN)


async def check(
    runner: OperationRunner, ann: Client, document: str, **variables: Any
) -> list[FormattedError]:
    """Compare the response with that of Strawberry's own executor; return its errors."""
    response = orjson.loads(await runner.run(await prepared(runner, document, **variables), ANN))
    expected = await ann(document, **variables)
    errors: list[FormattedError] = orjson.loads(
        orjson.dumps(format_execution_errors(expected.errors))
    )
    assert response.get("errors", []) == errors
    assert response["data"] == (orjson.loads(orjson.dumps(expected.data)) or None)
    return errors


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents_of_lists())
async def test_generated_queries_have_the_response_of_graphql_core(
    engine: Engine, runner: OperationRunner, ann: Client, documents: Documents, document: str
) -> None:
    if not await engine.mongo["jobs"].count_documents({}):
        await insert_documents(documents)
    await check(runner, ann, document)


@pytest.mark.parametrize("yes", [True, False])
async def test_fragments_aliases_and_directives_select_the_same_fields(
    runner: OperationRunner, ann: Client, documents: Documents, yes: bool
) -> None:
    await insert_documents(documents)
    errors = await check(runner, ann, DOCUMENT, yes=yes, no=not yes)
    assert {error["path"][-1] for error in errors} == {"progress"}


@pytest.mark.parametrize("name", LISTS)
async def test_pages_with_all_fields_have_the_response_of_graphql_core(
    runner: OperationRunner, ann: Client, documents: Documents, name: str
) -> None:
    await insert_documents(documents)
    selection = selection_of(SCHEMA, QUERY.fields[name], 3)
    await check(runner, ann, f"{{ {name}(first: 2) {selection} }}")


async def opening_messages(executor: OperationExecutor, runner: OperationRunner) -> list[object]:
    source = await runner.open_source(executor)
    assert isinstance(source, LiveQuery)
    async with aclosing(source.opening(None, restart=False)) as items:
        return [item async for item in items if not isinstance(item, ResumePoint | Reset)]


@pytest.mark.parametrize("name", CHANGES)
async def test_messages_have_the_payload_of_graphql_core(
    runner: OperationRunner, documents: Documents, name: str
) -> None:
    await insert_documents(documents)
    selection = selection_of(SCHEMA, SUBSCRIPTION.fields[name], 2)
    operation = await prepared(runner, f"subscription {{ {name}(snapshot: true) {selection} }}")
    projected, plain = runner.executor(operation, ANN), runner.executor(operation, ANN)
    plain.__class__ = PlainExecutor
    messages = await opening_messages(projected, runner)
    assert len(messages) > 1
    for message in messages:
        expected = await runner.execute_event(plain, ANN, message)
        assert await runner.execute_event(projected, ANN, message) == expected


def test_most_fields_of_messages_are_projected() -> None:
    """Without it, the tests above would compare graphql-core with itself."""
    job = assert_object_type(SCHEMA.get_type("Job"))
    projected = {name for name, field in job.fields.items() if READ in field.extensions}
    assert {"id", "state", "args", "error", "progress", "rootId"} <= projected
    assert not {"timeline", "warnings", "children"} & projected
