"""The public schema: the committed SDL is current, and every element has a description."""

from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
)

from ostinato.schema.build import print_sdl
from ostinato.schema.execution.operation_cost import PAGES

COMMITTED = Path(__file__).parents[2] / "schema" / "schema.graphql"
SCHEMA = build_schema(print_sdl())
TYPES = [
    type_
    for type_ in SCHEMA.type_map.values()
    if not is_introspection_type(type_) and not is_specified_scalar_type(type_)
]
ROOTS = ("Query", "Mutation", "Subscription")


def _described(named: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    """Yield every element of a type that can have a description, with its description."""
    yield named.name, named.description
    if isinstance(named, GraphQLEnumType):
        for name, value in named.values.items():
            yield f"{named.name}.{name}", value.description
    if isinstance(named, GraphQLInputObjectType):
        for name, input_field in named.fields.items():
            yield f"{named.name}.{name}", input_field.description
    if isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in named.fields.items():
            yield f"{named.name}.{name}", field.description
            for argument_name, argument in field.args.items():
                yield f"{named.name}.{name}({argument_name})", argument.description


def test_the_committed_sdl_equals_that_of_the_code() -> None:
    assert COMMITTED.read_text() == print_sdl(), "run `make schema`"


def test_every_type_field_argument_and_value_is_described() -> None:
    missing = [place for type_ in TYPES for place, text in _described(type_) if not text]
    assert missing == []


def test_no_default_is_an_object() -> None:
    # graphql-js cannot print a default object of a custom scalar, which breaks GraphiQL
    assert "= {" not in print_sdl()


def test_descriptions_are_sentences() -> None:
    places = [pair for type_ in TYPES for pair in _described(type_)]
    assert [place for place, text in places if text and not text.rstrip().endswith(".")] == []


def test_root_fields_are_nullable() -> None:
    roots = [SCHEMA.type_map[name] for name in ROOTS]
    fields = [
        f"{root.name}.{name}"
        for root in roots
        if isinstance(root, GraphQLObjectType)
        for name, field in root.fields.items()
        if isinstance(field.type, GraphQLNonNull)
    ]
    assert fields == []


def test_every_stored_object_is_a_node() -> None:
    node = SCHEMA.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    names = {type_.name for type_ in SCHEMA.get_possible_types(node)}
    stored = {"Job", "Cron", "CronTick", "RecurringTask", "Batch", "Request", "Failure", "Alert"}
    assert names == stored | {"BulkAction"}


def test_every_connection_is_a_page_with_a_price() -> None:
    connections = {
        name
        for type_ in TYPES
        if isinstance(type_, GraphQLObjectType)
        for name, field in type_.fields.items()
        if get_named_type(field.type).name.endswith("Connection")
    }
    assert connections == PAGES
