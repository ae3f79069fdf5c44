"""Who calls: by a bearer token, or by the application's own `authenticate`."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias

from cachetools import LRUCache
from starlette.requests import HTTPConnection

from ostinato.jobs.async_tools.cancellation import is_being_cancelled
from ostinato.jobs.errors import OstinatoError, Unauthorized
from ostinato.jobs.json_values import find_text_problem
from ostinato.jobs.logs import get_log
from ostinato.jobs.rights import MAX_OWNER_CHARS
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import (
    MAX_ROLE_CHARS,
    MAX_ROLES,
    MAX_TOKEN_ID_CHARS,
    TOKEN_CACHE_TTL_S,
    OnVerified,
    TokenVerifier,
    Viewer,
    bearer_token,
)
from ostinato.resolvers.throttle import Throttle
from ostinato.schema.execution.encoding import comparable_json
from ostinato.schema.transports.connections import address_of
from ostinato.schema.transports.origins import AllowedOrigins

ConnectionParams: TypeAlias = Mapping[str, Any]
"""The payload of a WebSocket's `connection_init`."""

MAX_LIFETIME: Final = timedelta(minutes=15)  # a user who signed out keeps a socket no longer
MAX_KNOWN: Final = 10_000
NO_PARAMS: Final[ConnectionParams] = MappingProxyType({})
REJECTED: Final = "sign in: the application did not accept your credentials"
FIX: Final = "see the traceback: `authenticate` returns a Viewer or None, or raises Unauthorized"

log = get_log("ostinato.authenticate")


class Authenticate(Protocol):
    """The application's function that authenticates the callers of the API."""

    def __call__(
        self, connection: HTTPConnection, params: ConnectionParams, /
    ) -> Awaitable[Viewer | None]:
        """Return the viewer of an HTTP request or a WebSocket; reject it with None or Unauthorized.

        `connection` has the headers, cookies, session and address, but no body. `params` is the
        payload of the WebSocket's `connection_init`, and empty for a request. Any other error is
        logged; the caller gets no details.
        """


class Authentication(Protocol):
    """How requests and WebSockets are authenticated."""

    expired: str
    """The error of a connection whose time has ended."""

    async def viewer(
        self, connection: HTTPConnection, params: ConnectionParams | None = None
    ) -> Viewer | None:
        """Return the viewer, or None without credentials; `params` are those of a WebSocket.

        Raises Unauthorized, TooManyRequests, Unavailable or OstinatoError.
        """

    def required(self, params: ConnectionParams | None = None) -> Unauthorized:
        """Return the error for missing credentials."""

    def rejection_reason(self, connection: HTTPConnection) -> str | None:
        """Return why an HTTP request of another site is rejected; None if it is accepted."""

    async def aclose(self) -> None: ...


class TokenAuthentication:
    """Bearer tokens, in the header `Authorization` or the parameter `authorization`."""

    expired = "the token has expired: send a new one"

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def viewer(
        self, connection: HTTPConnection, params: ConnectionParams | None = None
    ) -> Viewer | None:
        """Return the viewer of the token."""
        if params is None:
            given: object = connection.headers.get("authorization")
        else:
            given = {name.lower(): value for name, value in params.items()}.get("authorization")
        token = bearer_token(given)
        if token is None:
            return None
        return await self._verifier.viewer(token, address_of(connection.client))

    def required(self, params: ConnectionParams | None = None) -> Unauthorized:
        """Return the error for a missing token."""
        if params is None:
            return Unauthorized("a token is required: send `Authorization: Bearer <token>`")
        return Unauthorized(
            "connection_init has no Authorization: put `Bearer <token>` in its payload"
        )

    def rejection_reason(self, connection: HTTPConnection) -> None:
        """Accept every site: browsers do not add a token by themselves."""

    async def aclose(self) -> None:
        await self._verifier.aclose()


