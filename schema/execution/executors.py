"""Executors of prepared operations: plain fields directly, long lists in slices, and events."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

from graphql import GraphQLObjectType, GraphQLOutputType
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import CollectedErrors
from graphql.pyutils import AwaitableOrValue, Path, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from ostinato.schema.execution.projection import Project, Unusual, project_fields, project_value

SLICE_S: Final = 0.005  # for the lists of all operations in one turn of the event loop
MUTATIONS_S: Final = 0.02  # for the mutations of all operations: those of one turn share an insert


class TurnBudget:
    """The time that the execution of operations may take in one turn of an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._started: float | None = None

    def is_spent(self, slice_s: float = SLICE_S) -> bool:
        """Return whether the caller must continue in another turn."""
        now = self._loop.time()
        if self._started is None:
            self._started = now
            self._loop.call_soon(self._renew)
        return now - self._started > slice_s

    def _renew(self) -> None:
        self._started = None


_budgets: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, TurnBudget]] = WeakKeyDictionary()


def _turn_budget() -> TurnBudget:
    loop = asyncio.get_running_loop()
    found = _budgets.get(loop)
    if found is None:
        found = _budgets[loop] = TurnBudget(loop)
    return found


class SelectionCache:
    """What executors compute once for the selections of an operation.

    The keys contain the identity of nodes of the document, so the document must outlive the cache.
    """

    def __init__(self) -> None:
        self.subfields: dict[tuple[GraphQLObjectType, tuple[int, ...]], CollectedFields] = {}
        self.fields: dict[int, Mapping[str, Project]] = {}
        """The projected fields of each of the selections above, by its identity."""
        self.values: dict[tuple[GraphQLOutputType, tuple[int, ...]], Project | None] = {}
        """The projection of a field's values."""


