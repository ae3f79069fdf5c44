"""Bounds what one GraphQL document may cost, before anything looks at it twice.

Validation compares fields of one response name pairwise, so a document is measured first, with its
fragments spread out and without recursion; the walk stops at the first limit that is passed.
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
from ostinato.schema.pagination import DEFAULT_PAGE, MAX_PAGE

MAX_EXECUTED = 100_000  # fields of all list items: about 1 s of executing, which nobody else gets
MAX_MERGES = 10_000  # pairs of fields that validation compares: about 15 ms
DOCUMENT_TO_OPERATION = 5  # a document's fragments are also validated each by itself
PAGE_SIZES = frozenset({"first", "last"})
PAGE_ITEMS = frozenset({"nodes", "edges"})
INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """The most that one document may hold; each count has its fragments spread out."""

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
    """A document asks for more than a limit allows."""


@dataclass(slots=True, kw_only=True)
class _Visit:
    """A selection set yet to be walked."""

    selections: SelectionSetNode
    depth: int
    place: int
    inside: frozenset[str] = frozenset()
    times: int = 1
    """How many objects it is executed on, at most."""
    page: int = 1
    """How many items the list has that it selects from."""
    introspects: bool = False


@dataclass(slots=True)
class _Walk:
    """What was counted below one operation or fragment."""

    limits: DocumentLimits
    fragments: dict[str, FragmentDefinitionNode]
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    merges: int = 0
    executed: int = 0
    places: dict[tuple[int, str], int] = field(default_factory=dict)
    at_place: Counter[int] = field(default_factory=Counter)

    def run(self, root: OperationDefinitionNode | FragmentDefinitionNode) -> None:
        self.directives += len(root.directives or ())
        stack = [_Visit(selections=root.selection_set, depth=1, place=0)]
        while stack:
            stack.extend(self._step(stack.pop()))
            self._check()

    def _step(self, visit: _Visit) -> Iterator[_Visit]:
        if visit.depth > self.limits.depth:
            raise LimitExceeded(
                f"the document is deeper than {self.limits.depth} fields: nest less, or raise "
                "OSTINATO_MAX_DEPTH"
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
        place = self.places.setdefault((visit.place, name), len(self.places) + 1)
        self.merges += self.at_place[place]
        self.at_place[place] += 1
        self.executed += visit.times
        introspects = _introspects(node, visit)
        if node.selection_set is not None:
            yield _Visit(
                selections=node.selection_set,
                depth=visit.depth + 1,
                place=place,
                inside=visit.inside,
                times=_times(node, visit),
                page=_page_size(node.arguments),
                introspects=introspects,
            )

    def _enter_fragment(self, name: str, visit: _Visit) -> Iterator[_Visit]:
        fragment = self.fragments.get(name)
        if fragment is not None and name not in visit.inside:
            yield replace(visit, selections=fragment.selection_set, inside=visit.inside | {name})

    def _check(self) -> None:
        for name in ("fields", "aliases", "directives"):
            if getattr(self, name) > (most := getattr(self.limits, name)):
                raise LimitExceeded(
                    f"the document has more than {most} {name}: send it in parts, or raise "
                    f"OSTINATO_MAX_{name.upper()}"
                )
        if self.merges > MAX_MERGES:
            raise LimitExceeded("the document repeats the same fields too often: select each once")
        if self.executed > MAX_EXECUTED:
            message = f"the document may ask for more than {MAX_EXECUTED} fields of list items"
            raise LimitExceeded(f"{message}: ask for smaller pages, or nest fewer lists.")


def _times(node: FieldNode, visit: _Visit) -> int:
    """Return on how many objects the field's selections are executed, at most."""
    return visit.times * visit.page if node.name.value in PAGE_ITEMS else visit.times


def _page_size(arguments: tuple[ArgumentNode, ...] | None) -> int:
    """Return how long a list may be; a variable may say anything that is allowed."""
    values = [each.value for each in arguments or () if each.name.value in PAGE_SIZES]
    if any(isinstance(value, VariableNode) for value in values):
        return MAX_PAGE
    sizes = [value.value for value in values if isinstance(value, IntValueNode)]
    if any(len(size) > len(str(MAX_PAGE)) for size in sizes):
        return MAX_PAGE  # refused when it runs
    return max((abs(int(size)) for size in sizes), default=DEFAULT_PAGE)


def _introspects(node: FieldNode, visit: _Visit) -> bool:
    """Whether the field is of the schema itself; raises LimitExceeded if that is multiplied."""
    name = node.name.value
    if node.alias is not None and (visit.introspects or name == "__schema"):
        raise LimitExceeded("introspection takes no aliases, but for `__type` itself")
    return visit.introspects or name in INTROSPECTION


def check_limits(document: DocumentNode, limits: DocumentLimits) -> None:
    """Raise LimitExceeded if an operation or a fragment of `document` is over a limit."""
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
            if total > DOCUMENT_TO_OPERATION * limits.fields:
                raise LimitExceeded(
                    "the document has too many operations and fragments: send fewer"
                )
