"""Computes which subscriptions are equal, so that each change is executed once for all of them.

Arguments that decide only where a client starts, and what it may skip, do not count. The viewer
does, unless no selected field can differ between viewers with the same scope and roles.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_interface_type,
    is_object_type,
    print_ast,
    visit,
)

from ostinato.resolvers.auth import Viewer
from ostinato.schema.execution.root_fields import (
    PER_CLIENT_ARGS,
    find_operation,
    fragments_by_name,
    iter_fields,
    remove_arguments,
)
from ostinato.schema.execution.strawberry_internals import is_shared

SNAPSHOT: Final = "snapshot"
ANONYMOUS: Final = ""
"""The viewer of a shared execution: a field that reads it in spite of its declaration gets this."""


@dataclass(frozen=True, slots=True)
class OperationFingerprint:
    """What an operation selects, independent of how it is written."""

    text: str
    variables: tuple[str, ...]
    reads_viewer: bool
    is_list: bool
    """Whether its root field has an argument `snapshot`."""


def fingerprint_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None,
    excluded: frozenset[str] = PER_CLIENT_ARGS,
) -> OperationFingerprint:
    """Return the fingerprint of an operation of a valid document, without the `excluded` arguments
    of its root field."""
    root = schema.subscription_type
    assert root is not None
    fragments = {
        name: _stripped_fragment(node, excluded)
        if node.type_condition.name.value == root.name
        else node
        for name, node in fragments_by_name(document).items()
    }
    given = find_operation(document, operation_name)
    operation = _stripped(given, excluded)
    used = _used_fragments(operation, fragments)
    variables = {name for node in (operation, *used) for name in _names_in(node, VariableNode)}
    written = replace(operation, variable_definitions=_definitions_of(given, variables))
    return OperationFingerprint(
        text="\n".join(print_ast(node) for node in (written, *used)),
        variables=tuple(sorted(variables)),
        reads_viewer=_Selections(schema, fragments).read_viewer(operation),
        is_list=any(
            SNAPSHOT in root.fields[field.name.value].args
            for field in iter_fields(given.selection_set, fragments)
            if field.name.value in root.fields
        ),
    )


def broadcast_key(
    fingerprint: OperationFingerprint, variables: Mapping[str, Any] | None, viewer: Viewer | None
) -> tuple[Hashable, Viewer | None]:
    """Return what equal subscriptions have in common, and on whose behalf they are executed."""
    given = {
        name: value for name, value in (variables or {}).items() if name in fingerprint.variables
    }
    try:
        values = orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number beyond 64 bits, which is refused when its type is looked at
        values = repr(given).encode()
    if viewer is None or fingerprint.reads_viewer:
        return (fingerprint.text, values, viewer), viewer
    alike = replace(viewer, id=viewer.scope or ANONYMOUS, expires_at=None)
    return (fingerprint.text, values, alike), alike


def _definitions_of(
    operation: OperationDefinitionNode, names: set[str]
) -> tuple[VariableDefinitionNode, ...]:
    kept = [
        each for each in operation.variable_definitions or () if each.variable.name.value in names
    ]
    return tuple(sorted(kept, key=lambda each: each.variable.name.value))


def _stripped(
    operation: OperationDefinitionNode, excluded: frozenset[str]
) -> OperationDefinitionNode:
    """Remove the excluded arguments from the root fields, and the name and variables."""
    selection_set = remove_arguments(operation.selection_set, excluded)
    return replace(operation, name=None, variable_definitions=(), selection_set=selection_set)


def _stripped_fragment(
    fragment: FragmentDefinitionNode, excluded: frozenset[str]
) -> FragmentDefinitionNode:
    """Remove them from a fragment of the root type, which no other type can spread."""
    return replace(fragment, selection_set=remove_arguments(fragment.selection_set, excluded))


def _used_fragments(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> list[FragmentDefinitionNode]:
    """Return the fragments that an operation spreads, directly or not, sorted by name."""
    used: dict[str, FragmentDefinitionNode] = {}
    nodes: list[Node] = [operation]
    while nodes:
        for name in _names_in(nodes.pop(), FragmentSpreadNode):
            if name not in used:
                used[name] = fragments[name]
                nodes.append(fragments[name])
    return [used[name] for name in sorted(used)]


def _names_in(node: Node, kind: type[FragmentSpreadNode] | type[VariableNode]) -> set[str]:
    names: set[str] = set()

    class Collector(Visitor):
        def enter(self, found: Node, *_: Any) -> None:
            if isinstance(found, kind):
                names.add(found.name.value)

    visit(node, Collector())
    return names


@dataclass(frozen=True, slots=True)
class _Selections:
    """Walks the fields that an operation may execute."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]

    def read_viewer(self, operation: OperationDefinitionNode) -> bool:
        """Return whether a field below the root may differ between viewers."""
        root = self.schema.subscription_type
        assert root is not None
        entered: set[tuple[str, int]] = set()
        below = [
            (get_named_type(root.fields[field.name.value].type), field.selection_set)
            for field in iter_fields(operation.selection_set, self.fragments)
            if field.name.value in root.fields and field.selection_set is not None
        ]
        while below:
            parent, selections = below.pop()
            if (parent.name, id(selections)) in entered:
                continue
            entered.add((parent.name, id(selections)))
            for node, field in self._executed(parent, selections):
                if not is_shared(field):
                    return True
                if node.selection_set is not None:
                    below.append((get_named_type(field.type), node.selection_set))
        return False

    def _executed(
        self, parent: GraphQLNamedType, selections: SelectionSetNode
    ) -> Iterator[tuple[FieldNode, GraphQLField]]:
        for node in iter_fields(selections, self.fragments):
            for field in self._definitions(parent, node.name.value):
                yield node, field

    def _definitions(self, parent: GraphQLNamedType, name: str) -> Iterator[GraphQLField]:
        """Yield the definitions of a field: of the type itself, and of its possible types."""
        types = [parent]
        if is_abstract_type(parent):
            types += self.schema.get_possible_types(parent)
        for each in types:
            if is_object_type(each) or is_interface_type(each):
                field = each.fields.get(name)
                if field is not None:
                    yield field
