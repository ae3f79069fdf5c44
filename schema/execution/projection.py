"""Selected plain fields as functions from an object to JSON values.

graphql-core completes each field in about ten calls, and most fields only read an attribute. A
projected field is read and encoded in two calls. A projection covers only the usual values: for any
other one it raises, and graphql-core executes the field as it would without a projection.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet

MAX_ITEMS: Final = 100  # longer lists are completed in slices, by graphql-core
READ: Final = "read"
"""The key of a field's extensions with the function that reads it from an object."""

Read: TypeAlias = Callable[[Any], Any]
"""Returns a field of an object; may raise anything."""
Project: TypeAlias = Callable[[Any], Any]
"""Returns the JSON value of an object or of one of its fields; may raise anything."""
CollectSubfields: TypeAlias = Callable[[GraphQLObjectType, FieldDetailsList], GroupedFieldSet]


class Unusual(Exception):
    """A value that only graphql-core completes."""


def project_fields(
    schema: GraphQLSchema,
    kind: GraphQLObjectType,
    selected: GroupedFieldSet,
    collect_subfields: CollectSubfields,
) -> Mapping[str, Project]:
    """Return the projection of each selected field that has one, by response name."""
    found: dict[str, Project] = {}
    for name, details in selected.items():
        field = schema.get_field(kind, details[0].node.name.value)
        if field is None:
            continue
        project = _project_field(schema, field, details, collect_subfields)
        if project is not None:
            found[name] = project
    return found


def project_object(fields: Mapping[str, Project]) -> Project:
    """Return the projection of an object with only these fields."""
    items = list(fields.items())

    return lambda source: {name: project(source) for name, project in items}


def project_value(
    schema: GraphQLSchema,
    kind: GraphQLOutputType,
    details: FieldDetailsList,
    collect_subfields: CollectSubfields,
) -> Project | None:
    """Return the projection of a field's values; None if only graphql-core completes them."""
    if is_non_null_type(kind):
        return project_value(schema, kind.of_type, details, collect_subfields)
    if is_leaf_type(kind):
        return _leaf(kind)
    if is_list_type(kind):
        item = _nullable(
            kind.of_type, project_value(schema, kind.of_type, details, collect_subfields)
        )
        return None if item is None else _list(item)
    if not is_object_type(kind):
        return None
    selected = collect_subfields(kind, details)
    fields = project_fields(schema, kind, selected, collect_subfields)
    if len(fields) < len(selected):
        return None
    return _checked(kind, project_object(fields))


def _project_field(
    schema: GraphQLSchema,
    field: GraphQLField,
    details: FieldDetailsList,
    collect_subfields: CollectSubfields,
) -> Project | None:
    read: Read | None = field.extensions.get(READ)
    if read is None:
        return None
    complete = _nullable(field.type, project_value(schema, field.type, details, collect_subfields))
    if complete is None:
        return None
    return lambda source: complete(read(source))


def _nullable(kind: GraphQLOutputType, complete: Project | None) -> Project | None:
    if complete is None or is_non_null_type(kind):
        return complete
    return lambda value: None if value is None else complete(value)


def _checked(kind: GraphQLObjectType, project: Project) -> Project:
    def project_existing(value: Any) -> Any:
        if value is None:
            raise Unusual
        return project(value)

    is_type_of = cast("Callable[[Any, None], object] | None", kind.is_type_of)
    if is_type_of is None:
        return project_existing

    def project_checked(value: Any) -> Any:
        if not is_type_of(value, None):
            raise Unusual
        return project(value)

    return project_checked


def _list(item: Project) -> Project:
    def project(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
            raise Unusual
        return [item(each) for each in value]

    return project


def _leaf(kind: GraphQLLeafType) -> Project:
    coerce = kind.coerce_output_value

    def complete(value: Any) -> Any:
        coerced = coerce(value)
        if coerced is None or coerced is Undefined or isinstance(coerced, Exception):
            raise Unusual
        return coerced

    if kind in (GraphQLString, GraphQLID):
        return lambda value: value if value.__class__ is str else complete(value)
    if kind is GraphQLBoolean:
        return lambda value: value if value is True or value is False else complete(value)
    return complete
