"""Finds the root fields of an operation, in whatever fragments they are written.

A subscription's are one field, if written more than once; validation refuses `@skip` and
`@include` there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

AFTER: Final = "after"
OWN: Final = frozenset({AFTER, "snapshot", "first", "coalesce"})
"""Arguments of a subscription's root that are each subscriber's own."""

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


def without_own(selections: SelectionSetNode) -> SelectionSetNode:
    """Take the subscriber's own arguments from a selection set of the root."""
    return replace(selections, selections=tuple(map(_without_own, selections.selections)))


def _without_own(selection: SelectionNode) -> SelectionNode:
    if isinstance(selection, FieldNode):
        return replace(selection, arguments=tuple(_shared(selection)))
    if isinstance(selection, InlineFragmentNode):
        return replace(selection, selection_set=without_own(selection.selection_set))
    return selection


def _shared(field: FieldNode) -> Iterator[ArgumentNode]:
    return (each for each in field.arguments or () if each.name.value not in OWN)
