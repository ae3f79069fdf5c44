"""Selections of everything that the schema offers below a field."""

from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
    is_leaf_type,
    is_required_argument,
)


def selection_of(schema: GraphQLSchema, field: GraphQLField, depth: int = 3) -> str:
    """Return the selection set of all fields without required arguments, "" for a leaf.

    Nested objects and pages are selected down to `depth` levels. Below an interface, only the
    leaves are selected whose type is the same in all objects: others may not share a response.
    """
    named = get_named_type(field.type)
    if not is_composite_type(named):
        return ""
    if isinstance(named, GraphQLObjectType):
        return f"{{ {' '.join(_fields(schema, named, depth))} }}"
    types: dict[str, set[str]] = {}
    objects = schema.get_possible_types(named)
    for possible in objects:
        for name, found in possible.fields.items():
            types.setdefault(name, set()).add(str(found.type))
    fragments = (
        f"... on {possible.name} {{ "
        f"{' '.join(n for n in _fields(schema, possible, 1) if len(types.get(n, ())) == 1)} }}"
        for possible in objects
    )
    return f"{{ __typename {' '.join(fragments)} }}"


def _fields(schema: GraphQLSchema, parent: GraphQLObjectType, depth: int) -> list[str]:
    selected = ["__typename"]
    for name, field in parent.fields.items():
        named: GraphQLNamedType = get_named_type(field.type)
        if any(map(is_required_argument, field.args.values())):
            continue
        if is_leaf_type(named):
            selected.append(name)
        elif depth > 1:
            page = "(first: 2)" if "first" in field.args else ""
            selected.append(f"{name}{page} {selection_of(schema, field, depth - 1)}")
    return selected
