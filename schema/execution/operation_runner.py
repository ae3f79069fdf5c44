"""Executes operations with a timeout, and encodes the results as JSON.

This includes the events of subscriptions; schema/fanout decides which clients share an execution.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable
from typing import Any, NamedTuple, TypeAlias, cast

from graphql import ExecutionResult, OperationType
from graphql.execution import Executor, create_source_event_stream, execute_subscription_event
from strawberry import Schema

from ostinato.jobs.async_tools.cpu_thread import run_in_cpu_thread
from ostinato.jobs.errors import BadRequest, PayloadTooLarge, TimedOut, TooManyRequests
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.settings import Settings
from ostinato.jobs.tracing import tracing
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.throttle import Throttle, operation_holder
from ostinato.schema.errors import (
    FormattedError,
    format_exception,
    format_execution_errors,
    format_variable_errors,
)
from ostinato.schema.execution.document_limits import DocumentLimits
from ostinato.schema.execution.documents import (
    MAX_INLINE_CHARS,
    DocumentCache,
    PreparedDocument,
    RequestRejected,
)
from ostinato.schema.execution.encoding import EncodedResult, Path, encode_json
from ostinato.schema.execution.fingerprint import OperationFingerprint, fingerprint_of
from ostinato.schema.execution.operation_metrics import OperationMetrics
from ostinato.schema.execution.operation_request import OperationRequest
from ostinato.schema.execution.persisted import read_allowed_documents
from ostinato.schema.execution.prepared_operation import PreparedOperation, prepare_operation
from ostinato.schema.execution.root_fields import after_argument, find_operation
from ostinato.schema.execution.strawberry_internals import core_schema

MAX_WRITTEN_DEPTH = 200  # maximum of the encoder
RETRY_AFTER_MS = 1_000
MAX_RUNNING = 5  # of the most expensive operations, by one user at once

ContextFactory = Callable[[Viewer | None], object]
OperationExecutor: TypeAlias = Executor[Any]
"""The executor of one operation for one viewer; only this package uses its attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A valid operation, ready to execute."""

    request: OperationRequest
    prepared: PreparedDocument
    kind: OperationType
    cost: int = 0

    @property
    def after(self) -> object:
        """The `after` argument of a subscription's root field; None if omitted."""
        request = self.request
        return after_argument(
            self.prepared.document, request.operation_name, request.variables or {}
        )


class _Response(NamedTuple):
    """An encoded response and its errors."""

    payload: bytes
    errors: list[FormattedError]


@dataclass(slots=True)
class _Running:
    """The running queries and mutations of a user."""

    operations: int = 0
    cost: int = 0


