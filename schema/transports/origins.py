"""Checks of the `Origin` header: the API's own origin and the configured origins are allowed."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from ostinato.jobs.logs import LogThrottle, get_log
from ostinato.jobs.settings import Settings

log = get_log("ostinato.origins")
SETTING: Final = "OSTINATO_ALLOWED_ORIGINS"
MAX_SHOWN_CHARS: Final = 200
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for"})
_throttle = LogThrottle(60.0)


class AllowedOrigins:
    """The configured origins and the API's own origin."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in settings.allowed_origins)

    def rejection_reason(self, headers: Headers) -> str | None:
        """Return why the origin is rejected, and log it once a minute; None if it is allowed.

        Browsers always send the origin of a page. Requests without an origin are allowed.
        """
        origin = headers.get("origin")
        if origin is None or origin.lower() in self._allowed or _is_same_origin(origin, headers):
            return None
        shown = origin[:MAX_SHOWN_CHARS]
        if _throttle.allows(shown):
            log.warning("origin.rejected", origin=shown, fix=f"add it to {SETTING}")
        return f"Origin {shown!r} may not call this API: add it to {SETTING} on the server"


def is_loopback(request: HTTPConnection) -> bool:
    """Return whether a same-origin request comes from this machine and names a loopback address
    of this server.

    All are needed: a page on another site can reach 127.0.0.1 by DNS rebinding, but sends its own
    name as Host; another machine can send any Host, directly or through a proxy on this machine.
    """
    origin = request.headers.get("origin")
    return (
        request.client is not None
        and FORWARDED.isdisjoint(request.headers.keys())
        and _is_loopback_name(request.client.host)
        and _names_loopback_listener(request)
        and (origin is None or _is_same_origin(origin, request.headers))
    )


def _names_loopback_listener(request: HTTPConnection) -> bool:
    """Return whether `Host` is a loopback name with the port on which the request arrived."""
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}")
        port = host.port or DEFAULT_PORTS.get(request.url.scheme)
    except ValueError:
        return False
    _, listening = request.scope.get("server") or (None, None)
    return _is_loopback_name(host.hostname) and port is not None and port == listening


def _is_loopback_name(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _is_same_origin(origin: str, headers: Headers) -> bool:
    try:
        parts = urlsplit(origin)
        host = urlsplit(f"//{headers.get('host', '')}")
        default = DEFAULT_PORTS.get(parts.scheme)
        same_port = (parts.port or default) == (host.port or default)
    except ValueError:
        return False
    return default is not None and parts.hostname == host.hostname and same_port
