"""Introspection for tools, and the documents in the README."""

import re
from pathlib import Path
from typing import cast

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLSchema,
    IntrospectionQuery,
    build_client_schema,
    get_introspection_query,
    graphql_sync,
    is_required_input_field,
    parse,
    validate,
)

from ostinato.schema.build import graphql_schema

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
def test_arguments_are_optional_in_introspection(introspected: GraphQLSchema, name: str) -> None:
    kind = introspected.get_type(f"{name}Input")
    assert isinstance(kind, GraphQLInputObjectType)
    assert not is_required_input_field(kind.fields["args"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_in_the_readme_are_valid(introspected: GraphQLSchema, document: str) -> None:
    assert validate(introspected, parse(document)) == []


def test_the_readme_has_documents() -> None:
    assert len(DOCUMENTS) >= 3
