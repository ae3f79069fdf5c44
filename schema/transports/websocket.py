"""graphql-transport-ws: accepts, initialises and closes WebSockets.

A connection is a TaskGroup with one receiving task and one task per operation. Any task ends the
connection by raising ConnectionClosing: the group cancels the others, then the close is sent.
"""

import asyncio
from contextlib import suppress
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from ostinato.jobs.errors import OstinatoError, Unauthorized
from ostinato.jobs.logs import get_log
from ostinato.jobs.settings import Settings
from ostinato.resolvers.audit import CLIENT_ADDRESS
from ostinato.resolvers.auth import Viewer
from ostinato.schema.execution.operation_runner import OperationRunner
from ostinato.schema.fanout.subscription_runner import SubscriptionRunner
from ostinato.schema.transports.authentication import Authentication
from ostinato.schema.transports.channel import Channel
from ostinato.schema.transports.connections import (
    ConnectionClosing,
    ConnectionRegistry,
    TokenLifetime,
)
from ostinato.schema.transports.graphql_ws import (
    CONNECTION_ACK,
    PING,
    PONG,
    SUBPROTOCOL,
    ClientMessage,
    CloseCode,
    Complete,
    ConnectionInit,
    InvalidSubscribe,
    Ping,
    Pong,
    Subscribe,
)
from ostinato.schema.transports.operations import Operations
from ostinato.schema.transports.origins import AllowedOrigins
from ostinato.schema.transports.task_groups import end_tasks, first_error

MAX_MESSAGES_BEFORE_INIT = 10

log = get_log("ostinato.socket")


class WebSocketEndpoint:
    """The ASGI endpoint of all WebSockets of a process."""

    def __init__(
        self,
        runner: OperationRunner,
        subscriptions: SubscriptionRunner,
        authentication: Authentication,
        connections: ConnectionRegistry,
        settings: Settings,
    ) -> None:
        self.runner = runner
        self.subscriptions = subscriptions
        self.authentication = authentication
        self.connections = connections
        self.settings = settings
        self._origins = AllowedOrigins(settings)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a WebSocket until it is closed."""
        if (reason := self._origins.rejection_reason(websocket.headers)) is not None:
            await websocket.send_denial_response(PlainTextResponse(reason, HTTPStatus.FORBIDDEN))
            return
        supported = SUBPROTOCOL in websocket.scope["subprotocols"]
        await websocket.accept(SUBPROTOCOL if supported else None)
        channel = Channel(websocket, self.settings)
        CLIENT_ADDRESS.set(websocket.client.host if websocket.client else "")
        try:
            with self.connections.acquire_for_address(websocket.client):
                if not supported:
                    reason = f"Subprotocol {SUBPROTOCOL} is required"
                    raise ConnectionClosing(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, reason)
                await WebSocketConnection(websocket, channel, self).run()
        except ConnectionClosing as closing:
            self.connections.count_close(closing)
            await channel.close(closing)


class WebSocketConnection:
    """One accepted WebSocket, from `connection_init` to its close."""

    def __init__(
        self, handshake: HTTPConnection, channel: Channel, endpoint: WebSocketEndpoint
    ) -> None:
        settings = endpoint.settings
        self._handshake = handshake
        self._channel = channel
        self._authentication = endpoint.authentication
        self._connections = endpoint.connections
        self._tasks = asyncio.TaskGroup()
        self._operations = Operations(
            channel, endpoint.runner, endpoint.subscriptions, self._tasks, settings
        )
        self._init_timeout_s = settings.connection_init_timeout_ms / 1_000
        self._keep_alive_s = settings.keep_alive_ms / 1_000
        self._now = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Serve until the client disconnects, violates the protocol, or the server closes."""
        closing = ConnectionClosing(
            CloseCode.INTERNAL_ERROR, "Internal error: reconnect; see the server log"
        )
        try:
            async with self._tasks:
                with self._connections.register(self._close):
                    await self._serve(await self._initialise())
        except* ConnectionClosing as group:
            closing = first_error(group)
        except* Exception as group:
            log.exception("socket.failed", exc_info=group)
        self._connections.count_close(closing)
        if closing.code is not None:
            with suppress(ConnectionClosing):
                await self._operations.report_interrupted_mutations(closing.reason)
        await self._channel.close(closing)

    def _close(self, closing: ConnectionClosing) -> None:
        end_tasks(self._tasks, closing)

    async def _initialise(self) -> Viewer:
        try:
            async with asyncio.timeout(self._init_timeout_s):
                viewer = await self._authenticate(await self._receive_init())
        except TimeoutError:
            reason = (
                "Connection initialisation timeout: send connection_init right after connecting"
            )
            raise ConnectionClosing(CloseCode.INITIALISATION_TIMEOUT, reason) from None
        return viewer

    async def _receive_init(self) -> ConnectionInit:
        for _ in range(MAX_MESSAGES_BEFORE_INIT):
            match message := await self._channel.receive():
                case ConnectionInit():
                    return message
                case Ping():
                    await self._channel.send(PONG)
                case Pong():
                    pass
                case _:
                    break
        reason = "Unauthorized: send connection_init first"
        raise ConnectionClosing(CloseCode.UNAUTHORIZED, reason)

    async def _authenticate(self, init: ConnectionInit) -> Viewer:
        try:
            viewer = await self._authentication.viewer(self._handshake, init.payload)
            if viewer is None:
                raise self._authentication.required(init.payload)
        except Unauthorized as error:
            raise ConnectionClosing(CloseCode.FORBIDDEN, str(error)) from None
        except OstinatoError as error:
            raise ConnectionClosing(CloseCode.TRY_AGAIN_LATER, str(error)) from None
        return viewer

    async def _serve(self, viewer: Viewer) -> None:
        lifetime = TokenLifetime(viewer, self._authentication.expired)
        with self._connections.acquire_for_user(lifetime):
            self._channel.accept_client()
            await self._channel.send(CONNECTION_ACK)
            while True:
                await self._handle(await self._next_message(lifetime), viewer)

    async def _handle(self, message: ClientMessage, viewer: Viewer) -> None:
        if not isinstance(message, Subscribe):
            self._operations.count(viewer)
        match message:
            case Subscribe():
                await self._operations.start(message, viewer)
            case InvalidSubscribe():
                await self._operations.reject(message)
            case Complete():
                self._operations.stop(message.id)
            case Ping():
                await self._channel.send(PONG)
            case Pong():
                pass
            case ConnectionInit():
                reason = "Too many initialisation requests: send connection_init once"
                raise ConnectionClosing(CloseCode.TOO_MANY_INITIALISATIONS, reason)

    async def _next_message(self, lifetime: TokenLifetime) -> ClientMessage:
        """Return the next message; pings idle clients, and closes once the token has ended."""
        pinged = False
        while True:
            quiet_at = self._now() + self._keep_alive_s
            try:
                async with lifetime.timeout_at(quiet_at):
                    message = await self._channel.receive()
            except TimeoutError:
                message = None
            # The timer may fire slightly before its deadline, so comparing the clock is not enough.
            has_ended = message is None and lifetime.ends_at <= quiet_at
            if has_ended or lifetime.has_ended:
                await self._operations.expire(lifetime.error)
                raise ConnectionClosing(CloseCode.FORBIDDEN, lifetime.close_reason)
            if message is not None:
                return message
            if pinged:
                raise ConnectionClosing(
                    CloseCode.TRY_AGAIN_LATER, "No pong received: reconnect, and answer pings"
                )
            await self._channel.send(PING)
            pinged = True
