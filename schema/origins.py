"""Decides whose pages may call: the API's own, those that settings name, and who is no page."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from jobs.settings import Settings

DEFAULT_PORTS = {"http": 80, "https": 443}


class Origins:
    """The configured origins, and always the API's own."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in settings.allowed_origins)

    def allow(self, headers: Headers) -> bool:
        """Whether the sender may call; a browser's page always tells its origin."""
        origin = headers.get("origin")
        return origin is None or origin.lower() in self._allowed or _is_own(origin, headers)


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
