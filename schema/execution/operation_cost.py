"""The cost of a field, in points: about the work of reading one plain field.

docs/security.md has the table. Fields are priced by name: the walk runs before validation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from graphql import (
    BooleanValueNode,
    ConstValueNode,
    FieldNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    value_from_ast_untyped,
)

from ostinato.jobs.transactions.transactor import MAX_JOBS
from ostinato.resolvers.crons import DEFAULT_RUNS, MAX_PREVIEW, MAX_RUNS
from ostinato.schema.execution.encoding import comparable_json
from ostinato.schema.pagination import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

PAGE_SIZES: Final = frozenset({"first", "last"})
PAGE_ITEMS: Final = frozenset({"nodes", "edges"})
PAGES: Final = frozenset(
    {
        "alerts",
        "auditLog",
        "batches",
        "bulkActions",
        "children",
        "cronTicks",
        "crons",
        "failureGroups",
        "failures",
        "jobLogs",
        "jobTree",
        "logs",
        "jobs",
        "recurringTasks",
        "requests",
        "runs",
        "suspendedOwners",
        "ticks",
        "tokenRevocations",
    }
)
"""The fields that return connections."""
ROW_COST: Final = 2  # of a page, whatever is selected: it is read and decoded
JSON_COST: Final = 5  # up to 64 KiB each, to be read, decoded and encoded
MUTATION_COST: Final = 50
SCHEDULE_JOBS: Final = "scheduleJobs"
JOB_COST: Final = 5  # of a new job among many: a tenth of a mutation
KIB_COST: Final = 25  # of a variable, each time it is used: it is validated again
FIELD_COSTS: Final = MappingProxyType(
    {
        **dict.fromkeys(("args", "argsSchema", "data", "recordedFailure", "warnings"), JSON_COST),
        "health": 300,  # reads 200 ticks and the starts of their runs
        "result": 2 * JSON_COST,
        "totalCount": 250,  # counts up to 10,000 index keys, or reads documents for a second
        **dict.fromkeys(("logs", "jobLogs"), 50),  # a query for each job
        **dict.fromkeys(("previewCron", "previewTicks"), 500),  # a new expression takes 5 ms
        "calendars": 500,  # up to 50,000 days
        "activity": 500,  # up to 5,000 jobs of an owner, at most once a second
        "activityChanged": 500,
        "applyCrons": 2_000,  # up to 100 crons
        "backfillCron": 500,  # up to 500 jobs
        "previewCronChange": 2_000,  # compares up to 200,000 ticks, in 0.4 s
        "jobTotals": 500,  # up to 50,000 jobs, at most once a second
        "totals": 500,
        "quotas": 500,  # counts up to 200,000 index keys, at most once a second per user
    }
)
READ_COST: Final = 100  # of a list without pages, which is read for each request
READ_LISTS: Final = MappingProxyType(
    {
        "queues": 100,
        "workers": 10,
    }
)
"""Lists that are read as a whole, and their assumed sizes."""
LIST_SIZES: Final = MappingProxyType(
    {"timeline": 5, "functions": 20, "quotas": 10, "points": 96, **READ_LISTS}
)
"""The assumed sizes of lists without pages."""
TICK_COSTS: Final = MappingProxyType(
    {
        "nextRuns": (1, MAX_RUNS),
        "previewCron": (1, MAX_PREVIEW),
        "nextTicks": (2, MAX_RUNS),
        "previewTicks": (2, MAX_PREVIEW),
    }
)
"""Fields that compute as many ticks as their `count` says: the cost of a tick with its selections,
and the largest count."""
MAX_DIGITS: Final = 10  # of a GraphQL Int
ANY: Final = object()
"""An argument's value that is not known before the request."""


