"""Executes operations for every transport: prepared once, bounded in time, errors shaped, JSON out.

An event of a subscription leaves here encoded, so that one event can be written to many clients.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from typing import Any, NamedTuple, cast

from graphql import ExecutionResult, OperationType
from graphql.execution import Executor, create_source_event_stream, execute_subscription_event
from strawberry import Schema

from ostinato.jobs.errors import BadRequest, TimedOut
from ostinato.jobs.settings import Settings
from ostinato.jobs.values import readable
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.changes import Leg
from ostinato.schema.errors import (
    FormattedError,
    format_exception,
    format_execution_errors,
    format_variable_errors,
)
from ostinato.schema.transports.documents import Documents, Prepared, RequestRejected
from ostinato.schema.transports.encoding import Encoded, Path, encode
from ostinato.schema.transports.groups import Groups
from ostinato.schema.transports.limits import DocumentLimits
from ostinato.schema.transports.members import NOWHERE, Push, Told
from ostinato.schema.transports.persisted import read_allowed
from ostinato.schema.transports.plans import Plan, plan_of
from ostinato.schema.transports.roots import OWN, RESUMING, after_of
from ostinato.schema.transports.sharing import Shape, group_key, shape_of
from ostinato.schema.transports.tally import Tally
from ostinato.schema.transports.way import Telling, Tellings, Way

MAX_WRITTEN_DEPTH = 200  # what the encoder writes

ContextOf = Callable[[Viewer | None, Leg], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRequest:
    """What a client asks to execute; the same on every transport."""

    query: str
    """Empty when the client sent only the document's hash, in `extensions`."""
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None
    after: str | None = None
    """Resume here, as if given to a subscription's root field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One valid operation, ready to run."""

    request: OperationRequest
    prepared: Prepared
    kind: OperationType

    def resumes(self) -> bool:
        """Tell whether a subscription goes on behind a cursor."""
        return self.request.after is not None or self.after is not None

    @property
    def after(self) -> object:
        """The cursor that a subscription's root is given, if there is one."""
        request = self.request
        return after_of(self.prepared.document, request.operation_name, request.variables or {})


class _Answer(NamedTuple):
    """One result, as it is sent, and what went wrong in it."""

    payload: bytes
    errors: list[FormattedError]


