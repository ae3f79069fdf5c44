"""Serves graphql-transport-ws: accepts sockets, initialises them, and ends them for any reason.

A connection is one task that receives, and one task per operation, all in one TaskGroup. Whoever
finds that the socket must end raises SocketClosing; the group cancels the rest, and the close goes
out last.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NoReturn

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from ostinato.jobs.errors import OstinatoError, Unauthorized
from ostinato.jobs.logs import get_log
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Authenticator, Viewer, bearer_token
from ostinato.schema.origins import Origins
from ostinato.schema.transports.channel import Channel
from ostinato.schema.transports.execution import OperationRunner
from ostinato.schema.transports.operations import Operations
from ostinato.schema.transports.protocol import (
    CONNECTION_ACK,
    PING,
    PONG,
    SUBPROTOCOL,
    ClientMessage,
    CloseCode,
    Complete,
    ConnectionInit,
    Ping,
    Pong,
    Subscribe,
    UnreadableSubscribe,
)
from ostinato.schema.transports.sockets import SocketClosing, Sockets

log = get_log("ostinato.socket")


class WebSocketEndpoint:
    """Accept the sockets of a process."""

    def __init__(
        self,
        runner: OperationRunner,
        authenticator: Authenticator,
        sockets: Sockets,
        settings: Settings,
    ) -> None:
        self.runner = runner
        self.authenticator = authenticator
        self.sockets = sockets
        self.settings = settings
        self._origins = Origins(settings)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket until it ends."""
        if (refusal := self._origins.refusal(websocket.headers)) is not None:
            await websocket.send_denial_response(PlainTextResponse(refusal, HTTPStatus.FORBIDDEN))
            return
        spoken = SUBPROTOCOL in websocket.scope["subprotocols"]
        await websocket.accept(SUBPROTOCOL if spoken else None)
        channel = Channel(websocket, self.settings)
        try:
            with self.sockets.entry_of_address(websocket.client):
                if not spoken:
                    reason = f"Speak {SUBPROTOCOL}"
                    raise SocketClosing(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, reason)
                await Connection(channel, self).run()
        except SocketClosing as closing:
            self.sockets.note_closed(closing)
            await channel.close(closing)


class Connection:
    """One client, from its accepted socket to its end."""

    def __init__(self, channel: Channel, endpoint: WebSocketEndpoint) -> None:
        settings = endpoint.settings
        self._channel = channel
        self._authenticator = endpoint.authenticator
        self._sockets = endpoint.sockets
        self._tasks = asyncio.TaskGroup()
        self._operations = Operations(channel, endpoint.runner, self._tasks, settings)
        self._init_timeout_s = settings.connection_init_timeout_ms / 1_000
        self._keep_alive_s = settings.keep_alive_ms / 1_000
        self._now = asyncio.get_running_loop().time
        self._expires_at = float("inf")

    async def run(self) -> None:
        """Serve until the client leaves, breaks the protocol, or must be sent away."""
        closing = SocketClosing(
            CloseCode.INTERNAL_ERROR, "Internal error: reconnect; the log says why"
        )
        try:
            async with self._tasks:
                with self._sockets.entry(self._end):
                    await self._serve(await self._initialise())
        except* SocketClosing as group:
            closing = _first_of(group)
        except* Exception as group:
            log.exception("socket.failed", exc_info=group)
        self._sockets.note_closed(closing)
        if closing.code is not None:
            with suppress(SocketClosing):
                await self._operations.give_up(closing.reason)
        await self._channel.close(closing)

    def _end(self, closing: SocketClosing) -> None:
        ending = _raise(closing)
        try:
            self._tasks.create_task(ending)
        except RuntimeError:  # it is ending already
            ending.close()

    async def _initialise(self) -> Viewer:
        try:
            async with asyncio.timeout(self._init_timeout_s):
                viewer = await self._authenticate(await self._receive_init())
        except TimeoutError:
            reason = "Connection initialisation timeout: send connection_init at once"
            raise SocketClosing(CloseCode.INITIALISATION_TIMEOUT, reason) from None
        if viewer.expires_at is not None:
            remaining = viewer.expires_at - datetime.now(UTC)
            self._expires_at = self._now() + remaining.total_seconds()
        return viewer

    async def _receive_init(self) -> ConnectionInit:
        while True:
            match message := await self._channel.receive():
                case ConnectionInit():
                    return message
                case Ping():
                    await self._channel.send(PONG)
                case Pong():
                    pass
                case _:
                    reason = "Unauthorized: send connection_init first"
                    raise SocketClosing(CloseCode.UNAUTHORIZED, reason)

    async def _authenticate(self, init: ConnectionInit) -> Viewer:
        parameters = {name.lower(): value for name, value in init.payload.items()}
        try:
            token = bearer_token(parameters.get("authorization"))
            if token is None:
                raise Unauthorized(
                    "connection_init has no Authorization: put `Bearer <token>` in its payload"
                )
            return await self._authenticator.viewer(token)
        except Unauthorized as error:
            raise SocketClosing(CloseCode.FORBIDDEN, str(error)) from None
        except OstinatoError as error:
            raise SocketClosing(CloseCode.TRY_AGAIN_LATER, str(error)) from None

    async def _serve(self, viewer: Viewer) -> None:
        with self._sockets.entry_of_user(viewer.id):
            await self._channel.send(CONNECTION_ACK)
            while True:
                await self._handle(await self._next_message(), viewer)

    async def _handle(self, message: ClientMessage, viewer: Viewer) -> None:
        match message:
            case Subscribe():
                await self._operations.start(message, viewer)
            case UnreadableSubscribe():
                await self._operations.refuse(message)
            case Complete():
                self._operations.stop(message.id)
            case Ping():
                await self._channel.send(PONG)
            case Pong():
                pass
            case ConnectionInit():
                reason = "Too many initialisation requests: send connection_init once"
                raise SocketClosing(CloseCode.TOO_MANY_INITIALISATIONS, reason)

    async def _next_message(self) -> ClientMessage:
        """Wait for a message; ping a client that is quiet, and end a session that has expired."""
        pinged = False
        while True:
            quiet_at = self._now() + self._keep_alive_s
            try:
                async with asyncio.timeout_at(min(quiet_at, self._expires_at)):
                    message = await self._channel.receive()
            except TimeoutError:
                message = None
            # By what was waited for, too: a timer may fire a moment early by the loop's own clock.
            has_waited = message is None and self._expires_at <= quiet_at
            if has_waited or self._now() >= self._expires_at:
                await self._operations.expire()
                raise SocketClosing(
                    CloseCode.FORBIDDEN, "The token has expired: reconnect with a new one"
                )
            if message is not None:
                return message
            if pinged:
                raise SocketClosing(
                    CloseCode.TRY_AGAIN_LATER, "No answer to ping: reconnect, and answer with pong"
                )
            await self._channel.send(PING)
            pinged = True


async def _raise(closing: SocketClosing) -> NoReturn:
    raise closing


def _first_of(group: BaseExceptionGroup[SocketClosing]) -> SocketClosing:
    first = group.exceptions[0]
    return first if isinstance(first, SocketClosing) else _first_of(first)
