"""Turns a bearer token into the viewer who is calling; must not know how the token travelled."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt

from ostinato.jobs.errors import Unauthorized
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.settings import Settings
from ostinato.resolvers.jwt_keys import JwtKeys

MAX_TOKEN_CHARS = 8_192  # what proxies allow for a header
MAX_SUBJECT_CHARS = 255  # OpenID Connect Core, 2: `sub` is at most 255 characters
ADMIN = "admin"
TOKEN_CACHE_SIZE = 1_000
TOKEN_CACHE_TTL_S = 30.0  # a withdrawn key is noticed at most this much later


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The user who is calling."""

    id: str
    """`sub` of the token: the owner of what the viewer creates."""
    roles: frozenset[str] = frozenset()
    """The token's `roles`; `admin` sees and changes everything."""
    expires_at: datetime | None = None
    """Real time at which the token stops being accepted; sockets close then."""

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles

    @property
    def scope(self) -> str | None:
        """Return whose documents the viewer may read: None is everybody's, for an admin."""
        return None if self.is_admin else self.id


class Authenticator:
    """Verify tokens with the configured keys; shared by all requests of a process."""

    def __init__(self, settings: Settings) -> None:
        """Raise ValueError when no key is configured: there is no default secret."""
        self._keys = JwtKeys(settings)
        self._verified = _TokenCache()
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._leeway = timedelta(seconds=settings.jwt_leeway_s)

    async def viewer(self, token: str) -> Viewer:
        """Return the viewer of `token`; raises Unauthorized, or Unavailable without its keys."""
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthorized(
                f"the token has {len(token)} characters, and may have {MAX_TOKEN_CHARS}: put less "
                "into it"
            )
        viewer = self._verified.find(token)
        if viewer is None:
            viewer = await self._verify(token)
            self._verified.keep(token, viewer)
        return viewer

    async def _verify(self, token: str) -> Viewer:
        try:
            key = await self._keys.find(jwt.get_unverified_header(token))
            claims = self._claims(token, key)
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired: sign in again") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthorized(f"the token is not valid: {_flaw(error)}") from None
        return _viewer_of(claims, self._leeway)

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
                "require": ["sub", "exp"],
                "verify_aud": self._audience is not None,
                "enforce_minimum_key_length": True,
            },
        )


FLAWS: Final[Mapping[type[Exception], str]] = {
    jwt.InvalidAudienceError: "its `aud` must name the OSTINATO_JWT_AUDIENCE of the API",
    jwt.InvalidIssuerError: "its `iss` must be the OSTINATO_JWT_ISSUER of the API",
    jwt.ImmatureSignatureError: "its time has not come: compare the clocks",
    jwt.MissingRequiredClaimError: "it must have `sub` and `exp`, and `aud` where the API wants it",
    jwt.InvalidSignatureError: "it is signed with another key than the API's",
    jwt.InvalidKeyError: "it is signed with another key or algorithm than the API's",
}


def _flaw(error: Exception) -> str:
    return next((said for kind, said in FLAWS.items() if isinstance(error, kind)), "sign in again")


class _TokenCache:
    """The tokens verified lately: a signature costs as much as a small query."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Viewer, float]] = OrderedDict()

    def find(self, token: str) -> Viewer | None:
        viewer, until = self._kept.get(token, (None, 0.0))
        if viewer is None or time.time() >= until:
            return None
        return viewer

    def keep(self, token: str, viewer: Viewer) -> None:
        until = time.time() + TOKEN_CACHE_TTL_S
        if viewer.expires_at is not None:
            until = min(until, viewer.expires_at.timestamp())
        self._kept[token] = (viewer, until)
        if len(self._kept) > TOKEN_CACHE_SIZE:
            self._kept.popitem(last=False)


def issue_token(
    settings: Settings, sub: str, roles: tuple[str, ...] = (), ttl_s: int = 3_600
) -> str:
    """Sign a token for `sub` with the configured secret; raises ValueError without a secret."""
    if settings.jwt_secret is None:
        raise ValueError("set OSTINATO_JWT_SECRET: tokens are signed with it")
    now = datetime.now(UTC)
    claims: dict[str, Any] = {
        "sub": sub,
        "roles": list(roles),
        "iat": now,
        "exp": now + timedelta(seconds=ttl_s),
    }
    optional = {"aud": settings.jwt_audience, "iss": settings.jwt_issuer}
    claims |= {name: value for name, value in optional.items() if value is not None}
    return jwt.encode(claims, settings.jwt_secret.get_secret_value(), algorithm="HS256")


def bearer_token(authorization: object) -> str | None:
    """Return the token of `Bearer <token>`, None when nothing was sent; raises Unauthorized."""
    if authorization is None or authorization == "":
        return None
    if isinstance(authorization, str):
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    raise Unauthorized("send the token as `Authorization: Bearer <token>`")


def _viewer_of(claims: Mapping[str, Any], leeway: timedelta) -> Viewer:
    subject, roles = claims["sub"], claims.get("roles", [])
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARS:
        raise Unauthorized("the token's `sub` must be 1 to 255 characters")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Unauthorized("the token's `roles` must be a list of strings")
    if any(text != replace_surrogates(text) for text in (subject, *roles)):
        raise Unauthorized("the token's `sub` and `roles` must not hold half a surrogate pair")
    try:
        expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC) + leeway
    except (ValueError, OverflowError, OSError):
        expires_at = None  # beyond the calendar: such a token does not expire in our lifetime
    return Viewer(id=subject, roles=frozenset(roles), expires_at=expires_at)
