"""Answers one HTTP request with the results of a subscription, for as long as it goes on.

A stream is one task that sends results, and one that waits for its client's leave, its token's
expiry and the next heartbeat. Whoever finds that it must end raises StreamEnd.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn, Protocol

from starlette.datastructures import Address
from starlette.types import Receive, Scope, Send

from ostinato.jobs.errors import OstinatoError, Unauthorized, Unavailable
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.schema.errors import FormattedError, format_exception
from ostinato.schema.transports.documents import RequestRejected
from ostinato.schema.transports.encoding import Encoded
from ostinato.schema.transports.operations import resumable
from ostinato.schema.transports.sockets import SocketClosing, Sockets

Results = AsyncGenerator[Encoded, None]
HEADERS = {
    "cache-control": "no-store",
    "vary": "accept, authorization",
    "x-accel-buffering": "no",  # nginx would collect the results
}


class Framing(Protocol):
    """How results become bytes."""

    content_type: str
    opening: bytes
    heartbeat: bytes
    complete: bytes

    def result(self, result: Encoded) -> bytes: ...
    def failed(self, errors: list[FormattedError]) -> bytes: ...
    def interrupted(self, error: OstinatoError) -> bytes: ...


class StreamEnd(Exception):
    """Ends a stream from wherever it is raised; `last` None when nothing more can be sent."""

    def __init__(self, last: bytes | None) -> None:
        super().__init__()
        self.last = last


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What is sent, to whom, and how."""

    framing: Framing
    results: Results
    viewer: Viewer
    client: Address | None


class Stream:
    """One endless answer, as an ASGI application."""

    def __init__(self, streamed: Streamed, sockets: Sockets, settings: Settings) -> None:
        self._streamed = streamed
        self._framing = streamed.framing
        self._sockets = sockets
        self._heartbeat_s = settings.keep_alive_ms / 1_000
        self._send_timeout_s = settings.send_timeout_ms / 1_000
        self._tasks = asyncio.TaskGroup()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end; raises SocketClosing before the first byte beyond a limit."""
        with ExitStack() as places:
            places.enter_context(self._sockets.entry_of_address(self._streamed.client))
            places.enter_context(self._sockets.entry_of_user(self._streamed.viewer.id))
            places.enter_context(self._sockets.entry(self._end))
            last = await self._run(receive, send)
            if last is None or not await self._finish(last, send):
                # Closing would wait for the client to read what is buffered; it may never do so.
                abort = scope.get("state", {}).get("abort", lambda: None)
                abort()

    def _end(self, closing: SocketClosing) -> None:
        ending = _raise(StreamEnd(self._framing.interrupted(Unavailable(closing.reason))))
        try:
            self._tasks.create_task(ending)
        except RuntimeError:  # it is ending already
            ending.close()

    async def _run(self, receive: Receive, send: Send) -> bytes | None:
        last: bytes | None = None
        try:
            async with self._tasks:
                await send(_start(self._framing.content_type))
                await self._write(self._framing.opening, send)
                self._tasks.create_task(self._send_results(send))
                await self._watch(receive, send)
        except* StreamEnd as group:
            last = _first_of(group).last
        return last

    async def _send_results(self, send: Send) -> None:
        try:
            async with aclosing(self._streamed.results) as results:
                async for result in results:
                    await self._write(self._framing.result(result), send)
        except StreamEnd:
            raise
        except RequestRejected as rejected:
            raise StreamEnd(self._framing.failed(rejected.errors)) from None
        except Exception as error:  # whatever broke the source, its client is told
            raise StreamEnd(self._last_of(error)) from None
        raise StreamEnd(self._framing.complete)

    def _last_of(self, error: Exception) -> bytes:
        if (told := resumable(error)) is not None:
            return self._framing.interrupted(told)
        return self._framing.failed([format_exception(error)])

    async def _watch(self, receive: Receive, send: Send) -> NoReturn:
        now = asyncio.get_running_loop().time
        expires_at = now() + self._remaining_s()
        while True:
            try:
                async with asyncio.timeout_at(min(now() + self._heartbeat_s, expires_at)):
                    await _left(receive)
            except TimeoutError:
                if now() >= expires_at:
                    expired = Unauthorized("the token has expired: sign in again")
                    raise StreamEnd(self._framing.interrupted(expired)) from None
                await self._write(self._framing.heartbeat, send)
            else:
                raise StreamEnd(None)

    def _remaining_s(self) -> float:
        expires_at = self._streamed.viewer.expires_at
        if expires_at is None:
            return float("inf")
        return (expires_at - datetime.now(UTC)).total_seconds()

    async def _write(self, frames: bytes, send: Send) -> None:
        message = {"type": "http.response.body", "body": frames, "more_body": True}
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await send(message)
        except TimeoutError:
            raise StreamEnd(None) from None

    async def _finish(self, last: bytes, send: Send) -> bool:
        """Say why and complete the answer; False if its client does not read that either."""
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await send({"type": "http.response.body", "body": last, "more_body": False})
        except TimeoutError:
            return False
        return True


async def rejecting(error: Exception) -> Results:
    """Return results that end with `error` at once."""
    raise error
    yield Encoded(b"")  # type: ignore[unreachable] # makes it a generator


def _start(content_type: str) -> dict[str, object]:
    headers = {**HEADERS, "content-type": content_type}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": pairs}


async def _left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _raise(end: StreamEnd) -> NoReturn:
    raise end


def _first_of(group: BaseExceptionGroup[StreamEnd]) -> StreamEnd:
    first = group.exceptions[0]
    return first if isinstance(first, StreamEnd) else _first_of(first)