class OperationRunner:
    """Run operations of one schema; `context_of` makes what resolvers get, anew for each run."""

    def __init__(self, schema: Schema, settings: Settings, context_of: ContextOf) -> None:
        if schema.extensions or schema.directives:
            raise ValueError("schema extensions and operation directives are not run here")
        self._schema = schema
        self._context_of = context_of
        self._timeout_s = settings.request_timeout_ms / 1_000
        limits = DocumentLimits.of(settings)
        path = settings.operations_file
        self._documents = Documents(
            schema,
            limits,
            introspection=settings.introspection,
            allowed=None if path is None else read_allowed(path),
        )
        self._hide_suggestions = not settings.introspection
        self.groups = Groups(settings.subscription_buffer)
        self.tally = Tally()

    def prepare(self, request: OperationRequest) -> Operation:
        """Parse and validate, and choose the operation; raises RequestRejected."""
        with self.tally.rejection(None):
            prepared = self._documents.prepare(request.query, request.extensions)
            kind = prepared.operations.get(request.operation_name)
            if kind is None:
                raise RequestRejected([format_exception(_unknown_operation(request))])
            return Operation(request=request, prepared=prepared, kind=kind)

    async def run(self, operation: Operation, viewer: Viewer | None) -> bytes:
        """Execute a query or mutation and return the response as JSON; raises RequestRejected."""
        with self.tally.rejection(operation.kind):
            executor = self._executor(operation, viewer, Leg())
        try:
            async with asyncio.timeout(self._timeout_s):
                result = executor.execute_operation()
                if isawaitable(result):
                    result = await result
        except TimeoutError:
            answer = _failure(self._timed_out())
        else:
            # @defer and @stream are not in the schema, so there is always one whole result.
            answer = _answer(cast("ExecutionResult", result))
        self.tally.count_answer(operation.kind, answer.errors)
        return answer.payload

    async def events(
        self, operation: Operation, viewer: Viewer | None, push: Push | None = None
    ) -> AsyncGenerator[Encoded, None]:
        """Yield each result of a subscription that is not pushed; raises RequestRejected."""

        def told(own: frozenset[str]) -> Telling:
            shape = self._shape_of(operation, own)
            key, behalf = group_key(shape, operation.request.variables, viewer)
            return Telling(key, partial(self._told, operation, behalf))

        tellings = Tellings(
            alone=partial(self._told, operation, viewer),
            at_first=partial(told, RESUMING) if self._shape_of(operation, OWN).is_list else None,
            later=partial(told, OWN),
            resumes=operation.resumes(),
        )
        way = Way(tellings, self.groups, push)
        with self.tally.ending(operation.kind):
            async with aclosing(way.results(operation.request.after)) as results:
                async for result in results:
                    yield result

    async def aclose(self) -> None:
        """End whatever is still told."""
        await self.groups.aclose()

    def _shape_of(self, operation: Operation, own: frozenset[str]) -> Shape:
        prepared, name = operation.prepared, operation.request.operation_name
        shape = prepared.shapes.get((name, own))
        if shape is None:
            core = self._schema._schema  # noqa: SLF001 # Strawberry's only way to it
            shape = prepared.shapes[name, own] = shape_of(core, prepared.document, name, own)
        return shape

    async def _told(
        self, operation: Operation, viewer: Viewer | None, leg: Leg
    ) -> AsyncGenerator[Told, None]:
        """Execute one leg of a subscription's way."""
        executor = self._executor(operation, viewer, leg)
        source = await self._source(executor)
        try:
            async for event in source:
                run = executor.build_per_event_executor(event)
                run.context_value = self._context_of(viewer, leg)
                answer = _answer(await self._run_event(run))
                self.tally.results += 1
                encoded = Encoded(answer.payload, getattr(event, "cursor", None))
                yield Told(encoded, getattr(event, "place", NOWHERE))
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()

    async def _source(self, executor: Executor[Any]) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(self._timeout_s):
                source = create_source_event_stream(executor)
                if isawaitable(source):
                    source = await source
        except TimeoutError:
            raise RequestRejected([format_exception(self._timed_out())]) from None
        if isinstance(source, ExecutionResult):
            raise RequestRejected(format_execution_errors(source.errors or ()))
        return aiter(source)

    async def _run_event(self, executor: Executor[Any]) -> ExecutionResult:
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
            f"the operation took longer than {self._timeout_s:g} s, and may have happened: look, "
            "then ask for less at once, or raise OSTINATO_REQUEST_TIMEOUT_MS"
        )

    def _executor(self, operation: Operation, viewer: Viewer | None, leg: Leg) -> Executor[Any]:
        executor = self._plan_of(operation).executor(
            operation.request.variables,
            self._context_of(viewer, leg),
            hide_suggestions=self._hide_suggestions,
        )
        if isinstance(executor, list):
            raise RequestRejected(format_variable_errors(executor))
        return executor

    def _plan_of(self, operation: Operation) -> Plan:
        prepared, name = operation.prepared, operation.request.operation_name
        plan = prepared.plans.get(name)
        if plan is None:
            plan = prepared.plans[name] = plan_of(self._schema, prepared.document, name)
        return plan


def _unknown_operation(request: OperationRequest) -> BadRequest:
    if request.operation_name is None:
        return BadRequest("give `operationName`: the document does not have exactly one operation")
    return BadRequest("the document has no operation of the name that `operationName` gives")


def _answer(result: ExecutionResult) -> _Answer:
    errors = format_execution_errors(result.errors or ())
    try:
        return _Answer(encode(_response(result.data, errors)), errors)
    except TypeError:  # one value that JSON cannot hold must not cost the others
        data = _writable(result.data, (), errors)
        return _Answer(encode(_response(data, errors)), errors)


def _response(data: object, errors: list[FormattedError]) -> dict[str, object]:
    return {"errors": errors, "data": data} if errors else {"data": data}


def _writable(value: object, path: Path, errors: list[FormattedError]) -> object:
    """Copy data with null for each value that JSON cannot hold, and an error that says where."""
    if isinstance(value, dict) and len(path) < MAX_WRITTEN_DEPTH:
        named = ((readable(str(key)), inner) for key, inner in value.items())
        return {key: _writable(inner, (*path, key), errors) for key, inner in named}
    if isinstance(value, list) and len(path) < MAX_WRITTEN_DEPTH:
        return [_writable(inner, (*path, index), errors) for index, inner in enumerate(value)]
    try:
        encode(value)
    except TypeError as error:
        errors.append({**format_exception(error), "path": list(path)})
        return None
    return value


def _failure(error: Exception) -> _Answer:
    errors = [format_exception(error)]
    return _Answer(encode({"errors": errors, "data": None}), errors)
