"""Prepared operations: data that all executions of an operation share, computed once."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeGuard, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    default_field_resolver,
    default_type_resolver,
    get_variable_values,
    is_non_null_type,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
)
from graphql.execution.executor import CollectedErrors
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.pyutils import AwaitableOrValue, Path
from graphql.utilities import coerce_input_value
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from ostinato.schema.execution.root_fields import find_operation, fragments_by_name
from ostinato.schema.execution.strawberry_internals import core_schema

MAX_ERRORS = 50  # per set of variables; graphql-core's default

AwaitableTest = Callable[[Any], TypeGuard[Awaitable[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedOperation:
    """An operation of a valid document, ready for execution."""

    schema: Schema
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    signatures: tuple[GraphQLVariableSignature, ...]
    """The signatures of its variables."""

    def create_executor(
        self, variables: Mapping[str, Any] | None, context: object, *, hide_suggestions: bool
    ) -> Executor[Any] | list[GraphQLError]:
        """Create an executor for one execution; return errors if variables are invalid."""
        values = self._coerced(variables or {}) or get_variable_values(
            core_schema(self.schema),
            self.operation.variable_definitions or (),
            dict(variables or {}),
            max_errors=MAX_ERRORS,
            hide_suggestions=hide_suggestions,
        )
        if isinstance(values, list):
            return values
        fragments = {name: FragmentDetails(node) for name, node in self.fragments.items()}
        kind: type[Executor[Any]] = self.schema.execution_context_class
        if self.operation.operation is OperationType.SUBSCRIPTION:
            kind = EventExecutor
        return kind(
            core_schema(self.schema),
            dict(self.fragments),
            fragments,
            None,
            context,
            self.operation,
            values,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=cast("AwaitableTest", optimized_is_awaitable),
            hide_suggestions=hide_suggestions,
        )

    def _coerced(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Coerce the variables; None if a variable needs its default or is invalid."""
        sources: dict[str, VariableValueSource] = {}
        values: dict[str, Any] = {}
        for signature in self.signatures:
            value = given.get(signature.name, Undefined)
            sources[signature.name] = VariableValueSource(signature, value)
            if value is Undefined:
                if signature.default is not None or is_non_null_type(signature.type):
                    return None
                continue
            values[signature.name] = coerce_input_value(value, signature.type)
            if values[signature.name] is Undefined:
                return None
        return VariableValues(sources, values)


def prepare_operation(
    schema: Schema, document: DocumentNode, operation_name: str | None
) -> PreparedOperation:
    """Prepare an operation for repeated execution."""
    operation = find_operation(document, operation_name)
    core = core_schema(schema)
    found = [get_variable_signature(core, each) for each in operation.variable_definitions or ()]
    return PreparedOperation(
        schema=schema,
        operation=operation,
        fragments=fragments_by_name(document),
        signatures=tuple(each for each in found if not isinstance(each, GraphQLError)),
    )


Selected = tuple[GraphQLObjectType, tuple[int, ...]]


class EventExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes the selection set of a subscription's root field for each event.

    graphql-core caches collected subfields by the identity of a list of nodes, but recreates the
    list for every event: the cache would never hit, and would leak memory.
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
        """Collect the subfields, cached by the identity of the document's nodes."""
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
        """Complete the single root field with the event as its value."""
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