@dataclass(slots=True)
class CostModel:
    """Computes the costs of fields with the variables of a request."""

    variables: Mapping[str, object] | None = None
    """None if any value must be expected."""
    _sizes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, operation: OperationDefinitionNode, given: Mapping[str, object]) -> "CostModel":
        """Return the model for one request, with the defaults of its operation."""
        defaults = {
            each.variable.name.value: _constant(each.default_value)
            for each in operation.variable_definitions or ()
        }
        return cls({**defaults, **given})

    def field_cost(self, node: FieldNode, *, mutates: bool) -> int:
        """Return the cost of a field for one object, without its selections."""
        name = node.name.value
        is_list = (
            name in READ_LISTS and node.selection_set is not None
        )  # `workers` of a queue is not
        cost = (READ_COST if is_list else FIELD_COSTS.get(name, 1)) + MUTATION_COST * mutates
        if name in TICK_COSTS:
            tick_cost, maximum = TICK_COSTS[name]
            cost += tick_cost * self._ticks(node, maximum)
        if name in PAGES:
            cost += ROW_COST * self.page_size(node)
        if name == SCHEDULE_JOBS:
            cost += JOB_COST * self._new_jobs(node)
        return cost + KIB_COST * sum(map(self._size_of, variables_of(node))) // 1024

    def page_size(self, node: FieldNode) -> int:
        """Return the maximum size of a page, or the number of jobs that a call schedules."""
        if node.name.value == SCHEDULE_JOBS:
            return self._new_jobs(node)
        arguments = node.arguments or ()
        sizes = [self._value(each.value) for each in arguments if each.name.value in PAGE_SIZES]
        return _largest(sizes, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)

    def snapshot_rows(self, node: FieldNode, limit: int) -> int:
        """Return the maximum number of rows in the snapshot of a subscription's root field."""
        given = {each.name.value: self._value(each.value) for each in node.arguments or ()}
        if not given.get("snapshot"):
            return 0
        return _largest([given.get("first")], limit, limit)

    def _new_jobs(self, node: FieldNode) -> int:
        """Return the number of jobs in the input of `scheduleJobs`; the maximum if unknown."""
        for argument in node.arguments or ():
            given = argument.value
            if isinstance(given, ObjectValueNode):
                listed = next((f.value for f in given.fields if f.name.value == "jobs"), None)
                if isinstance(listed, ListValueNode):
                    return len(listed.values)
                if isinstance(listed, VariableNode):
                    return _length(self._value(listed))
            elif isinstance(given, VariableNode):
                value = self._value(given)
                return _length(value.get("jobs") if isinstance(value, Mapping) else ANY)
        return 1

    def _ticks(self, node: FieldNode, maximum: int) -> int:
        """Return the number of ticks that a field computes."""
        counts: list[object] = []
        for argument in node.arguments or ():
            value = self._value(argument.value)
            if isinstance(argument.value, ObjectValueNode):
                fields = argument.value.fields
                counts += [self._value(each.value) for each in fields if each.name.value == "count"]
            elif isinstance(value, Mapping):
                counts.append(value.get("count"))
            elif argument.name.value == "count" or value is ANY:
                counts.append(value)
        return _largest(counts, DEFAULT_RUNS, maximum)

    def _value(self, node: ValueNode) -> object:
        """Return an argument's number, boolean or object; ANY for an unknown variable."""
        if isinstance(node, BooleanValueNode):
            return node.value
        if isinstance(node, IntValueNode):
            return int(node.value) if len(node.value) < MAX_DIGITS else ANY
        if isinstance(node, VariableNode):
            return ANY if self.variables is None else self.variables.get(node.name.value)
        return None

    def _size_of(self, variable: str) -> int:
        """Return the size of a variable as JSON, in bytes; 0 if it is not known."""
        if self.variables is None:
            return 0
        if variable not in self._sizes:
            self._sizes[variable] = len(comparable_json(self.variables.get(variable)))
        return self._sizes[variable]


def executions(node: FieldNode, times: int, page: int) -> int:
    """Return the maximum number of objects with the selections of a field."""
    name = node.name.value
    return times * (page if name in PAGE_ITEMS else LIST_SIZES.get(name, 1))


def variables_of(node: FieldNode) -> Iterator[str]:
    """Yield the names of the variables in a field's arguments, once for each use."""
    waiting: list[ValueNode] = [each.value for each in node.arguments or ()]
    while waiting:
        value = waiting.pop()
        if isinstance(value, VariableNode):
            yield value.name.value
        elif isinstance(value, ListValueNode):
            waiting += value.values
        elif isinstance(value, ObjectValueNode):
            waiting += [each.value for each in value.fields]


def _length(value: object) -> int:
    return min(len(value), MAX_JOBS) if isinstance(value, list) else MAX_JOBS


def _largest(values: Sequence[object], default: int, limit: int) -> int:
    """Return the largest number; `limit` for a value that is not known or will be rejected."""
    given = [each for each in values if each is not None]
    numbers = [_as_number(each, limit) for each in given]
    return max(numbers, default=default)


def _as_number(value: object, limit: int) -> int:
    is_number = isinstance(value, int | float) and 1 <= value < limit
    return int(value) if is_number else limit  # type: ignore[call-overload] # checked


def _constant(node: ConstValueNode | None) -> object:
    """Return the default of a variable, if it has one."""
    return None if node is None else value_from_ast_untyped(node)
