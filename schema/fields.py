"""Typed versions of Strawberry's field decorators, which return Any."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeVar, cast

import strawberry
from graphql import GraphQLField, GraphQLObjectType
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

F = TypeVar("F", bound=Callable[..., object])

SHARED: Final = {"shared": True}


def strawberry_field(description: str, *, shared: bool = False) -> Callable[[F], F]:
    """Make a method the resolver of the field with its name.

    `shared` states that the value is equal for all viewers with the same scope and roles. Without
    it, a resolver with an `info` parameter is executed for each viewer separately.
    """
    metadata = SHARED if shared else None
    return cast("Callable[[F], F]", strawberry.field(description=description, metadata=metadata))


def is_shared(field: GraphQLField) -> bool:
    """Return whether the field's value is equal for all viewers with the same scope and roles."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryField):
        return False
    resolver = definition.base_resolver
    if resolver is None or definition.metadata.get("shared"):
        return not definition.extensions
    return resolver.info_parameter is None and not definition.extensions


def read_attributes_directly(schema: strawberry.Schema) -> None:
    """Replace Strawberry's resolver of fields that only read an attribute by `attrgetter`."""
    types = (each.implementation for each in schema.schema_converter.type_map.values())
    for each in types:
        fields = each.fields.values() if isinstance(each, GraphQLObjectType) else ()
        for field in fields:
            definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
            if isinstance(definition, StrawberryField) and definition.is_basic_field:
                field.resolve = _attribute_resolver(definition.python_name)


def _attribute_resolver(name: str) -> Callable[[object, object], Any]:
    read = attrgetter(name)
    return lambda source, _: read(source)


def strawberry_subscription(description: str) -> Callable[[F], F]:
    """Make an async generator method the source of the subscription with its name."""
    return cast("Callable[[F], F]", strawberry.subscription(description=description))
