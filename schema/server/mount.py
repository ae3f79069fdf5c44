"""The ASGI application that other applications mount: it serves while its host has it open."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from ostinato.jobs.errors import Unavailable
from ostinato.jobs.logs import LogThrottle, get_log
from ostinato.jobs.settings import Settings
from ostinato.schema.errors import format_exception
from ostinato.schema.execution.encoding import encode_json
from ostinato.schema.server.app import MountOptions, create_app
from ostinato.schema.server.app_state import HostResources

FIX: Final = "docs/embedding.md shows the lifespan of each framework"

log = get_log("ostinato.mount")


class MountedApp:
    """The API as an ASGI application for any prefix.

    Frameworks send no lifespan events to mounted applications, so the host calls `serving`. If a
    server runs it as its only application, its own lifespan opens the host.
    """

    def __init__(
        self,
        settings: Settings,
        options: MountOptions,
        open_host: Callable[[], AbstractAsyncContextManager[object]],
        not_open: str,
    ) -> None:
        """Raise ValueError if callers send tokens and no key is set, or if cursors have no key.

        `not_open` is the error of a request that arrives while the host is not open.
        """
        self._settings = settings
        self._options = options
        self._current: ASGIApp | None = None
        self._not_open = not_open
        self._throttle = LogThrottle(60.0)
        create_app(settings, options)  # only to raise its errors now
        _ = settings.cursor_key

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            async with open_host():
                yield

        self._alone = Starlette(lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._alone(scope, receive, send)
        elif (location := _folder_without_slash(scope)) is not None:
            redirect = Response(status_code=307, headers={"location": location})
            await redirect(scope, receive, send)
        elif self._current is None:
            await self._reject(scope, receive, send)
        else:
            await self._current(_without_added_slash(scope), receive, send)

    @asynccontextmanager
    async def serving(self, host: HostResources) -> AsyncIterator[None]:
        """Serve during the block; at its end, close WebSockets and streams."""
        app = create_app(self._settings, self._options, host)
        try:
            async with app.router.lifespan_context(app):
                self._current = app
                yield
        finally:
            self._current = None

    async def _reject(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._throttle.allows(self._not_open):
            log.error("mount.not_open", error=self._not_open, fix=FIX)
        body = encode_json({"errors": [format_exception(Unavailable(self._not_open))]})
        status, json = HTTPStatus.SERVICE_UNAVAILABLE, "application/json"
        response = Response(body, status, {"cache-control": "no-store"}, json)
        if scope["type"] == "http":
            await response(scope, receive, send)
        elif "websocket.http.response" in scope.get("extensions", {}):
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await WebSocket(scope, receive, send).close()


def _has_added_slash(scope: Scope) -> bool:
    """Return whether the host added a final slash to the path, as Litestar does."""
    path, sent = scope["path"], scope.get("raw_path") or b"/"
    return path.endswith("/") and not sent.partition(b"?")[0].endswith(b"/")


def _folder_without_slash(scope: Scope) -> str | None:
    """Return where a request for the prefix without its slash belongs: page links are relative."""
    if scope["type"] != "http" or scope["path"] != "/" or not _has_added_slash(scope):
        return None
    sent: bytes = scope["raw_path"]
    return f"{sent.partition(b'?')[0].rpartition(b'/')[2].decode('latin-1')}/"


def _without_added_slash(scope: Scope) -> Scope:
    return {**scope, "path": scope["path"][:-1]} if _has_added_slash(scope) else scope
