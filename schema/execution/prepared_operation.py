"""Prepared operations: data that all executions of an operation share, computed once."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, TypeGuard, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    Undefined,
    default_field_resolver,
    default_type_resolver,
    get_nullable_type,
    get_variable_values,
    is_input_object_type,
    is_list_type,
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

from ostinato.schema.execution.executors import EventExecutor, SelectionCache, SlicingExecutor
from ostinato.schema.execution.root_fields import find_operation, fragments_by_name
from ostinato.schema.execution.strawberry_internals import core_schema

MAX_ERRORS = 20  # per set of variables
MAX_LIST_ITEMS = 1_000  # the limit of the longest list, `items` in `addItems`

AwaitableTest = Callable[[Any], TypeGuard[Awaitable[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedOperation:
    """An operation of a valid document, ready for execution."""

    schema: Schema
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    signatures: tuple[GraphQLVariableSignature, ...]
    """The signatures of its variables."""
    list_variables: tuple[GraphQLVariableSignature, ...]
    """Those with a type that contains a list."""
    selections: SelectionCache | None
    """None if the selections depend on variables: the document has directives."""

    def create_executor(
        self, variables: Mapping[str, Any] | None, context: object, *, hide_suggestions: bool
    ) -> Executor[Any] | list[GraphQLError]:
        """Create an executor for one execution; return errors if variables are invalid."""
        if errors := self._long_lists(variables or {}):
            return errors
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
        is_subscription = self.operation.operation is OperationType.SUBSCRIPTION
        kind = EventExecutor if is_subscription else SlicingExecutor
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
            selections=self.selections or SelectionCache(),
        )

    def _long_lists(self, given: Mapping[str, Any]) -> list[GraphQLError]:
        """Return an error for each variable with a list that is too long to be coerced."""
        errors: list[GraphQLError] = []
        for signature in self.list_variables:
            value, name = given.get(signature.name), signature.name
            for path, size in islice(_find_long_lists(value, signature.type), 1):
                where = f" at {path}" if path else ""
                problem = f"a list has at most {MAX_LIST_ITEMS} items, got {size}"
                nodes = [
                    each
                    for each in self.operation.variable_definitions or ()
                    if each.variable.name.value == name
                ]
                message = f"Variable '${name}' has invalid value{where}: {problem}"
                errors.append(GraphQLError(message, nodes))
        return errors

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
    signatures = tuple(each for each in found if not isinstance(each, GraphQLError))
    fragments = fragments_by_name(document)
    roots = (operation.selection_set, *(each.selection_set for each in fragments.values()))
    return PreparedOperation(
        schema=schema,
        operation=operation,
        fragments=fragments,
        selections=None if any(map(_has_directives, roots)) else SelectionCache(),
        signatures=signatures,
        list_variables=tuple(each for each in signatures if _contains_list(each.type)),
    )


def _has_directives(selections: SelectionSetNode | None) -> bool:
    if selections is None:
        return False
    return any(
        each.directives or _has_directives(getattr(each, "selection_set", None))
        for each in selections.selections
    )


def _contains_list(
    kind: GraphQLInputType, outer: frozenset[GraphQLInputType] = frozenset()
) -> bool:
    nullable = get_nullable_type(kind)
    if is_list_type(nullable):
        return True
    if not is_input_object_type(nullable) or nullable in outer:
        return False
    return any(_contains_list(each.type, outer | {nullable}) for each in nullable.fields.values())


@lru_cache(maxsize=1_000)
def _fields_with_lists(kind: GraphQLInputObjectType) -> tuple[tuple[str, GraphQLInputType], ...]:
    """Return the names and types of the fields of an input that contain lists."""
    fields = kind.fields.items()
    return tuple((name, field.type) for name, field in fields if _contains_list(field.type))


def _find_long_lists(
    value: object, kind: GraphQLInputType, path: str = ""
) -> Iterator[tuple[str, int]]:
    """Yield the path and the length of each list in a variable that is too long."""
    nullable = get_nullable_type(kind)
    if is_list_type(nullable) and isinstance(value, list):
        if len(value) > MAX_LIST_ITEMS:
            yield path, len(value)
        elif _contains_list(nullable.of_type):
            for index, item in enumerate(value):
                yield from _find_long_lists(item, nullable.of_type, f"{path}[{index}]")
    elif is_input_object_type(nullable) and isinstance(value, dict):
        for name, field_type in _fields_with_lists(nullable):
            yield from _find_long_lists(value.get(name), field_type, f"{path}.{name}")
