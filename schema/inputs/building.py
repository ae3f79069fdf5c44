"""Builds flat inputs from their arguments with a field list that is computed once per type.

Strawberry looks up the name and the type of every field for every input it receives, because inputs
may be nested.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, TypeAlias

from strawberry import Schema
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import InputContext
from strawberry.types.base import (
    StrawberryContainer,
    StrawberryObjectDefinition,
    has_object_definition,
)
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

Build: TypeAlias = Callable[[type, Mapping[str, Any], InputContext], object]


def build_flat_inputs_directly(schema: Schema) -> None:
    """Replace Strawberry's conversion of every input type that contains no other input."""
    for each in schema.schema_converter.type_map.values():
        definition = each.definition
        if isinstance(definition, StrawberryObjectDefinition) and _is_flat_input(definition):
            definition.from_input = _builder(definition, schema.config)


def _builder(definition: StrawberryObjectDefinition, config: StrawberryConfig) -> Build:
    fields = definition.fields
    names = [(config.name_converter.from_field(each), each.python_name) for each in fields]
    missing = dict.fromkeys(each.python_name for each in fields if _has_no_default(each))

    def build(kind: type, given: Mapping[str, Any], _: InputContext) -> object:
        values = {own: given[name] for name, own in names if name in given}
        return kind(**{**missing, **values})

    return build


def _is_flat_input(definition: StrawberryObjectDefinition) -> bool:
    return definition.is_input and not any(map(_nests, definition.fields))


def _nests(field: StrawberryField) -> bool:
    type_: object = field.resolve_type()
    while isinstance(type_, StrawberryContainer):
        type_ = type_.of_type
    return isinstance(type_, LazyType) or has_object_definition(type_)


def _has_no_default(field: StrawberryField) -> bool:
    return field.default_value is MISSING and field.default_factory is MISSING
