"""Bearer token verification, independent of the transport."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from cachetools import LRUCache

from ostinato.jobs.errors import Unauthorized
from ostinato.jobs.ids import new_id
from ostinato.jobs.json_values import find_text_problem, replace_surrogates
from ostinato.jobs.rights import ADMIN, MAX_OWNER_CHARS
from ostinato.jobs.settings import Settings
from ostinato.resolvers.jwt_keys import JwtKeys
from ostinato.resolvers.throttle import Now, Throttle

MAX_TOKEN_CHARS = 8_192  # the header limit of most proxies
MAX_TOKEN_ID_CHARS = 1_024
MAX_ROLES: Final = 1_000
MAX_ROLE_CHARS: Final = 200
TOKEN_CACHE_SIZE = 1_000
DEVELOPMENT_TOKEN_S: Final = 30 * 86_400  # a bookmark of GraphiQL keeps working for a month
REVOKED: Final = "the token was revoked: sign in again"
TOKEN_CACHE_TTL_S = 30.0  # a removed key is accepted up to this long


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The authenticated user."""

    id: str
    """The token's `sub`: the owner of everything that the viewer creates."""
    roles: frozenset[str] = frozenset()
    """The token's `roles`; `admin` grants full access."""
    expires_at: datetime | None = None
    """When the token expires, in real time; sockets are closed then."""
    issued_at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)
    """The token's `iat`; without a token, the current time."""
    token_id: str | None = field(default=None, compare=False)
    """The token's `jti`; None if it has none."""

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles

    @property
    def scope(self) -> str | None:
        """Return the owner filter of the viewer's reads; None (all owners) for admins."""
        return None if self.is_admin else self.id


OnVerified = Callable[[Viewer], Awaitable[None]]


class TokenVerifier:
    """Verifies tokens with the configured keys; shared by all requests of a process."""

    def __init__(
        self,
        settings: Settings,
        on_verified: OnVerified | None = None,
        failed_tokens: Throttle | None = None,
        is_revoked: "Callable[[Viewer], bool]" = lambda _: False,
        now: Now = time.time,
    ) -> None:
        """Raise ValueError if no key is configured: there is no default secret.

        `on_verified` is called with the viewer of each token that is not in the cache, before
        `viewer` returns it. `is_revoked` is called for each request.
        """
        self._is_revoked = is_revoked
        self._on_verified = on_verified
        self._failed_tokens = failed_tokens
        self._keys = JwtKeys(settings)
        self._cache = _TokenCache(now)
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._leeway = timedelta(seconds=settings.jwt_leeway_s)
        self._max_lifetime_s = settings.jwt_max_lifetime_s

    async def viewer(self, token: str, address: str = "") -> Viewer:
        """Return the viewer of `token`, sent from `address`.

        Raises Unauthorized, Unavailable if keys are missing, or TooManyRequests after too many
        invalid tokens from the address: then only known tokens are accepted.
        """
        viewer = self._cache.find(token)
        if viewer is None:
            viewer = await self._verify_counted(token, address)
            if self._on_verified is not None:
                await self._on_verified(viewer)
            self._cache.put(token, viewer)
        self._require_accepted(viewer)
        return viewer

    def _require_accepted(self, viewer: Viewer) -> None:
        if self._is_revoked(viewer):
            raise Unauthorized(REVOKED)

    async def _verify_counted(self, token: str, address: str) -> Viewer:
        if self._failed_tokens is None:
            return await self._verify_accepted(token)
        if not self._cache.is_known(token):
            self._failed_tokens.require(address)
        try:
            return await self._verify_accepted(token)
        except Unauthorized:
            self._cache.remove(token)
            self._failed_tokens.spend(address)
            raise

    async def _verify_accepted(self, token: str) -> Viewer:
        viewer = await self._verify(token)
        self._require_accepted(viewer)
        return viewer

    async def _verify(self, token: str) -> Viewer:
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthorized(
                f"the token must have at most {MAX_TOKEN_CHARS} characters, got {len(token)}: "
                "remove claims from it"
            )
        try:
            key = await self._keys.find(jwt.get_unverified_header(token))
            claims = self._claims(token, key)
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired: sign in again") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthorized(f"the token is not valid: {_reason(error)}") from None
        self._require_short_lifetime(claims)
        return _viewer_of(claims, self._leeway)

    def _require_short_lifetime(self, claims: Mapping[str, Any]) -> None:
        lifetime_s = int(claims["exp"]) - int(claims["iat"])
        if lifetime_s > self._max_lifetime_s:
            raise Unauthorized(
                f"the token is valid for {lifetime_s} s from its `iat` to its `exp`: issue tokens "
                f"for at most {self._max_lifetime_s} s, or raise OSTINATO_JWT_MAX_LIFETIME_S"
            )

    async def aclose(self) -> None:
        await self._keys.aclose()

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={
                "require": ["sub", "iat", "exp"],
                "verify_aud": self._audience is not None,
                "enforce_minimum_key_length": True,
            },
        )


