"""Builds inputs out of what a client gave, by a plan that is made once for each type.

Strawberry itself looks up the name and the type of every field of every input that comes in, to
convert inputs that are nested in others.
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


def build_flat_inputs_by_plan(schema: Schema) -> None:
    """Give each input type that nests no other its plan."""
    for each in schema.schema_converter.type_map.values():
        definition = each.definition
        if isinstance(definition, StrawberryObjectDefinition) and _is_flat_input(definition):
            definition.from_input = _plan(definition, schema.config)


def _plan(definition: StrawberryObjectDefinition, config: StrawberryConfig) -> Build:
    fields = definition.fields
    names = [(config.name_converter.from_field(each), each.python_name) for each in fields]
    absent = dict.fromkeys(each.python_name for each in fields if _has_no_default(each))

    def build(kind: type, given: Mapping[str, Any], _: InputContext) -> object:
        values = {own: given[name] for name, own in names if name in given}
        return kind(**{**absent, **values})

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
