"""Executes the events of one subscription: what is the same for all of them is found once."""

from collections.abc import Awaitable
from typing import Any, Self

from graphql import GraphQLObjectType
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import CollectedErrors
from graphql.pyutils import AwaitableOrValue, Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

Selected = tuple[GraphQLObjectType, tuple[int, ...]]


class EventExecutor(StrawberryGraphQLCoreExecutionContext):
    """Execute what the event is asked for; the root's arguments were for its source.

    graphql-core keeps the fields selected below each list of nodes, and makes the root's list anew
    for every event: kept by the list's identity, that is work for each event, and memory for ever.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._selected: dict[Selected, CollectedFields] = {}

    def build_per_event_executor(self, payload: Any) -> Self:
        """Copy all but what belongs to one event."""
        executor = object.__new__(type(self))
        executor.__dict__.update(self.__dict__)
        executor.root_value = payload
        executor.collected_errors = CollectedErrors()
        return executor

    def collect_subfields(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList
    ) -> CollectedFields:
        """Keep what is selected by the nodes, which live as long as the document."""
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
        """Complete the event as the value of the one root field."""
        ((name, details),) = grouped_field_set.items()
        nodes = [each.node for each in details]
        field = self.schema.get_field(root_type, nodes[0].name.value)
        assert field is not None
        path = Path(None, name, root_type.name)
        info = self.build_resolve_info(field, nodes, root_type, path)
        try:
            told = self.complete_value(field.type, details, info, path, root_value, None)
        except Exception as error:  # whatever a resolver raised: graphql-core says where
            self.handle_field_error(error, field.type, details, path)
            told = None
        if not self.is_awaitable(told):
            return {name: told}

        async def awaited(told: Awaitable[Any]) -> dict[str, Any]:
            try:
                return {name: await told}
            except Exception as error:  # as above
                self.handle_field_error(error, field.type, details, path)
                return {name: None}

        return awaited(told)
