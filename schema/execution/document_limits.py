"""Limits the size and the cost of a GraphQL document before validation.

Validation compares all fields with the same response name pairwise, so the limits are checked
first, with fragments expanded and without recursion. The check stops at the first exceeded limit.

**Cost.** An operation's cost is the largest number of points that its fields can take: a point is
about the work of reading one plain field. Fields of list items count once for each item
that the page may have. docs/security.md has the table.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from graphql import (
    ConstValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    IntValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    value_from_ast_untyped,
)

from ostinato.jobs.settings import Settings
from ostinato.schema.execution.root_fields import find_operation, fragments_by_name
from ostinato.schema.pagination import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

MAX_DEFINITIONS = 100
MAX_DIRECTIVES_PER_FIELD = 5
MAX_FIELD_PAIRS = 10_000  # compared by validation: about 15 ms
MAX_DOCUMENT_FACTOR = 5  # fragments are also validated on their own
PAGE_SIZES = frozenset({"first", "last"})
PAGE_ITEMS = frozenset({"nodes", "edges"})
INTROSPECTION = frozenset({"__schema", "__type"})
JSON_COST: Final = 5  # up to 64 KiB each, to be read, decoded and encoded
TICK_COST: Final = 5
MUTATION_COST: Final = 50
FIELD_COSTS: Final = MappingProxyType(
    {
        **dict.fromkeys(("args", "argsSchema", "data"), JSON_COST),
        "result": 2 * JSON_COST,
        "previewCron": 500,  # a rare date of a new expression takes 5 ms
        "workers": 100,
        "queues": 100,
    }
)
LIST_SIZES: Final = MappingProxyType({"timeline": 5, "functions": 20, "queues": 10, "workers": 10})
"""The assumed sizes of lists without pages."""
TICK_COUNTS: Final = MappingProxyType({"nextRuns": 5, "previewCron": 5})
"""Fields that compute as many ticks as their `count` says, with its default."""
MAX_TICKS: Final = 100
MAX_DIGITS: Final = 10  # of a GraphQL Int
ANY: Final = object()
"""An argument's value that is not known before the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """The limits of a document, each counted with fragments expanded."""

    tokens: int
    depth: int
    fields: int
    aliases: int
    directives: int
    cost: int

    @classmethod
    def of(cls, settings: Settings) -> "DocumentLimits":
        return cls(
            tokens=settings.max_tokens,
            depth=settings.max_depth,
            fields=settings.max_fields,
            aliases=settings.max_aliases,
            directives=settings.max_directives,
            cost=settings.max_cost,
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
    mutates: bool = False
    """Whether the fields are mutations."""


@dataclass(slots=True)
class _Walk:
    """The counts of one operation or fragment."""

    limits: DocumentLimits
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, object] | None = None
    """The variables of a request; None if any value must be expected."""
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    field_pairs: int = 0
    cost: int = 0
    positions: dict[tuple[int, str], int] = field(default_factory=dict)
    at_position: Counter[int] = field(default_factory=Counter)

    def run(self, root: OperationDefinitionNode | FragmentDefinitionNode) -> None:
        self.directives += len(root.directives or ())
        mutates = getattr(root, "operation", None) is OperationType.MUTATION
        stack = [_Visit(selections=root.selection_set, depth=1, position=0, mutates=mutates)]
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
        self.cost += visit.times * self._cost(node, visit)
        introspects = _introspects(node, visit)
        if node.selection_set is not None:
            yield _Visit(
                selections=node.selection_set,
                depth=visit.depth + 1,
                position=position,
                expanded=visit.expanded,
                times=_executions(node, visit),
                page=self._page_size(node),
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

    def _cost(self, node: FieldNode, visit: _Visit) -> int:
        """Return the cost of the field for one object, without its selections."""
        name = node.name.value
        cost = FIELD_COSTS.get(name, 1)
        if name in TICK_COUNTS:
            cost += TICK_COST * self._ticks(node)
        return cost + MUTATION_COST if visit.mutates else cost

    def _ticks(self, node: FieldNode) -> int:
        """Return the number of ticks that a field computes."""
        counts: list[object] = []
        for argument in node.arguments or ():
            value = self._value(argument.value)
            if isinstance(argument.value, ObjectValueNode):
                fields = argument.value.fields
                counts += [self._value(each.value) for each in fields if each.name.value == "count"]
            elif isinstance(value, dict):
                counts.append(value.get("count"))
            elif argument.name.value == "count" or value is ANY:
                counts.append(value)
        return _largest(counts, TICK_COUNTS[node.name.value], MAX_TICKS)

    def _page_size(self, node: FieldNode) -> int:
        """Return the maximum size of a page."""
        sizes = [
            self._value(each.value)
            for each in node.arguments or ()
            if each.name.value in PAGE_SIZES
        ]
        return _largest(sizes, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)

    def _value(self, node: ValueNode) -> object:
        """Return an argument's number or object; ANY for a variable that is not known."""
        if isinstance(node, IntValueNode):
            return int(node.value) if len(node.value) < MAX_DIGITS else ANY
        if isinstance(node, VariableNode):
            return ANY if self.variables is None else self.variables.get(node.name.value)
        return None


def _largest(values: Sequence[object], default: int, limit: int) -> int:
    """Return the largest number; `limit` for a value that is not known or will be rejected."""
    if ANY in values:
        return limit
    numbers = [min(abs(each), limit) for each in values if isinstance(each, int)]
    return max(numbers, default=default)


def _executions(node: FieldNode, visit: _Visit) -> int:
    """Return the maximum number of objects with the selections of the field."""
    name = node.name.value
    return visit.times * (visit.page if name in PAGE_ITEMS else LIST_SIZES.get(name, 1))


def _introspects(node: FieldNode, visit: _Visit) -> bool:
    """Return whether the field is introspection; raises LimitExceeded if it has an alias."""
    name = node.name.value
    if node.alias is not None and (visit.introspects or name == "__schema"):
        raise LimitExceeded(
            "introspection fields cannot have aliases, except `__type` itself: remove the alias"
        )
    return visit.introspects or name in INTROSPECTION


def check_limits(document: DocumentNode, limits: DocumentLimits) -> bool:
    """Return whether some variables could make an operation too expensive: see `check_cost`.

    Raises LimitExceeded if an operation or a fragment of `document` exceeds a limit.
    """
    if len(document.definitions) > MAX_DEFINITIONS:
        raise LimitExceeded(
            f"the document has more than {MAX_DEFINITIONS} operations and fragments: split it"
        )
    fragments = fragments_by_name(document)
    total = 0
    costs_too_much = False
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            walk = _Walk(limits, fragments)
            walk.run(node)
            total += walk.fields
            costs_too_much |= _costs_too_much(node, walk.cost, limits)
        if total > MAX_DOCUMENT_FACTOR * limits.fields:
            raise LimitExceeded("the document has too many operations and fragments: split it")
    return costs_too_much


def _costs_too_much(
    node: OperationDefinitionNode | FragmentDefinitionNode, cost: int, limits: DocumentLimits
) -> bool:
    """Return whether some variables make an operation too expensive; raise if all do."""
    if isinstance(node, FragmentDefinitionNode) or cost <= limits.cost:
        return False
    if not node.variable_definitions:
        raise _too_expensive(cost, limits)
    return True


def check_cost(
    document: DocumentNode,
    operation_name: str | None,
    variables: Mapping[str, object],
    limits: DocumentLimits,
) -> None:
    """Raise LimitExceeded if an operation with these variables costs too much."""
    operation = find_operation(document, operation_name)
    given = {
        each.variable.name.value: _default(each.default_value)
        for each in operation.variable_definitions or ()
    }
    walk = _Walk(limits, fragments_by_name(document), {**given, **variables})
    walk.run(operation)
    if walk.cost > limits.cost:
        raise _too_expensive(walk.cost, limits)


def _default(node: ConstValueNode | None) -> object:
    """Return the default of a variable, if it is a number or an object."""
    return None if node is None else value_from_ast_untyped(node)


def _too_expensive(cost: int, limits: DocumentLimits) -> LimitExceeded:
    return LimitExceeded(
        f"the operation may cost {cost} points, and the limit is {limits.cost}: request smaller "
        "pages or fewer ticks, nest fewer lists, or raise OSTINATO_MAX_COST on the server"
    )
