"""Runs the operations of one socket, each in its own task; an error ends its operation only."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from graphql import OperationType

from ostinato.jobs.errors import (
    BadRequest,
    OstinatoError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.outages import expected
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.transports.channel import Channel
from ostinato.schema.transports.documents import RequestRejected
from ostinato.schema.transports.encoding import encode
from ostinato.schema.transports.execution import Operation, OperationRunner
from ostinato.schema.transports.frames import Batch
from ostinato.schema.transports.protocol import (
    CloseCode,
    Subscribe,
    UnreadableSubscribe,
    complete_message,
    error_message,
    next_prefix,
)
from ostinato.schema.transports.sockets import SocketClosing

RETRY_AFTER_MS = 1_000
RESUMABLE = frozenset({"SLOW_CONSUMER", "UNAVAILABLE"})
"""Codes of errors after which a subscription goes on, in a new socket and from its cursor."""


@dataclass(slots=True, eq=False)
class _Running:
    """An operation from its `subscribe` to its last message."""

    task: asyncio.Task[None]
    kind: OperationType | None = None
    """None until the document is read."""
    is_over: bool = False
    """Whether its last message was sent, or its client wants no more."""


class Operations:
    """The operations of one socket, by the id that its client gave them."""

    def __init__(
        self,
        channel: Channel,
        runner: OperationRunner,
        tasks: asyncio.TaskGroup,
        settings: Settings,
    ) -> None:
        self._channel = channel
        self._runner = runner
        self._tasks = tasks
        self._most = settings.max_operations_per_socket
        self._running: dict[str, _Running] = {}

    async def start(self, message: Subscribe, viewer: Viewer) -> None:
        """Begin an operation; raises SocketClosing if its id is taken."""
        self._require_free(message.id)
        if len(self._running) >= self._most:
            told = (
                f"a socket may have {self._most} operations: complete one first, or raise "
                "OSTINATO_MAX_OPERATIONS_PER_SOCKET"
            )
            error = TooManyRequests(told, RETRY_AFTER_MS)
            await self._channel.send(error_message(message.id, [format_exception(error)]))
            return
        task = self._tasks.create_task(self._run(message, viewer))
        self._running[message.id] = _Running(task)

    async def refuse(self, message: UnreadableSubscribe) -> None:
        """Answer an operation that cannot be read; raises SocketClosing if its id is taken."""
        self._require_free(message.id)
        errors = [format_exception(BadRequest(message.problem))]
        await self._channel.send(error_message(message.id, errors))

    def stop(self, operation_id: str) -> None:
        """End an operation that its client has completed; nothing more is sent of it."""
        if running := self._running.pop(operation_id, None):
            running.is_over = True
            running.task.cancel()

    async def expire(self) -> None:
        """End all operations because the token has expired, and say so in each."""
        expired, self._running = self._running, {}
        for running in expired.values():
            running.is_over = True
            running.task.cancel()
        errors = [format_exception(Unauthorized("the token has expired: sign in again"))]
        for operation_id, running in expired.items():
            await self._channel.send(_expiry_message(operation_id, running, errors))

    async def give_up(self, reason: str) -> None:
        """Say of each mutation that the socket's end cuts off that it may have happened.

        Without a last message, graphql-ws would send it again in its next socket.
        """
        told = f"{reason}: whether this happened is not known, look before you ask again"
        errors = [format_exception(Unavailable(told))]
        cut_off, self._running = self._running, {}
        for operation_id, running in cut_off.items():
            if running.kind is OperationType.MUTATION:
                await self._channel.send(error_message(operation_id, errors))

    def _require_free(self, operation_id: str) -> None:
        if operation_id in self._running:
            reason = f"Subscriber for {operation_id} already exists"
            raise SocketClosing(CloseCode.SUBSCRIBER_EXISTS, reason)

    async def _run(self, message: Subscribe, viewer: Viewer) -> None:
        running = self._running[message.id]
        try:
            operation = self._runner.prepare(message.request)
            running.kind = operation.kind
            await self._answer(message.id, operation, viewer, running)
            last = complete_message(message.id)
        except RequestRejected as rejected:
            last = error_message(message.id, rejected.errors)
        except SocketClosing:
            raise
        except Exception as error:  # what broke one subscription's source must not end the others
            last = error_message(message.id, [_format_broken(error)])
        if self._running.get(message.id) is running:
            del self._running[message.id]
            await self._channel.send(last)

    async def _answer(
        self, operation_id: str, operation: Operation, viewer: Viewer, running: _Running
    ) -> None:
        prefix = next_prefix(operation_id)
        if operation.kind is not OperationType.SUBSCRIPTION:
            response = await self._runner.run(operation, viewer)
            await self._channel.send(prefix + response + b"}")
            return

        def push(batch: Batch) -> bool:
            return running.is_over or self._channel.push(batch.framed(prefix))

        async with aclosing(self._runner.events(operation, viewer, push)) as events:
            async for result in events:
                await self._channel.send(prefix + result.payload + b"}")


def resumable(error: Exception) -> OstinatoError | None:
    """Say how to tell of what a new connection helps against, an outage of ours among it."""
    told = expected(error)
    return told if isinstance(told, OstinatoError) and told.code in RESUMABLE else None


def _format_broken(error: Exception) -> FormattedError:
    """Format what ended a subscription; raises SocketClosing if a reconnection helps."""
    if (told := resumable(error)) is not None:
        raise SocketClosing(CloseCode.TRY_AGAIN_LATER, str(told)) from None
    return format_exception(error)


def _expiry_message(operation_id: str, running: _Running, errors: list[FormattedError]) -> bytes:
    """Write the error that an expired token means for an operation.

    To graphql-ws clients an `error` message is final, while after `next` and the close they
    subscribe again with a new token; a mutation must not be sent again, so its error is final.
    """
    if running.kind is not OperationType.SUBSCRIPTION:
        return error_message(operation_id, errors)
    return next_prefix(operation_id) + encode({"data": None, "errors": errors}) + b"}"