class OperationRunner:
    """Executes operations of one schema; calls `create_context` for each execution."""

    def __init__(
        self,
        schema: Schema,
        settings: Settings,
        create_context: ContextFactory,
        throttle: Throttle | None = None,
    ) -> None:
        if schema.extensions or schema.directives:
            raise ValueError("schema extensions and operation directives are not supported")
        self._schema = schema
        self._create_context = create_context
        self._throttle = throttle
        self._timeout_s = settings.request_timeout_ms / 1_000
        self._max_response_bytes = settings.max_response_bytes
        self.max_subscription_bytes = settings.max_subscription_bytes_per_user
        self.max_running = settings.max_operations_per_user
        self.max_running_cost = MAX_RUNNING * settings.max_cost
        self._running: dict[str | None, _Running] = {}
        """What is running, by user."""
        limits = DocumentLimits.of(settings)
        path = settings.operations_file
        self._documents = DocumentCache(
            schema,
            limits,
            introspection=settings.allows_introspection,
            allowed=None if path is None else read_allowed_documents(path),
        )
        self._hide_suggestions = not settings.allows_introspection
        self.metrics = OperationMetrics()

    def admit(self, viewer: Viewer | None, address: str) -> None:
        """Count an operation of the viewer or address; raises TooManyRequests beyond the rate."""
        if self._throttle is None:
            return
        try:
            self._throttle.take(operation_holder(_user_id(viewer), address))
        except TooManyRequests as error:
            self.metrics.count(None, error.code)
            raise

    async def prepare(self, request: OperationRequest, viewer: Viewer | None = None) -> Operation:
        """Parse and validate the document, and select the operation; raises RequestRejected."""
        user = _user_id(viewer)
        with self.metrics.count_rejection(None), self._counted(user):
            prepared = await self._prepare_in_time(request, user)
            kind = prepared.operations.get(request.operation_name)
            if kind is None:
                raise RequestRejected([format_exception(_unknown_operation(request))])
            if kind is OperationType.SUBSCRIPTION:
                request = _without_undeclared_variables(request, prepared)
            name, variables = request.operation_name, request.variables or {}
            cost = self._documents.cost_of(prepared, name, variables)
            return Operation(request=request, prepared=prepared, kind=kind, cost=cost)

    async def _prepare_in_time(
        self, request: OperationRequest, user: str | None
    ) -> PreparedDocument:
        try:
            return await self._documents.prepare(
                request.query, request.extensions, user, self._timeout_s
            )
        except TimeoutError:
            raise RequestRejected([format_exception(self._timed_out())]) from None

    async def run(self, operation: Operation, viewer: Viewer | None) -> bytes:
        """Execute a query or mutation and return the response as JSON; raises RequestRejected."""
        kind, name = operation.kind, operation.request.operation_name
        with (
            self.metrics.count_rejection(kind),
            self._counted(_user_id(viewer), operation.cost),
            tracing.operation(kind.value, name) as record_errors,
        ):
            response = await self._run(self.executor(operation, viewer))
            record_errors(len(response.errors))
        self.metrics.count_response(kind, response.errors)
        return response.payload

    async def _run(self, executor: OperationExecutor) -> _Response:
        try:
            async with asyncio.timeout(self._timeout_s):
                result = executor.execute_operation()
                if isawaitable(result):
                    result = await result
        except TimeoutError:
            return _error_response(self._timed_out())
        # The schema has no @defer or @stream, so there is always a single result.
        return self._limited(_encode_response(cast("ExecutionResult", result)))

    def _limited(self, response: _Response) -> _Response:
        """Replace a response over the limit by an error."""
        if len(response.payload) > self._max_response_bytes:
            return _error_response(self._too_large(len(response.payload)))
        return response

    @contextmanager
    def _counted(self, user: str | None, cost: int = 0) -> Iterator[None]:
        """Count a running operation of a user; raises RequestRejected beyond the limits."""
        running = self._running.setdefault(user, _Running())
        if running.operations >= self.max_running or running.cost + cost > self.max_running_cost:
            raise RequestRejected([format_exception(self._too_many())])
        running.operations += 1
        running.cost += cost
        try:
            yield
        finally:
            running.operations -= 1
            running.cost -= cost
            if not running.operations:
                self._running.pop(user, None)

    async def execute_event(
        self, executor: OperationExecutor, viewer: Viewer | None, message: object
    ) -> EncodedResult:
        """Execute the selection set of a subscription for one message."""
        run = executor.build_per_event_executor(message)
        run.context_value = self._create_context(viewer)
        response = self._limited(_encode_response(await self._run_event(run)))
        self.metrics.results += 1
        return EncodedResult(response.payload, getattr(message, "cursor", None))

    def fingerprint(self, operation: Operation, excluded: frozenset[str]) -> OperationFingerprint:
        """Return the cached fingerprint of a subscription, without the `excluded` arguments."""
        prepared, name = operation.prepared, operation.request.operation_name
        found = prepared.fingerprints.get((name, excluded))
        if found is None:
            core = core_schema(self._schema)
            found = fingerprint_of(core, prepared.document, name, excluded)
            prepared.fingerprints[name, excluded] = found
        return found

    async def prepare_fingerprint(
        self, operation: Operation, excluded: frozenset[str], viewer: Viewer | None
    ) -> None:
        """Compute the fingerprint of a long document in the thread, which takes up to 100 ms."""
        is_cached = (operation.request.operation_name, excluded) in operation.prepared.fingerprints
        if operation.prepared.source_chars > MAX_INLINE_CHARS and not is_cached:
            compute = partial(self.fingerprint, operation, excluded)
            await run_in_cpu_thread(_user_id(viewer), compute)

    async def open_source(self, executor: OperationExecutor) -> AsyncIterable[Any]:
        """Call the root field of a subscription and return its source; raises RequestRejected."""
        try:
            async with asyncio.timeout(self._timeout_s):
                source = create_source_event_stream(executor)
                if isawaitable(source):
                    source = await source
        except TimeoutError:
            raise RequestRejected([format_exception(self._timed_out())]) from None
        if isinstance(source, ExecutionResult):
            raise RequestRejected(format_execution_errors(source.errors or ()))
        return source

    async def _run_event(self, executor: OperationExecutor) -> ExecutionResult:
        result = execute_subscription_event(executor)
        if not isawaitable(result):
            return result
        try:
            async with asyncio.timeout(self._timeout_s):
                return await result
        except TimeoutError:
            raise self._timed_out() from None

    def _timed_out(self) -> TimedOut:
        return TimedOut(
            f"the operation took longer than {self._timeout_s:g} s; a mutation may have been "
            "applied: check its outcome, then send a smaller request, or raise "
            "OSTINATO_REQUEST_TIMEOUT_MS on the server"
        )

    def _too_large(self, size_bytes: int) -> PayloadTooLarge:
        return PayloadTooLarge(
            f"the response has {size_bytes} bytes, and the limit is {self._max_response_bytes}: "
            "request smaller pages or fewer fields (a mutation has been applied), or raise "
            "OSTINATO_MAX_RESPONSE_BYTES on the server"
        )

    def _too_many(self) -> TooManyRequests:
        message = (
            f"you have too much running: at most {self.max_running} operations, and "
            f"{self.max_running_cost} points; wait for one, or raise "
            "OSTINATO_MAX_OPERATIONS_PER_USER or OSTINATO_MAX_COST on the server"
        )
        return TooManyRequests(message, RETRY_AFTER_MS)

    def executor(self, operation: Operation, viewer: Viewer | None) -> OperationExecutor:
        """Create an executor for one viewer; raises RequestRejected for invalid variables."""
        executor = self._prepared_operation(operation).create_executor(
            operation.request.variables,
            self._create_context(viewer),
            hide_suggestions=self._hide_suggestions,
        )
        if isinstance(executor, list):
            raise RequestRejected(format_variable_errors(executor))
        return executor

    def _prepared_operation(self, operation: Operation) -> PreparedOperation:
        prepared, name = operation.prepared, operation.request.operation_name
        prepared_operation = prepared.prepared_operations.get(name)
        if prepared_operation is None:
            prepared_operation = prepared.prepared_operations[name] = prepare_operation(
                self._schema, prepared.document, name
            )
        return prepared_operation