class ApplicationAuthentication:
    """The viewers that the application's `authenticate` returns.

    Its credentials may be cookies, which browsers send by themselves. So requests of pages on other
    sites are rejected.
    """

    expired = "your sign-in must be checked again: reconnect"

    def __init__(
        self,
        authenticate: Authenticate,
        settings: Settings,
        failed: Throttle,
        is_revoked: Callable[[Viewer], bool],
        on_verified: OnVerified | None,
    ) -> None:
        self._authenticate = authenticate
        self._timeout_s = settings.request_timeout_ms / 1_000
        self._origins = AllowedOrigins(settings)
        self._failed = failed
        self._is_revoked = is_revoked
        self._on_verified = on_verified
        self._known: LRUCache[bytes, None] = LRUCache(MAX_KNOWN)
        """Credentials that were accepted: others at their address cannot lock them out."""
        self._recorded: LRUCache[str, tuple[frozenset[str], float]] = LRUCache(MAX_KNOWN)
        """The roles of each viewer, and until when they need not be recorded again."""

    async def viewer(
        self, connection: HTTPConnection, params: ConnectionParams | None = None
    ) -> Viewer | None:
        """Return the viewer; without a cookie, an `Authorization` and parameters, also None."""
        credentials, address = _credentials(connection, params), address_of(connection.client)
        if credentials is not None and credentials not in self._known:
            self._failed.require(address)
        viewer = await self._call(connection, params)
        if viewer is not None and not self._is_revoked(viewer):
            if credentials is not None:
                self._known[credentials] = None
            await self._record(viewer)
            return viewer
        if credentials is None:
            return None
        self._known.pop(credentials, None)
        self._failed.spend(address)
        raise self.required()

    def required(self, _params: ConnectionParams | None = None) -> Unauthorized:
        """Return the error for missing credentials."""
        return Unauthorized(REJECTED)

    def rejection_reason(self, connection: HTTPConnection) -> str | None:
        """Check `Origin`, and without one `Sec-Fetch-Site`: browsers send one of the two."""
        if (reason := self._origins.rejection_reason(connection.headers)) is not None:
            return reason
        site = connection.headers.get("sec-fetch-site", "none")
        if "origin" in connection.headers or site in {"none", "same-origin"}:
            return None
        return f"Requests of a {site} page without an Origin may not call this API"

    async def aclose(self) -> None:
        """Do nothing: the application owns its resources."""

    async def _call(
        self, connection: HTTPConnection, params: ConnectionParams | None
    ) -> Viewer | None:
        """Call the application's function; log its errors and raise one without details."""
        seen = HTTPConnection(connection.scope)  # it must not read the body or accept the socket
        try:
            async with asyncio.timeout(self._timeout_s):
                viewer = await self._authenticate(seen, params or NO_PARAMS)
            return None if viewer is None else _checked(viewer)
        except Unauthorized:
            return None
        except (Exception, asyncio.CancelledError) as error:  # it is user code
            if is_being_cancelled():
                raise
            log.error("authenticate.failed", exc_info=error, fix=FIX)
            raise OstinatoError("internal error while signing in: try again") from None

    async def _record(self, viewer: Viewer) -> None:
        if self._on_verified is None:
            return
        now = asyncio.get_running_loop().time()
        roles, until = self._recorded.get(viewer.id, (None, 0.0))
        if roles != viewer.roles or now >= until:
            await self._on_verified(viewer)
            self._recorded[viewer.id] = (viewer.roles, now + TOKEN_CACHE_TTL_S)


def _checked(viewer: Viewer) -> Viewer:
    """Return the viewer, for at most MAX_LIFETIME.

    Raises Unauthorized if it has expired, and TypeError or ValueError if it is unusable.
    """
    if not isinstance(viewer, Viewer):
        raise TypeError(f"authenticate must return a Viewer or None, got {type(viewer).__name__}")
    if not isinstance(viewer.roles, frozenset):
        raise TypeError(f"Viewer.roles must be a frozenset, got {type(viewer.roles).__name__}")
    _require_name("id", viewer.id, MAX_OWNER_CHARS)
    if viewer.token_id is not None:
        _require_name("token_id", viewer.token_id, MAX_TOKEN_ID_CHARS)
    if len(viewer.roles) > MAX_ROLES:
        raise ValueError(f"Viewer.roles must be at most {MAX_ROLES:,}, got {len(viewer.roles):,}")
    for role in viewer.roles:
        _require_name("roles", role, MAX_ROLE_CHARS)
    if viewer.issued_at.tzinfo is None:  # revocations could not be compared with it
        raise ValueError("Viewer.issued_at must have a time zone: use datetime.now(UTC)")
    now = datetime.now(UTC)
    if viewer.expires_at is not None and viewer.expires_at <= now:
        raise Unauthorized(REJECTED)
    latest = now + MAX_LIFETIME
    return replace(viewer, expires_at=min(viewer.expires_at or latest, latest))


def _require_name(field: str, text: str, max_chars: int) -> None:
    if not 0 < len(text) <= max_chars:
        raise ValueError(f"Viewer.{field} must have 1 to {max_chars:,} characters")
    _require_text(field, text)


def _require_text(field: str, text: str) -> None:
    if problem := find_text_problem(text):
        raise ValueError(f"Viewer.{field} {problem.message}")


def _credentials(connection: HTTPConnection, params: ConnectionParams | None) -> bytes | None:
    """Return a digest of what identifies the caller; None if there is nothing."""
    headers = connection.headers
    cookies = "; ".join(headers.getlist("cookie"))
    given = (cookies, headers.get("authorization", ""), dict(params or {}))
    if not any(given):
        return None
    return hashlib.blake2b(comparable_json(given), digest_size=16).digest()
