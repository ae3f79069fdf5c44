"""Security middleware: CORS for allowed origins, and security headers on every response."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostinato.jobs.settings import Settings
from ostinato.schema.transports.origins import AllowedOrigins

PREFLIGHT_MAX_AGE_S = 600
# Monaco, the editor of GraphiQL, adds style elements and starts its workers from blobs.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "worker-src 'self' blob:",
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_RAW = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


class CrossOriginMiddleware(CORSMiddleware):
    """CORS middleware whose rejections name the setting that allows an origin."""

    def __init__(
        self, app: ASGIApp, settings: Settings, *, allow_credentials: bool = False
    ) -> None:
        """`allow_credentials` lets pages of the allowed origins send cookies."""
        origins = [origin.rstrip("/") for origin in settings.allowed_origins]
        super().__init__(
            app,
            allow_credentials=allow_credentials and "*" not in origins,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "last-event-id"],
            max_age=PREFLIGHT_MAX_AGE_S,
        )
        self._any_allowed = bool(settings.allowed_origins)
        self._origins = AllowedOrigins(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add CORS headers if any origins are configured; always handle preflights."""
        if self._any_allowed or scope.get("method") == "OPTIONS":
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        if (reason := self._origins.rejection_reason(request_headers)) is not None:
            return PlainTextResponse(reason, HTTPStatus.BAD_REQUEST, {"vary": "Origin"})
        return super().preflight_response(request_headers)


class SecurityHeadersMiddleware:
    """Adds security headers to responses, except headers that the application sets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                own = {name.lower() for name, _ in headers}
                headers += [each for each in _RAW if each[0] not in own]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_guarded if scope["type"] == "http" else send)