def _user_id(viewer: Viewer | None) -> str | None:
    return None if viewer is None else viewer.id


def _without_undeclared_variables(
    request: OperationRequest, prepared: PreparedDocument
) -> OperationRequest:
    """Drop variables that a subscription does not declare, because it would keep them."""
    operation = find_operation(prepared.document, request.operation_name)
    declared = {each.variable.name.value for each in operation.variable_definitions or ()}
    given = request.variables or {}
    kept = {name: value for name, value in given.items() if name in declared}
    return replace(request, variables=kept)


def _unknown_operation(request: OperationRequest) -> BadRequest:
    if request.operation_name is None:
        return BadRequest("the document does not have exactly one operation: send `operationName`")
    return BadRequest("the document has no operation with the name in `operationName`")


def _encode_response(result: ExecutionResult) -> _Response:
    errors = format_execution_errors(result.errors or ())
    try:
        return _Response(encode_json(_response_data(result.data, errors)), errors)
    except TypeError:  # one value that JSON cannot represent must not fail the response
        data = _replace_unencodable(result.data, (), errors)
        return _Response(encode_json(_response_data(data, errors)), errors)


def _response_data(data: object, errors: list[FormattedError]) -> dict[str, object]:
    return {"errors": errors, "data": data} if errors else {"data": data}


def _replace_unencodable(value: object, path: Path, errors: list[FormattedError]) -> object:
    """Replace each value that JSON cannot represent with null, and add an error with its path."""
    if isinstance(value, dict) and len(path) < MAX_WRITTEN_DEPTH:
        named = ((replace_surrogates(str(key)), inner) for key, inner in value.items())
        return {key: _replace_unencodable(inner, (*path, key), errors) for key, inner in named}
    if isinstance(value, list) and len(path) < MAX_WRITTEN_DEPTH:
        return [
            _replace_unencodable(inner, (*path, index), errors) for index, inner in enumerate(value)
        ]
    try:
        encode_json(value)
    except TypeError as error:
        errors.append({**format_exception(error), "path": list(path)})
        return None
    return value


def _error_response(error: Exception) -> _Response:
    errors = [format_exception(error)]
    return _Response(encode_json({"errors": errors, "data": None}), errors)