REASONS: Final[Mapping[type[Exception], str]] = {
    jwt.InvalidAudienceError: "its `aud` must name the OSTINATO_JWT_AUDIENCE of the API",
    jwt.InvalidIssuerError: "its `iss` must be the OSTINATO_JWT_ISSUER of the API",
    jwt.ImmatureSignatureError: "it is not valid yet: compare the clocks",
    jwt.MissingRequiredClaimError: "it must have `sub`, `iat`, `exp` and any required `aud`",
    jwt.InvalidSignatureError: "it is not signed with the API's key",
    jwt.InvalidKeyError: "it is not signed with a key and algorithm of the API",
}


def _reason(error: Exception) -> str:
    return next(
        (reason for kind, reason in REASONS.items() if isinstance(error, kind)), "sign in again"
    )


class _TokenCache:
    """The last tokens that were accepted: verifying a signature costs as much as a small query.

    After its time, a token must be verified again, but remains known until that fails.
    """

    def __init__(self, now: Now) -> None:
        self._now = now
        self._entries: LRUCache[str, tuple[Viewer, float]] = LRUCache(TOKEN_CACHE_SIZE)

    def find(self, token: str) -> Viewer | None:
        viewer, until = self._entries.get(token, (None, 0.0))
        if viewer is None or self._now() >= until:
            return None
        return viewer

    def is_known(self, token: str) -> bool:
        return token in self._entries

    def remove(self, token: str) -> None:
        self._entries.pop(token, None)

    def put(self, token: str, viewer: Viewer) -> None:
        until = self._now() + TOKEN_CACHE_TTL_S
        if viewer.expires_at is not None:
            until = min(until, viewer.expires_at.timestamp())
        self._entries[token] = (viewer, until)


def issue_token(
    settings: Settings, sub: str, roles: tuple[str, ...] = (), ttl_s: int = 3_600
) -> str:
    """Sign a token for `sub` with the configured secret.

    Raises ValueError without a secret, or for a longer time than the API accepts.
    """
    if settings.jwt_secret is None:
        raise ValueError("set OSTINATO_JWT_SECRET: it signs the tokens")
    if ttl_s > settings.jwt_max_lifetime_s:
        raise ValueError(
            f"the API accepts tokens for at most {settings.jwt_max_lifetime_s} s, got {ttl_s}: "
            "choose a shorter time, or raise OSTINATO_JWT_MAX_LIFETIME_S"
        )
    now = datetime.now(UTC)
    claims: dict[str, Any] = {
        "sub": sub,
        "jti": new_id(),
        "roles": list(roles),
        "iat": now,
        "exp": now + timedelta(seconds=ttl_s),
    }
    optional = {"aud": settings.jwt_audience, "iss": settings.jwt_issuer}
    claims |= {name: value for name, value in optional.items() if value is not None}
    return jwt.encode(claims, settings.jwt_secret.get_secret_value(), algorithm="HS256")


def is_signed_with(token: str, secret: str) -> bool:
    """Return whether `token` has an HS256 signature of this secret, even if it has expired."""
    try:
        jwt.PyJWS().decode(token, secret, algorithms=["HS256"])
    except jwt.PyJWTError:
        return False
    return True


def bearer_token(authorization: object) -> str | None:
    """Parse `Bearer <token>`; returns None if the header is missing; raises Unauthorized."""
    if authorization is None or authorization == "":
        return None
    if isinstance(authorization, str):
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    raise Unauthorized("send the token as `Authorization: Bearer <token>`")


def _viewer_of(claims: Mapping[str, Any], leeway: timedelta) -> Viewer:
    subject, roles = claims["sub"], claims.get("roles", [])
    if not isinstance(subject, str):
        raise Unauthorized("the token's `sub` must be a string")
    _require_nameable("sub", subject, MAX_OWNER_CHARS)
    token_id = claims.get("jti")
    if token_id is not None:
        _require_nameable("jti", token_id, MAX_TOKEN_ID_CHARS)
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Unauthorized("the token's `roles` must be a list of strings")
    if len(roles) > MAX_ROLES or any(len(role) > MAX_ROLE_CHARS for role in roles):
        limits = f"at most {MAX_ROLES:,}, of at most {MAX_ROLE_CHARS} characters each"
        raise Unauthorized(f"the token has too many or too long `roles`: use {limits}")
    if any(text != replace_surrogates(text) for text in roles):
        raise Unauthorized("the token's `roles` must not contain an unpaired surrogate")
    return Viewer(
        id=subject,
        roles=frozenset(roles),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC) + leeway,
        issued_at=datetime.fromtimestamp(int(claims["iat"]), UTC),
        token_id=token_id,
    )


def _require_nameable(claim: str, text: str, max_chars: int) -> None:
    """Raise Unauthorized for a claim that an admin could not name in the input of a mutation."""
    if not 0 < len(text) <= max_chars:
        allowed = f"1 to {max_chars:,} characters"
        raise Unauthorized(f"the token's `{claim}` must be {allowed}, got {len(text):,}")
    if problem := find_text_problem(text):
        raise Unauthorized(f"the token's `{claim}` {problem.message}: issue tokens without it")
