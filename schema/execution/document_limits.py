"""Limits the size and the cost of a GraphQL document before validation.

Validation compares all fields with the same response name pairwise, so the limits are checked
first, with fragments expanded and without recursion. The check stops at the first exceeded limit.

**Cost.** An operation's cost is the largest number of points that its fields can take: a point is
about the work of reading one plain field. Fields of list items count once for each item
that the page may have. The rows of a subscription's snapshot are executed one by one, so they
may cost more together. docs/security.md has the table.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
)

from ostinato.jobs.settings import Settings
from ostinato.schema.execution.operation_cost import ROW_COST, CostModel, executions, variables_of
from ostinato.schema.execution.root_fields import find_operation, fragments_by_name

MAX_DEFINITIONS = 100
MAX_DIRECTIVES_PER_FIELD = 5
MAX_FIELD_PAIRS = 2_000  # compared by validation: about 10 ms if they have arguments
MAX_SNAPSHOT_FACTOR = 10  # of the cost limit: 1,000 jobs with every field
MAX_DOCUMENT_FACTOR = 5  # fragments are also validated on their own
INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """The limits of a document, each counted with fragments expanded."""

    tokens: int
    depth: int
    fields: int
    aliases: int
    directives: int
    cost: int
    snapshot_rows: int
    """The maximum size of a subscription's snapshot."""

    @classmethod
    def of(cls, settings: Settings) -> "DocumentLimits":
        return cls(
            tokens=settings.max_tokens,
            depth=settings.max_depth,
            fields=settings.max_fields,
            aliases=settings.max_aliases,
            directives=settings.max_directives,
            cost=settings.max_cost,
            snapshot_rows=settings.snapshot_limit,
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
    root: OperationType | None = None
    """The type of the operation, if the fields are its root fields."""


@dataclass(slots=True)
class _Walk:
    """The counts of one operation or fragment."""

    limits: DocumentLimits
    fragments: Mapping[str, FragmentDefinitionNode]
    model: CostModel = field(default_factory=CostModel)
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    field_pairs: int = 0
    cost: int = 0
    snapshot_rows: int = 0
    variable_uses: Counter[str] = field(default_factory=Counter)
    positions: dict[tuple[int, str], int] = field(default_factory=dict)
    at_position: Counter[int] = field(default_factory=Counter)

    @property
    def snapshot_cost(self) -> int:
        return self.snapshot_rows * (self.cost + ROW_COST)

    def run(self, root: OperationDefinitionNode | FragmentDefinitionNode) -> None:
        self.directives += len(root.directives or ())
        operation = getattr(root, "operation", None)
        stack = [_Visit(selections=root.selection_set, depth=1, position=0, root=operation)]
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
            self._count_directives(selection)
            if isinstance(selection, FieldNode):
                yield from self._enter_field(selection, visit)
            elif isinstance(selection, FragmentSpreadNode):
                yield from self._enter_fragment(selection.name.value, visit)
            else:
                yield replace(
                    visit,
                    selections=selection.selection_set,  # type: ignore[attr-defined] # inline fragment
                )

    def _count_directives(self, selection: SelectionNode) -> None:
        count = len(selection.directives or ())
        self.directives += count
        if count > MAX_DIRECTIVES_PER_FIELD:
            raise LimitExceeded(
                f"a field or fragment has {count} directives, and the limit is "
                f"{MAX_DIRECTIVES_PER_FIELD}: remove some"
            )

    def _enter_field(self, node: FieldNode, visit: _Visit) -> Iterator[_Visit]:
        self.aliases += node.alias is not None
        name = (node.alias or node.name).value
        position = self.positions.setdefault((visit.position, name), len(self.positions) + 1)
        self.field_pairs += self.at_position[position]
        self.at_position[position] += 1
        self.variable_uses.update(variables_of(node))
        mutates = visit.root is OperationType.MUTATION
        self.cost += visit.times * self.model.field_cost(node, mutates=mutates)
        if visit.root is OperationType.SUBSCRIPTION:
            rows = self.model.snapshot_rows(node, self.limits.snapshot_rows)
            self.snapshot_rows = max(self.snapshot_rows, rows)
        introspects = _introspects(node, visit)
        if node.selection_set is not None:
            yield _Visit(
                selections=node.selection_set,
                depth=visit.depth + 1,
                position=position,
                expanded=visit.expanded,
                times=executions(node, visit.times, visit.page),
                page=self.model.page_size(node),
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


def _introspects(node: FieldNode, visit: _Visit) -> bool:
    """Return whether the field is introspection; raises LimitExceeded if it has an alias."""
    name = node.name.value
    if node.alias is not None and (visit.introspects or name == "__schema"):
        raise LimitExceeded(
            "introspection fields cannot have aliases, except `__type` itself: remove the alias"
        )
    return visit.introspects or name in INTROSPECTION


def check_limits(document: DocumentNode, limits: DocumentLimits) -> int | None:
    """Return the cost of the most expensive operation; None if it depends on the variables.

    Raises LimitExceeded if an operation or a fragment of `document` exceeds a limit.
    """
    if len(document.definitions) > MAX_DEFINITIONS:
        raise LimitExceeded(
            f"the document has more than {MAX_DEFINITIONS} operations and fragments: split it"
        )
    fragments = fragments_by_name(document)
    fields = pairs = 0
    costs: list[int | None] = []
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            walk = _Walk(limits, fragments)
            walk.run(node)
            fields += walk.fields
            pairs += walk.field_pairs
            if isinstance(node, OperationDefinitionNode):
                costs.append(_known_cost(node, walk))
        if fields > MAX_DOCUMENT_FACTOR * limits.fields or pairs > MAX_FIELD_PAIRS:
            raise LimitExceeded("the document has too many operations and fragments: split it")
    return None if None in costs else max((each for each in costs if each), default=0)


def _known_cost(node: OperationDefinitionNode, walk: _Walk) -> int | None:
    """Return the cost for any variables; None if it depends on them, or on their sizes."""
    error = _excessive_cost(walk)
    if error is not None and not node.variable_definitions:
        raise error
    is_used_twice = walk.variable_uses.total() > len(walk.variable_uses)
    return None if error is not None or is_used_twice else walk.cost


def check_cost(
    document: DocumentNode,
    operation_name: str | None,
    variables: Mapping[str, object],
    limits: DocumentLimits,
) -> int:
    """Return the cost of an operation with these variables; raises LimitExceeded."""
    operation = find_operation(document, operation_name)
    walk = _Walk(limits, fragments_by_name(document), CostModel.of(operation, variables))
    walk.run(operation)
    if (error := _excessive_cost(walk)) is not None:
        raise error
    return walk.cost


def _excessive_cost(walk: _Walk) -> LimitExceeded | None:
    limit = walk.limits.cost
    if walk.cost > limit:
        return LimitExceeded(
            f"the operation may cost {walk.cost} points, and the limit is {limit}: request smaller "
            "pages, fewer ticks or less at once, or raise OSTINATO_MAX_COST on the server"
        )
    if walk.snapshot_cost > MAX_SNAPSHOT_FACTOR * limit:
        return LimitExceeded(
            f"the snapshot may cost {walk.snapshot_cost} points, and the limit is "
            f"{MAX_SNAPSHOT_FACTOR * limit}: select fewer fields, request fewer rows with `first`, "
            "or raise OSTINATO_MAX_COST on the server"
        )
    return None
