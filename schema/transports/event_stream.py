"""Streams of subscription results as HTTP responses.

One task sends results; another waits for a disconnect, the token's expiry and the next heartbeat.
Each ends the stream by raising StreamEnded.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, replace
from typing import NoReturn, Protocol

from starlette.datastructures import Address
from starlette.types import Receive, Scope, Send

from ostinato.jobs.errors import BadRequest, OstinatoError, Unauthorized, Unavailable
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.execution.documents import RequestRejected
from ostinato.schema.execution.encoding import EncodedResult, encode_json
from ostinato.schema.execution.operation_runner import Operation
from ostinato.schema.execution.root_fields import AFTER
from ostinato.schema.transports.connections import (
    ConnectionClosing,
    ConnectionRegistry,
    TokenLifetime,
)
from ostinato.schema.transports.negotiation import MediaType
from ostinato.schema.transports.operations import to_resumable_error
from ostinato.schema.transports.task_groups import end_tasks, first_error

Results = AsyncGenerator[EncodedResult, None]
HEADERS = {
    "cache-control": "no-store",
    "vary": "accept, authorization",
    "x-accel-buffering": "no",  # otherwise nginx buffers the results
}


class StreamFormat(Protocol):
    """The wire format of a stream."""

    content_type: str
    opening: bytes
    heartbeat: bytes
    complete: bytes

    def result(self, result: EncodedResult) -> bytes: ...
    def failed(self, errors: list[FormattedError]) -> bytes: ...
    def interrupted(self, error: OstinatoError) -> bytes: ...


class StreamEnded(Exception):
    """Ends a stream after sending `last`; `last` is None if the client is gone."""

    def __init__(self, last: bytes | None) -> None:
        super().__init__()
        self.last = last


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedOperation:
    """The results, format and recipient of a stream."""

    format: StreamFormat
    results: Results
    viewer: Viewer
    expired: str
    """The error at the end of the viewer's token."""
    client: Address | None


