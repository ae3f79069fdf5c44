"""What tools learn of the API by introspection, and the documents that the README prints."""

import re
from pathlib import Path
from typing import cast

import pytest
from graphql import (
    GraphQLSchema,
    IntrospectionQuery,
    build_client_schema,
    get_introspection_query,
    graphql_sync,
    parse,
    validate,
)

from schema.build import graphql_schema

README = (Path(__file__).parents[2] / "README.md").read_text()
DOCUMENTS = re.findall(r"^```graphql\n(.*?)^```", README, re.M | re.S)


@pytest.fixture(scope="module")
def introspected() -> GraphQLSchema:
    """Return the schema as a client rebuilds it."""
    answer = graphql_sync(graphql_schema._schema, get_introspection_query())
    assert answer.errors is None
    assert answer.data is not None
    return build_client_schema(cast("IntrospectionQuery", answer.data))


@pytest.mark.parametrize("name", ["RegisterCron", "ScheduleJob", "StartRecurringTask"])
def test_arguments_that_may_be_left_out_are_told_to_be_empty(name: str) -> None:
    asked = f'{{ __type(name: "{name}Input") {{ inputFields {{ name defaultValue }} }} }}'
    answer = graphql_sync(graphql_schema._schema, asked)
    assert answer.data is not None
    fields = {field["name"]: field for field in answer.data["__type"]["inputFields"]}
    assert fields["args"]["defaultValue"].replace(" ", "") == "{}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_the_readme_prints_is_valid(introspected: GraphQLSchema, document: str) -> None:
    assert validate(introspected, parse(document)) == []


def test_the_readme_prints_documents() -> None:
    assert len(DOCUMENTS) >= 3
