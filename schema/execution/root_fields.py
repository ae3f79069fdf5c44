"""Root fields of operations and their arguments, including fragments.

A subscription has a single root field, which may be selected several times. Validation rejects
`@skip` and `@include` on it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
)

AFTER: Final = "after"

Fragments = Mapping[str, FragmentDefinitionNode]


def find_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """Return the named operation, or the only one if `name` is None; it must exist."""
    return next(
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (name is None or (node.name is not None and node.name.value == name))
    )


def fragments_by_name(document: DocumentNode) -> Fragments:
    nodes = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
    return {node.name.value: node for node in nodes}


def iter_fields(selections: SelectionSetNode, fragments: Fragments) -> Iterator[FieldNode]:
    """Yield the fields of a selection set and its fragments, ignoring type conditions."""
    for each in selections.selections:
        if isinstance(each, FieldNode):
            yield each
        elif isinstance(each, FragmentSpreadNode):
            yield from iter_fields(fragments[each.name.value].selection_set, fragments)
        elif isinstance(each, InlineFragmentNode):
            yield from iter_fields(each.selection_set, fragments)


def remove_arguments(selections: SelectionSetNode, names: frozenset[str]) -> SelectionSetNode:
    """Return a copy of a root selection set without the named arguments."""
    remaining = (_remove_arguments(each, names) for each in selections.selections)
    return replace(selections, selections=tuple(remaining))


def after_argument(
    document: DocumentNode, name: str | None, variables: Mapping[str, object]
) -> object:
    """Return the `after` argument of a subscription's root field; None if omitted."""
    operation = find_operation(document, name)
    given = next(
        (
            argument.value
            for field in iter_fields(operation.selection_set, fragments_by_name(document))
            for argument in field.arguments or ()
            if argument.name.value == AFTER
        ),
        None,
    )
    if isinstance(given, VariableNode):
        return _variable_value(given.name.value, operation, variables)
    return given.value if isinstance(given, StringValueNode) else None


def _variable_value(
    name: str, operation: OperationDefinitionNode, variables: Mapping[str, object]
) -> object:
    """Return the value of a variable, or its default."""
    if name in variables:
        return variables[name]
    defaults = {
        each.variable.name.value: each.default_value
        for each in operation.variable_definitions or ()
    }
    default = defaults.get(name)
    return default.value if isinstance(default, StringValueNode) else None


def _remove_arguments(selection: SelectionNode, names: frozenset[str]) -> SelectionNode:
    if isinstance(selection, FieldNode):
        remaining = (each for each in selection.arguments or () if each.name.value not in names)
        return replace(selection, arguments=tuple(remaining))
    if isinstance(selection, InlineFragmentNode):
        return replace(selection, selection_set=remove_arguments(selection.selection_set, names))
    return selection
