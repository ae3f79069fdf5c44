"""The fingerprint of a subscription: equal for documents that select the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

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

from ostinato.schema.execution.root_fields import (
    find_operation,
    fragments_by_name,
    iter_fields,
    remove_arguments,
)
from ostinato.schema.execution.strawberry_internals import is_shared

SNAPSHOT: Final = "snapshot"


@dataclass(frozen=True, slots=True)
class OperationFingerprint:
    """The normalized text and variables of an operation."""

    text: str
    variables: tuple[str, ...]
    reads_viewer: bool
    """Whether a selected field can differ between viewers with the same scope and roles."""
    has_snapshot: bool
    """Whether its root field has a `snapshot` argument."""


def fingerprint_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None,
    excluded: frozenset[str],
) -> OperationFingerprint:
    """Return the fingerprint of an operation in a valid document.

    The `excluded` arguments of its root field do not count.
    """
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
    normalized = replace(operation, variable_definitions=_definitions_of(given, variables))
    return OperationFingerprint(
        text="\n".join(print_ast(node) for node in (normalized, *used)),
        variables=tuple(sorted(variables)),
        reads_viewer=_Selections(schema, fragments).reads_viewer_field(operation),
        has_snapshot=any(
            SNAPSHOT in root.fields[field.name.value].args
            for field in iter_fields(given.selection_set, fragments)
            if field.name.value in root.fields
        ),
    )


def _definitions_of(
    operation: OperationDefinitionNode, names: set[str]
) -> tuple[VariableDefinitionNode, ...]:
    used = [
        each for each in operation.variable_definitions or () if each.variable.name.value in names
    ]
    return tuple(sorted(used, key=lambda each: each.variable.name.value))


def _stripped(
    operation: OperationDefinitionNode, excluded: frozenset[str]
) -> OperationDefinitionNode:
    """Remove the excluded root field arguments, the operation name and the variable definitions."""
    selection_set = remove_arguments(operation.selection_set, excluded)
    return replace(operation, name=None, variable_definitions=(), selection_set=selection_set)


def _stripped_fragment(
    fragment: FragmentDefinitionNode, excluded: frozenset[str]
) -> FragmentDefinitionNode:
    """Remove the excluded arguments from a fragment of the root type."""
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
    """The fields that an operation may execute, including fragments."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]

    def reads_viewer_field(self, operation: OperationDefinitionNode) -> bool:
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
        """Yield the definitions of a field on a type and on its possible types."""
        types = [parent]
        if is_abstract_type(parent):
            types += self.schema.get_possible_types(parent)
        for each in types:
            if is_object_type(each) or is_interface_type(each):
                field = each.fields.get(name)
                if field is not None:
                    yield field
