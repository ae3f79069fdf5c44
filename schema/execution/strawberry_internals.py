"""Access to Strawberry internals: its graphql-core schema, fields and input conversion."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from enum import Enum
from operator import attrgetter
from typing import Any, Final, TypeAlias, cast

from graphql import GraphQLEnumType, GraphQLField, GraphQLObjectType, GraphQLSchema
from strawberry import Schema
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import InputContext
from strawberry.types.base import (
    StrawberryContainer,
    StrawberryObjectDefinition,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

from ostinato.schema.execution.projection import READ, Read
from ostinato.schema.fields import SHARED
from ostinato.schema.types.record_proxy import RecordProxy

BuildInput: TypeAlias = Callable[[type, Mapping[str, Any], InputContext], object]

PACKAGE: Final = "ostinato."


def core_schema(schema: Schema) -> GraphQLSchema:
    """Return the graphql-core schema."""
    return schema._schema  # noqa: SLF001 # Strawberry has no public accessor


def is_shared(field: GraphQLField) -> bool:
    """Return whether the field's value is equal for all viewers with the same scope and roles."""
    definition = _definition_of(field)
    if definition is None:
        return False
    resolver = definition.base_resolver
    if resolver is None or definition.metadata.get(SHARED):
        return not definition.extensions
    return resolver.info_parameter is None and not definition.extensions


def install_fast_paths(schema: Schema) -> None:
    """Replace Strawberry's generic attribute resolvers and input conversion with precomputed ones.

    Strawberry calls several functions per attribute, looks up the name and the type of every input
    field, and searches an enum for the name of each value.
    """
    for each in schema.schema_converter.type_map.values():
        definition = each.definition
        if isinstance(definition, StrawberryEnumDefinition):
            _look_names_up(
                cast("type[Enum]", definition.wrapped_cls),
                cast("GraphQLEnumType", each.implementation),
            )
        if not isinstance(definition, StrawberryObjectDefinition):
            continue
        if isinstance(each.implementation, GraphQLObjectType):
            _resolve_attributes_directly(definition, each.implementation)
        if definition.is_input and not any(map(_is_nested, definition.fields)):
            definition.from_input = _input_builder(definition, schema.config)


def _definition_of(field: GraphQLField) -> StrawberryField | None:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return definition if isinstance(definition, StrawberryField) else None


def _resolve_attributes_directly(
    definition: StrawberryObjectDefinition, implementation: GraphQLObjectType
) -> None:
    is_proxy = issubclass(definition.origin, RecordProxy)
    is_ours = definition.origin.__module__.startswith(PACKAGE)
    for field in implementation.fields.values():
        found = _definition_of(field)
        if found is None:
            continue
        if found.is_basic_field:
            name = found.python_name
            read = attrgetter(f"record.{name}" if is_proxy and name != "id" else name)
            field.resolve = _resolver(read)
            field.extensions[READ] = read
        elif is_ours and _only_reads(found):
            field.extensions[READ] = found.base_resolver


def _resolver(read: Read) -> Callable[[object, object], Any]:
    return lambda source, _: read(source)


def _only_reads(field: StrawberryField) -> bool:
    """Return whether a field's resolver needs nothing but its object.

    An application's resolver may do anything, so this is asked only about this package's fields.
    """
    resolver = field.base_resolver
    return (
        resolver is not None
        and not resolver.is_async
        and not resolver.arguments
        and resolver.info_parameter is None
        and not field.extensions
        and not field.permission_classes
    )


def _look_names_up(members: type[Enum], implementation: GraphQLEnumType) -> None:
    search = implementation.coerce_output_value
    names = {member: search(member) for member in members}

    def coerce(value: object) -> str:
        return names[value] if isinstance(value, members) else search(value)

    vars(implementation)["coerce_output_value"] = coerce


def _input_builder(definition: StrawberryObjectDefinition, config: StrawberryConfig) -> BuildInput:
    fields = definition.fields
    names = [(config.name_converter.from_field(each), each.python_name) for each in fields]
    missing = dict.fromkeys(each.python_name for each in fields if _has_no_default(each))

    def build(kind: type, given: Mapping[str, Any], _: InputContext) -> object:
        values = {python_name: given[name] for name, python_name in names if name in given}
        return kind(**{**missing, **values})

    return build


def _is_nested(field: StrawberryField) -> bool:
    type_: object = field.resolve_type()
    while isinstance(type_, StrawberryContainer):
        type_ = type_.of_type
    return isinstance(type_, LazyType) or has_object_definition(type_)


def _has_no_default(field: StrawberryField) -> bool:
    return field.default_value is MISSING and field.default_factory is MISSING
