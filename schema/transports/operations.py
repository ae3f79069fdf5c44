"""The operations of a WebSocket, each in its own task; an error ends only its operation."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from graphql import OperationType

from ostinato.jobs.engine import to_client_error
from ostinato.jobs.errors import (
    BadRequest,
    OstinatoError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.execution.documents import RequestRejected
from ostinato.schema.execution.encoding import encode_json
from ostinato.schema.execution.operation_runner import RETRY_AFTER_MS, Operation, OperationRunner
from ostinato.schema.fanout.frames import FrameBatch
from ostinato.schema.fanout.subscription_runner import SubscriptionRunner
from ostinato.schema.transports.channel import Channel
from ostinato.schema.transports.connections import ConnectionClosing
from ostinato.schema.transports.graphql_ws import (
    CloseCode,
    InvalidSubscribe,
    Subscribe,
    complete_message,
    error_message,
    next_prefix,
)

MESSAGES_PER_OPERATION = 10  # messages that start no operation, and count as one
MAX_REJECTED = 100  # operations over the rate, without one that is admitted
RESUMABLE_CODES = frozenset({"SLOW_CONSUMER", "UNAVAILABLE"})
"""Codes of errors after which clients reconnect and resume the subscription from its cursor."""


@dataclass(slots=True, eq=False)
class RunningOperation:
    """An operation from `subscribe` to its last message."""

    task: asyncio.Task[None]
    kind: OperationType | None = None
    """None until the document is parsed."""
    is_over: bool = False
    """Whether the operation has ended; no more messages may be sent for it."""


class Operations:
    """The running operations of a WebSocket, by operation id."""

    def __init__(
        self,
        channel: Channel,
        runner: OperationRunner,
        subscriptions: SubscriptionRunner,
        tasks: asyncio.TaskGroup,
        settings: Settings,
    ) -> None:
        self._channel = channel
        self._runner = runner
        self._subscriptions = subscriptions
        self._tasks = tasks
        self._max_operations = settings.max_operations_per_socket
        self._running: dict[str, RunningOperation] = {}
        self._other_messages = 0
        self._rejected = 0

    async def start(self, message: Subscribe, viewer: Viewer) -> None:
        """Start an operation.

        Raises ConnectionClosing if its id is in use, or after too many operations over the rate.
        """
        self._require_free(message.id)
        if not await self._admit(message.id, viewer):
            return
        if len(self._running) >= self._max_operations:
            text = (
                f"the connection already has {self._max_operations} operations: complete one "
                "first, or raise OSTINATO_MAX_OPERATIONS_PER_SOCKET on the server"
            )
            error = TooManyRequests(text, RETRY_AFTER_MS)
            await self._channel.send(error_message(message.id, [format_exception(error)]))
            return
        task = self._tasks.create_task(self._run(message, viewer))
        self._running[message.id] = RunningOperation(task)

    def count(self, viewer: Viewer) -> None:
        """Count a message that starts no operation; raises ConnectionClosing beyond the rate."""
        self._other_messages += 1
        if self._other_messages % MESSAGES_PER_OPERATION:
            return
        try:
            self._runner.admit(viewer, "")
        except TooManyRequests as error:
            raise _rate_exceeded(error) from None

    async def reject(self, message: InvalidSubscribe) -> None:
        """Send an error for an invalid operation; raises ConnectionClosing if its id is in use."""
        self._require_free(message.id)
        errors = [format_exception(BadRequest(message.problem))]
        await self._channel.send(error_message(message.id, errors))

    def stop(self, operation_id: str) -> None:
        """Cancel an operation after the client's `complete`; sends no more messages for it."""
        if running := self._running.pop(operation_id, None):
            running.is_over = True
            running.task.cancel()

    async def expire(self, error: Unauthorized) -> None:
        """Cancel all operations after the token has ended, with the error for each."""
        expired, self._running = self._running, {}
        for running in expired.values():
            running.is_over = True
            running.task.cancel()
        errors = [format_exception(error)]
        for operation_id, running in expired.items():
            await self._channel.send(_expiry_message(operation_id, running, errors))

    async def report_interrupted_mutations(self, reason: str) -> None:
        """Send an error for each running mutation, because its outcome is unknown.

        Without a final message, graphql-ws would send the mutation again after reconnecting.
        """
        message = f"{reason}. The outcome of the mutation is unknown: check it before retrying"
        errors = [format_exception(Unavailable(message))]
        interrupted, self._running = self._running, {}
        for operation_id, running in interrupted.items():
            if running.kind is OperationType.MUTATION:
                await self._channel.send(error_message(operation_id, errors))

    async def _admit(self, operation_id: str, viewer: Viewer) -> bool:
        """Count an operation of the viewer; beyond the rate, send the error and return False.

        Raises ConnectionClosing after too many operations over the rate.
        """
        try:
            self._runner.admit(viewer, "")
        except TooManyRequests as error:
            self._rejected += 1
            if self._rejected > MAX_REJECTED:
                raise _rate_exceeded(error) from None
            await self._channel.send(error_message(operation_id, [format_exception(error)]))
            return False
        self._rejected = 0
        return True

    def _require_free(self, operation_id: str) -> None:
        if operation_id in self._running:
            reason = f"Subscriber for {operation_id} already exists"
            raise ConnectionClosing(CloseCode.SUBSCRIBER_EXISTS, reason)

    async def _run(self, message: Subscribe, viewer: Viewer) -> None:
        running = self._running[message.id]
        try:
            operation = await self._runner.prepare(message.request, viewer)
            running.kind = operation.kind
            await self._send_results(message.id, operation, viewer, running)
            last = complete_message(message.id)
        except RequestRejected as rejected:
            last = error_message(message.id, rejected.errors)
        except ConnectionClosing:
            raise
        except Exception as error:  # an error of one subscription must not end the others
            last = error_message(message.id, [_format_source_error(error)])
        if self._running.get(message.id) is running:
            del self._running[message.id]
            await self._channel.send(last)

    async def _send_results(
        self, operation_id: str, operation: Operation, viewer: Viewer, running: RunningOperation
    ) -> None:
        prefix = next_prefix(operation_id)
        if operation.kind is not OperationType.SUBSCRIPTION:
            response = await self._runner.run(operation, viewer)
            await self._channel.send(prefix + response + b"}")
            return

        def push(batch: FrameBatch) -> bool:
            # True after its end: the results are dropped.
            return running.is_over or self._channel.push(batch.with_prefix(prefix))

        async with aclosing(self._subscriptions.results(operation, viewer, push)) as results:
            async for result in results:
                await self._channel.send(prefix + result.payload + b"}")


def _rate_exceeded(error: TooManyRequests) -> ConnectionClosing:
    return ConnectionClosing(CloseCode.TRY_AGAIN_LATER, str(error))


def to_resumable_error(error: Exception) -> OstinatoError | None:
    """Return the client error if the client should reconnect and resume; None otherwise."""
    known = to_client_error(error)
    return known if isinstance(known, OstinatoError) and known.code in RESUMABLE_CODES else None


def _format_source_error(error: Exception) -> FormattedError:
    """Format an error; raises ConnectionClosing if the client should reconnect and resume."""
    if (resumable := to_resumable_error(error)) is not None:
        raise ConnectionClosing(CloseCode.TRY_AGAIN_LATER, str(resumable)) from None
    return format_exception(error)


def _expiry_message(
    operation_id: str, running: RunningOperation, errors: list[FormattedError]
) -> bytes:
    """Encode the token expiry error for an operation.

    graphql-ws clients treat `error` as final; after `next` and a close, they resubscribe with a new
    token. A mutation must not be sent again, so it gets `error`.
    """
    if running.kind is not OperationType.SUBSCRIPTION:
        return error_message(operation_id, errors)
    return next_prefix(operation_id) + encode_json({"data": None, "errors": errors}) + b"}"
