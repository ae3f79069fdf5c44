"""Prepares operations: creates executors from what is computed once per document."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    default_field_resolver,
    default_type_resolver,
    get_variable_values,
    is_non_null_type,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.utilities import coerce_input_value
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable

from ostinato.schema.transports.event_execution import EventExecutor
from ostinato.schema.transports.roots import find_operation, fragments_by_name

MAX_ERRORS = 50  # of variables; graphql-core's default

AwaitableTest = Callable[[Any], TypeGuard[Awaitable[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedOperation:
    """An operation of a valid document."""

    schema: Schema
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    signatures: tuple[GraphQLVariableSignature, ...]
    """The signatures of its variables."""

    def create_executor(
        self, variables: Mapping[str, Any] | None, context: object, *, hide_suggestions: bool
    ) -> Executor[Any] | list[GraphQLError]:
        """Create an executor for one execution, or return the errors of the variables."""
        values = self._coerced(variables or {}) or get_variable_values(
            self.schema._schema,  # noqa: SLF001 # Strawberry has no public access to the graphql-core schema
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
            self.schema._schema,  # noqa: SLF001 # Strawberry has no public access to the graphql-core schema
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
        """Coerce the variables; None if one needs a default or has an error."""
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
    """Compute what all executions of an operation share."""
    operation = find_operation(document, operation_name)
    core = schema._schema  # noqa: SLF001 # Strawberry has no public access to the graphql-core schema
    found = [get_variable_signature(core, each) for each in operation.variable_definitions or ()]
    return PreparedOperation(
        schema=schema,
        operation=operation,
        fragments=fragments_by_name(document),
        signatures=tuple(each for each in found if not isinstance(each, GraphQLError)),
    )
