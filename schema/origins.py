"""Decides whose pages may call: the API's own, those that settings name, and who is no page."""

from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ostinato.jobs.logs import LogThrottle, get_log
from ostinato.jobs.settings import Settings

log = get_log("ostinato.origins")
SETTING = "OSTINATO_ALLOWED_ORIGINS"
SHOWN_CHARS = 200
PREFLIGHT_MAX_AGE_S = 600
DEFAULT_PORTS = {"http": 80, "https": 443}
_throttle = LogThrottle(60.0)


class Origins:
    """The configured origins, and always the API's own."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in settings.allowed_origins)

    def refusal(self, headers: Headers) -> str | None:
        """Return why the sender may not call, and log it, once a minute; None if it may.

        A browser's page always tells its origin.
        """
        origin = headers.get("origin")
        if origin is None or origin.lower() in self._allowed or _is_own(origin, headers):
            return None
        shown = origin[:SHOWN_CHARS]
        if _throttle.allows(shown):
            log.warning("origin.refused", origin=shown, fix=f"add it to {SETTING}")
        return f"Pages of {shown!r} may not call this API: its operator adds it to {SETTING}"


class CrossOrigin(CORSMiddleware):
    """Let the pages of allowed origins call, and say what to do for those of others."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        super().__init__(
            app,
            allow_origins=[origin.rstrip("/") for origin in settings.allowed_origins],
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "last-event-id"],
            max_age=PREFLIGHT_MAX_AGE_S,
        )
        self._any_allowed = bool(settings.allowed_origins)
        self._origins = Origins(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer preflights; without allowed origins, other requests pass by at no cost."""
        if self._any_allowed or scope.get("method") == "OPTIONS":
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        if (refusal := self._origins.refusal(request_headers)) is not None:
            return PlainTextResponse(refusal, HTTPStatus.BAD_REQUEST, {"vary": "Origin"})
        return super().preflight_response(request_headers)


def is_loopback(request: HTTPConnection) -> bool:
    """Whether this machine calls, by a name of its own, and from no other site's page.

    A site that makes its name point to 127.0.0.1 (DNS rebinding) still sends that name as Host,
    and another machine may send any Host: so all three are looked at.
    """
    origin = request.headers.get("origin")
    return (
        request.client is not None
        and _is_loopback_name(request.client.host)
        and _is_loopback_name(_host_of(request.headers))
        and (origin is None or _is_own(origin, request.headers))
    )


def _is_loopback_name(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _host_of(headers: Headers) -> str | None:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None


def _is_own(origin: str, headers: Headers) -> bool:
    try:
        own = urlsplit(origin)
        host = urlsplit(f"//{headers.get('host', '')}")
        default = DEFAULT_PORTS.get(own.scheme)
        same_port = (own.port or default) == (host.port or default)
    except ValueError:
        return False
    return default is not None and own.hostname == host.hostname and same_port
