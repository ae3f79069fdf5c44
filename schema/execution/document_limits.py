"""Limits the cost of a GraphQL document before validation.

Validation compares all fields with the same response name pairwise, so the limits are checked
first, with fragments expanded and without recursion. The check stops at the first exceeded limit.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

from ostinato.jobs.settings import Settings
from ostinato.schema.pagination import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

MAX_EXECUTED_FIELDS = 100_000  # including list items: blocks the event loop for about 1 s
MAX_FIELD_PAIRS = 10_000  # compared by validation: about 15 ms
MAX_DOCUMENT_FACTOR = 5  # fragments are also validated on their own
PAGE_SIZES = frozenset({"first", "last"})
PAGE_ITEMS = frozenset({"nodes", "edges"})
INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """The limits of a document, each counted with fragments expanded."""

    tokens: int
    depth: int
    fields: int
    aliases: int
    directives: int

    @classmethod
    def of(cls, settings: Settings) -> "DocumentLimits":
        return cls(
            tokens=settings.max_tokens,
            depth=settings.max_depth,
            fields=settings.max_fields,
            aliases=settings.max_aliases,
            directives=settings.max_directives,
        )


class LimitExceeded(GraphQLError):
    """A document exceeds a limit."""


@dataclass(slots=True, kw_only=True)
class _Visit:
    """A selection set to visit."""

    selections: SelectionSetNode
    depth: int
    position: int
    expanded: frozenset[str] = frozenset()
    times: int = 1
    """The maximum number of objects with this selection set."""
    page: int = 1
    """The maximum page size of the enclosing list."""
    introspects: bool = False


@dataclass(slots=True)
class _Walk:
    """The counts of one operation or fragment."""

    limits: DocumentLimits
    fragments: dict[str, FragmentDefinitionNode]
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    field_pairs: int = 0
    executed: int = 0
    positions: dict[tuple[int, str], int] = field(default_factory=dict)
    at_position: Counter[int] = field(default_factory=Counter)

    def run(self, root: OperationDefinitionNode | FragmentDefinitionNode) -> None:
        self.directives += len(root.directives or ())
        stack = [_Visit(selections=root.selection_set, depth=1, position=0)]
        while stack:
            stack.extend(self._step(stack.pop()))
            self._check()

    def _step(self, visit: _Visit) -> Iterator[_Visit]:
        if visit.depth > self.limits.depth:
            raise LimitExceeded(
                f"the document is nested deeper than {self.limits.depth} fields: reduce its "
                "depth, or raise OSTINATO_MAX_DEPTH on the server"
            )
        for selection in visit.selections.selections:
            self.fields += 1
            self.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                yield from self._enter_field(selection, visit)
            elif isinstance(selection, FragmentSpreadNode):
                yield from self._enter_fragment(selection.name.value, visit)
            else:
                yield replace(
                    visit,
                    selections=selection.selection_set,  # type: ignore[attr-defined] # inline fragment
                )

    def _enter_field(self, node: FieldNode, visit: _Visit) -> Iterator[_Visit]:
        self.aliases += node.alias is not None
        name = (node.alias or node.name).value
        position = self.positions.setdefault((visit.position, name), len(self.positions) + 1)
        self.field_pairs += self.at_position[position]
        self.at_position[position] += 1
        self.executed += visit.times
        introspects = _introspects(node, visit)
        if node.selection_set is not None:
            yield _Visit(
                selections=node.selection_set,
                depth=visit.depth + 1,
                position=position,
                expanded=visit.expanded,
                times=_executions(node, visit),
                page=_page_size(node.arguments),
                introspects=introspects,
            )

    def _enter_fragment(self, name: str, visit: _Visit) -> Iterator[_Visit]:
        fragment = self.fragments.get(name)
        if fragment is not None and name not in visit.expanded:
            yield replace(
                visit, selections=fragment.selection_set, expanded=visit.expanded | {name}
            )

    def _check(self) -> None:
        for name in ("fields", "aliases", "directives"):
            if getattr(self, name) > (limit := getattr(self.limits, name)):
                raise LimitExceeded(
                    f"the document has more than {limit} {name}: split it, or raise "
                    f"OSTINATO_MAX_{name.upper()} on the server"
                )
        if self.field_pairs > MAX_FIELD_PAIRS:
            raise LimitExceeded(
                "the document repeats the same fields too often: select each field once"
            )
        if self.executed > MAX_EXECUTED_FIELDS:
            message = (
                f"the document may execute more than {MAX_EXECUTED_FIELDS} fields on list items"
            )
            raise LimitExceeded(f"{message}: request smaller pages, or nest fewer lists")


def _executions(node: FieldNode, visit: _Visit) -> int:
    """Return the maximum number of objects with the selections of the field."""
    return visit.times * visit.page if node.name.value in PAGE_ITEMS else visit.times


def _page_size(arguments: tuple[ArgumentNode, ...] | None) -> int:
    """Return the maximum size of a list; a variable may have any allowed value."""
    values = [each.value for each in arguments or () if each.name.value in PAGE_SIZES]
    if any(isinstance(value, VariableNode) for value in values):
        return MAX_PAGE_SIZE
    sizes = [value.value for value in values if isinstance(value, IntValueNode)]
    if any(len(size) > len(str(MAX_PAGE_SIZE)) for size in sizes):
        return MAX_PAGE_SIZE  # rejected at execution
    return max((abs(int(size)) for size in sizes), default=DEFAULT_PAGE_SIZE)


def _introspects(node: FieldNode, visit: _Visit) -> bool:
    """Return whether the field is introspection; raises LimitExceeded if it has an alias."""
    name = node.name.value
    if node.alias is not None and (visit.introspects or name == "__schema"):
        raise LimitExceeded(
            "introspection fields cannot have aliases, except `__type` itself: remove the alias"
        )
    return visit.introspects or name in INTROSPECTION


def check_limits(document: DocumentNode, limits: DocumentLimits) -> None:
    """Raise LimitExceeded if an operation or a fragment of `document` exceeds a limit."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    total = 0
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            walk = _Walk(limits, fragments)
            walk.run(node)
            total += walk.fields
            if total > MAX_DOCUMENT_FACTOR * limits.fields:
                raise LimitExceeded("the document has too many operations and fragments: split it")
