"""Executes the events of a subscription, sharing what is equal for all events."""

from collections.abc import Awaitable
from typing import Any, Self

from graphql import GraphQLObjectType
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import CollectedErrors
from graphql.pyutils import AwaitableOrValue, Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

Selected = tuple[GraphQLObjectType, tuple[int, ...]]


class EventExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes the selection set of the root field with each event as its value.

    graphql-core caches collected subfields by the identity of a list of nodes, which it recreates
    for every event. That would cost work for each event and leak memory.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._selected: dict[Selected, CollectedFields] = {}

    def build_per_event_executor(self, payload: Any) -> Self:
        """Copy the executor for one event."""
        executor = object.__new__(type(self))
        executor.__dict__.update(self.__dict__)
        executor.root_value = payload
        executor.collected_errors = CollectedErrors()
        return executor

    def collect_subfields(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList
    ) -> CollectedFields:
        """Cache the subfields by the identity of the nodes, which live as long as the document."""
        key = (return_type, tuple([id(details.node) for details in field_details_list]))
        found = self._selected.get(key)
        if found is None:
            found = super().collect_subfields(return_type, field_details_list)
            self._selected[key] = found
        return found

    def execute_root_grouped_field_set(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Complete the event as the value of the single root field."""
        ((name, details),) = grouped_field_set.items()
        nodes = [each.node for each in details]
        field = self.schema.get_field(root_type, nodes[0].name.value)
        assert field is not None
        path = Path(None, name, root_type.name)
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
