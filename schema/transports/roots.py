"""Finds the root fields of an operation, in whatever fragments they are written.

A subscription's are one field, if written more than once; validation refuses `@skip` and
`@include` there.
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
OWN: Final = frozenset({AFTER, "snapshot", "first", "coalesce"})
"""Arguments of a subscription's root that are each subscriber's own."""
RESUMING: Final = frozenset({AFTER})
"""Those that do not matter to who begins, or begins again."""

Fragments = Mapping[str, FragmentDefinitionNode]


def operation_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """Return the operation of that name, or the only one; the document has it."""
    return next(
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (name is None or (node.name is not None and node.name.value == name))
    )


def fragments_of(document: DocumentNode) -> Fragments:
    nodes = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
    return {node.name.value: node for node in nodes}


def fields_in(selections: SelectionSetNode, fragments: Fragments) -> Iterator[FieldNode]:
    """Go through the fields of a selection set and of its fragments, whatever their type."""
    for each in selections.selections:
        if isinstance(each, FieldNode):
            yield each
        elif isinstance(each, FragmentSpreadNode):
            yield from fields_in(fragments[each.name.value].selection_set, fragments)
        elif isinstance(each, InlineFragmentNode):
            yield from fields_in(each.selection_set, fragments)


def without(selections: SelectionSetNode, names: frozenset[str]) -> SelectionSetNode:
    """Take arguments of these names from a selection set of the root."""
    kept = (_without(each, names) for each in selections.selections)
    return replace(selections, selections=tuple(kept))


def after_of(document: DocumentNode, name: str | None, variables: Mapping[str, object]) -> object:
    """Return the cursor that a subscription's root is given; None if there is none."""
    asked = operation_of(document, name)
    given = next(
        (
            argument.value
            for field in fields_in(asked.selection_set, fragments_of(document))
            for argument in field.arguments or ()
            if argument.name.value == AFTER
        ),
        None,
    )
    if isinstance(given, VariableNode):
        return _value_of(given.name.value, asked, variables)
    return given.value if isinstance(given, StringValueNode) else None


def _value_of(name: str, asked: OperationDefinitionNode, variables: Mapping[str, object]) -> object:
    """Return what a variable is given, or its default."""
    if name in variables:
        return variables[name]
    defaults = {
        each.variable.name.value: each.default_value for each in asked.variable_definitions or ()
    }
    default = defaults.get(name)
    return default.value if isinstance(default, StringValueNode) else None


def _without(selection: SelectionNode, names: frozenset[str]) -> SelectionNode:
    if isinstance(selection, FieldNode):
        kept = (each for each in selection.arguments or () if each.name.value not in names)
        return replace(selection, arguments=tuple(kept))
    if isinstance(selection, InlineFragmentNode):
        return replace(selection, selection_set=without(selection.selection_set, names))
    return selection