class StreamResponse:
    """A streamed response, as an ASGI application."""

    def __init__(
        self, streamed: StreamedOperation, connections: ConnectionRegistry, settings: Settings
    ) -> None:
        self._streamed = streamed
        self._format = streamed.format
        self._connections = connections
        self._heartbeat_s = settings.keep_alive_ms / 1_000
        self._send_timeout_s = settings.send_timeout_ms / 1_000
        self._tasks = asyncio.TaskGroup()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream; raises ConnectionClosing before the first byte if over a limit."""
        lifetime = TokenLifetime(self._streamed.viewer, self._streamed.expired)
        with ExitStack() as slots:
            slots.enter_context(self._connections.acquire_for_address(self._streamed.client))
            slots.enter_context(self._connections.acquire_for_user(lifetime))
            slots.enter_context(self._connections.register(self._close))
            last = await self._run(receive, send, lifetime)
            if last is None or not await self._finish(last, send):
                # A regular close waits for the client to read buffered data, possibly forever.
                abort = scope.get("state", {}).get("abort", lambda: None)
                abort()

    def _close(self, closing: ConnectionClosing) -> None:
        stopping = Unavailable(closing.reason)
        end_tasks(self._tasks, StreamEnded(self._format.interrupted(stopping)))

    async def _run(self, receive: Receive, send: Send, lifetime: TokenLifetime) -> bytes | None:
        last: bytes | None = None
        try:
            async with self._tasks:
                await send(_start(self._format.content_type))
                await self._write(self._format.opening, send)
                self._tasks.create_task(self._send_results(send))
                await self._watch(receive, send, lifetime)
        except* StreamEnded as group:
            last = first_error(group).last
        return last

    async def _send_results(self, send: Send) -> None:
        try:
            async with aclosing(self._streamed.results) as results:
                async for result in results:
                    await self._write(self._format.result(result), send)
        except StreamEnded:
            raise
        except RequestRejected as rejected:
            raise StreamEnded(self._format.failed(rejected.errors)) from None
        except Exception as error:  # the source may raise anything; the client receives an error
            raise StreamEnded(self._error_frames(error)) from None
        raise StreamEnded(self._format.complete)

    def _error_frames(self, error: Exception) -> bytes:
        if (resumable := to_resumable_error(error)) is not None:
            return self._format.interrupted(resumable)
        return self._format.failed([format_exception(error)])

    async def _watch(self, receive: Receive, send: Send, lifetime: TokenLifetime) -> NoReturn:
        now = asyncio.get_running_loop().time
        while True:
            try:
                async with lifetime.timeout_at(now() + self._heartbeat_s):
                    await _wait_for_disconnect(receive)
            except TimeoutError:
                if lifetime.has_ended:
                    raise StreamEnded(self._format.interrupted(lifetime.error)) from None
                await self._write(self._format.heartbeat, send)
            else:
                raise StreamEnded(None)

    async def _write(self, frames: bytes, send: Send) -> None:
        message = {"type": "http.response.body", "body": frames, "more_body": True}
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await send(message)
        except TimeoutError:
            raise StreamEnded(None) from None

    async def _finish(self, last: bytes, send: Send) -> bool:
        """Send the last bytes and complete the response; False on a send timeout."""
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await send({"type": "http.response.body", "body": last, "more_body": False})
        except TimeoutError:
            return False
        return True


async def failed_results(error: Exception) -> Results:
    """Raise `error` on the first iteration."""
    raise error
    yield EncodedResult(b"")  # type: ignore[unreachable] # makes this a generator


def _start(content_type: str) -> dict[str, object]:
    headers = {**HEADERS, "content-type": content_type}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": pairs}


async def _wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


class ServerSentEvents:
    """Server-sent events, in the distinct connections mode of graphql-sse.

    Implements PROTOCOL.md of github.com/enisdenjo/graphql-sse. Clients reconnect if a stream ends
    without `complete`.
    """

    content_type = f"{MediaType.EVENT_STREAM}; charset=utf-8"
    opening = b":\n\n"
    heartbeat = b":\n\n"
    complete = b"event: complete\ndata:\n\n"

    def result(self, result: EncodedResult) -> bytes:
        """Format a result; reconnecting clients send its `id` as `Last-Event-ID`."""
        if result.cursor is None:
            return b"event: next\ndata: %b\n\n" % result.payload
        return b"event: next\nid: %b\ndata: %b\n\n" % (result.cursor.encode(), result.payload)

    def failed(self, errors: list[FormattedError]) -> bytes:
        """Format the end of a failed operation, which clients do not retry."""
        return b"event: next\ndata: %b\n\n%b" % (encode_json({"errors": errors}), self.complete)

    def interrupted(self, error: OstinatoError) -> bytes:
        """Format the end of an interrupted stream, which clients resume from the newest `id`."""
        if isinstance(error, Unauthorized):
            errors = [format_exception(error)]
            return b"event: next\ndata: %b\n\n" % encode_json({"data": None, "errors": errors})
        return b": %b\n\n" % error.code.encode()


MULTIPART_BOUNDARY = b"\r\n---"
MULTIPART_HEAD = b"\r\ncontent-type: application/json\r\n\r\n"


class MultipartMixed:
    """Multipart responses, for Apollo clients.

    Implements Apollo's multipart protocol for subscriptions over HTTP. A part is complete when the
    next boundary arrives, so each part is sent with the next boundary.
    """

    content_type = f'{MediaType.MULTIPART}; boundary="-"; subscriptionSpec=1.0'
    opening = MULTIPART_BOUNDARY
    heartbeat = MULTIPART_HEAD + b"{}" + MULTIPART_BOUNDARY
    complete = b"--\r\n"

    def result(self, result: EncodedResult) -> bytes:
        """Format a result; the protocol has no field for its cursor."""
        return b'%b{"payload":%b}%b' % (MULTIPART_HEAD, result.payload, MULTIPART_BOUNDARY)

    def failed(self, errors: list[FormattedError]) -> bytes:
        """Format the end of a failed operation."""
        return self._part({"payload": {"data": None, "errors": errors}}) + self.complete

    def interrupted(self, error: OstinatoError) -> bytes:
        """Format the end of an interrupted stream as a transport error."""
        errors = [format_exception(error)]
        return self._part({"payload": None, "errors": errors}) + self.complete

    def _part(self, content: object) -> bytes:
        return MULTIPART_HEAD + encode_json(content) + MULTIPART_BOUNDARY


def apply_last_event_id(operation: Operation, last_event_id: str | None) -> Operation:
    """Return the operation, to be resumed after `last_event_id`.

    Raises RequestRejected if its root field has another `after`: only the client knows which is
    newer.
    """
    if not last_event_id:
        return operation
    if operation.after not in {None, last_event_id}:
        message = "`Last-Event-ID` and the argument `after` differ: send only one of them"
        raise RequestRejected([format_exception(BadRequest.at(AFTER, message=message))])
    return replace(operation, request=replace(operation.request, last_event_id=last_event_id))