class SlicingExecutor(StrawberryGraphQLCoreExecutionContext):
    """Projects plain fields, and executes long lists in several turns of the event loop.

    graphql-core completes a list in one go: 1,000 events of timelines take 50 ms.
    """

    def __init__(self, *args: Any, selections: SelectionCache, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._selections = selections

    def collect_subfields(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList
    ) -> CollectedFields:
        """Collect the subfields.

        graphql-core caches them by the identity of a list of nodes that every execution recreates.
        """
        key = (return_type, _nodes_of(field_details_list))
        found = self._selections.subfields.get(key)
        if found is None:
            found = super().collect_subfields(return_type, field_details_list)
            self._selections.subfields[key] = found
        return found

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Project the plain fields, and execute the others."""
        known = self._project(parent_type, source_value, path, grouped_field_set)
        if known and len(known) == len(grouped_field_set):
            return known
        others = {name: details for name, details in grouped_field_set.items() if name not in known}
        executed = super().execute_fields(parent_type, source_value, path, others, position_context)
        if not known:
            return executed
        if isinstance(executed, dict):
            return _merged(grouped_field_set, known, executed)
        return _merged_when_done(grouped_field_set, known, executed)

    def _project(
        self,
        kind: GraphQLObjectType,
        source: Any,
        path: Path | None,
        selected: GroupedFieldSet,
    ) -> dict[str, Any]:
        """Return the values of the plain fields, except those that only graphql-core completes."""
        known: dict[str, Any] = {}
        if path is None:  # a root type: its fields have resolvers
            return known
        for name, project in self._projected(kind, selected).items():
            with suppress(Exception):  # graphql-core reads the field again, for its error
                known[name] = project(source)
        return known

    def _projected(
        self, kind: GraphQLObjectType, selected: GroupedFieldSet
    ) -> Mapping[str, Project]:
        found = self._selections.fields.get(id(selected))
        if found is None:
            found = project_fields(self.schema, kind, selected, self._subfields)
            self._selections.fields[id(selected)] = found
        return found

    def _subfields(self, kind: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet:
        return self.collect_subfields(kind, details).grouped_field_set

    def _value_projection(
        self, kind: GraphQLOutputType, details: FieldDetailsList
    ) -> Project | None:
        key, values = (kind, _nodes_of(details)), self._selections.values
        if key not in values:
            values[key] = project_value(self.schema, kind, details, self._subfields)
        return values[key]

    def execute_fields_serially(self, *args: Any) -> AwaitableOrValue[dict[str, Any]]:
        """Execute the mutations of a document in order, each when this turn has time for it."""
        grouped_field_set: GroupedFieldSet = args[3]
        if len(grouped_field_set) == 1 and not _turn_budget().is_spent(MUTATIONS_S):
            return super().execute_fields_serially(*args)
        return self._execute_in_turns(*args)

    async def _execute_in_turns(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> dict[str, Any]:
        budget = _turn_budget()
        results: dict[str, Any] = {}
        for name, details in grouped_field_set.items():
            if results:
                await asyncio.sleep(0)
            while budget.is_spent(MUTATIONS_S):
                await asyncio.sleep(0)
            result: Any = super().execute_fields_serially(
                parent_type, source_value, path, {name: details}, position_context
            )
            results.update(await result if self.is_awaitable(result) else result)
        return results

    def complete_iterable_value(self, *args: Any) -> AwaitableOrValue[list[Any]]:
        """Complete a list, in slices if it takes long. The schema has no `@stream`."""
        item_type, details, info, path, items, position_context = args
        completed: list[Any] = []
        awaitable: list[int] = []

        project = self._value_projection(item_type, details) or _not_projected

        def complete(index: int, item: object) -> bool:
            with suppress(Exception):  # as in `_project`
                completed.append(project(item))
                return False
            place = path.add_key(index, None)
            return self.complete_list_item_value(
                item, completed, item_type, details, info, place, position_context
            )

        waiting, budget = enumerate(items), _turn_budget()
        try:
            for index, item in waiting:
                if complete(index, item):
                    awaitable.append(index)
                if budget.is_spent():
                    return self._complete_rest(completed, awaitable, waiting, complete)
        except Exception:
            if awaitable:
                self.settle_in_background([completed[index] for index in awaitable])
            raise
        return _awaited(completed, awaitable) if awaitable else completed

    async def _complete_rest(
        self,
        completed: list[Any],
        awaitable: list[int],
        waiting: Iterator[tuple[int, Any]],
        complete: Callable[[int, Any], bool],
    ) -> list[Any]:
        """Complete the `waiting` items; what has to be awaited starts at once."""
        budget = _turn_budget()
        tasks: dict[int, asyncio.Future[Any]] = {}
        try:
            for index in awaitable:
                completed[index] = tasks[index] = asyncio.ensure_future(completed[index])
            for index, item in waiting:
                while budget.is_spent():
                    await asyncio.sleep(0)
                if complete(index, item):
                    completed[index] = tasks[index] = asyncio.ensure_future(completed[index])
            return await _awaited(completed, list(tasks))
        except Exception:
            self.settle_in_background(list(tasks.values()))
            raise
        except asyncio.CancelledError:
            await _cancel(tasks.values())
            raise


def _not_projected(_value: object) -> object:
    raise Unusual


def _merged(
    order: Iterable[str], known: Mapping[str, Any], executed: Mapping[str, Any]
) -> dict[str, Any]:
    results = {**known, **executed}
    return {name: results[name] for name in order if name in results}


async def _merged_when_done(
    order: Iterable[str], known: Mapping[str, Any], executing: Awaitable[Mapping[str, Any]]
) -> dict[str, Any]:
    return _merged(order, known, await executing)


async def _cancel(tasks: Collection[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _awaited(completed: list[Any], awaitable: list[int]) -> list[Any]:
    """Replace the awaitable values by their results."""
    results = await gather_with_cancel(*(completed[index] for index in awaitable))
    for index, result in zip(awaitable, results, strict=True):
        completed[index] = result
    return completed


def _nodes_of(details: FieldDetailsList) -> tuple[int, ...]:
    return tuple([id(each.node) for each in details])


class EventExecutor(SlicingExecutor):
    """Executes the selection set of a subscription's root field for each event."""

    def build_per_event_executor(self, payload: Any) -> Self:
        """Copy the executor for one event."""
        executor = object.__new__(type(self))
        executor.__dict__.update(self.__dict__)
        executor.root_value = payload
        executor.collected_errors = CollectedErrors()
        return executor

    def execute_root_grouped_field_set(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Complete the single root field with the event as its value."""
        ((name, details),) = grouped_field_set.items()
        nodes = [each.node for each in details]
        field = self.schema.get_field(root_type, nodes[0].name.value)
        assert field is not None
        path = Path(None, name, root_type.name)
        project = self._value_projection(field.type, details)
        if project is not None:
            with suppress(Exception):  # as in `_project`
                return {name: project(root_value)}
        info = self.build_resolve_info(field, nodes, root_type, path)
        try:
            value = self.complete_value(field.type, details, info, path, root_value, None)
        except Exception as error:  # a resolver may raise anything: graphql-core adds the location
            self.handle_field_error(error, field.type, details, path)
            value = None
        if not self.is_awaitable(value):
            return {name: value}

        async def awaited(value: Awaitable[Any]) -> dict[str, Any]:
            try:
                return {name: await value}
            except Exception as error:  # as above
                self.handle_field_error(error, field.type, details, path)
                return {name: None}

        return awaited(value)
