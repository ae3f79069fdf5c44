"""Keys for verifying tokens, each restricted to the algorithms of its type."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ostinato.jobs.errors import Unavailable
from ostinato.jobs.findings import Finding
from ostinato.jobs.hosts import is_secure_url
from ostinato.jobs.logs import get_log
from ostinato.jobs.settings import Settings

log = get_log("ostinato.keys")
ALGORITHMS = frozenset({"HS256", "RS256", "ES256"})
KEY_SET_TTL_S = 600.0  # a removed key is accepted up to ten minutes
KEY_SET_COOLDOWN_S = 10.0  # limits the requests caused by unknown key ids
KEY_SET_TIMEOUT_S = 5.0
MAX_KEY_SET_BYTES = 262_144
MIN_RSA_BITS = 2_048


class JwtKeys:
    """Selects the key for a token's header: a configured key, or one from a JWKS."""

    def __init__(self, settings: Settings) -> None:
        """Raise ValueError if no key is configured, or a key does not fit its algorithm."""
        allowed = frozenset(settings.jwt_algorithms) or ALGORITHMS
        if unknown := allowed - ALGORITHMS:
            raise ValueError(
                f"OSTINATO_JWT_ALGORITHMS names {', '.join(sorted(unknown))}: only "
                f"{', '.join(sorted(ALGORITHMS))} are supported"
            )
        fixed = [_secret_key(settings), _public_key(settings)]
        self._fixed = {
            key.algorithm_name: key for key in fixed if key and key.algorithm_name in allowed
        }
        self._remote = _remote_keys(settings, allowed - {"HS256"} - self._fixed.keys())
        if not self._fixed and self._remote is None:
            if any(fixed) or settings.jwt_jwks_url:
                named = ",".join(sorted(allowed))
                raise ValueError(
                    f"OSTINATO_JWT_ALGORITHMS={named} matches no configured key: a secret is for "
                    "HS256, a public key or a JWKS for RS256 or ES256"
                )
            raise ValueError(
                "no key for verifying tokens: set OSTINATO_JWT_SECRET, OSTINATO_JWT_PUBLIC_KEY or "
                "OSTINATO_JWT_JWKS_URL; there is no default secret (`ostinato dev` generates one)"
            )

    async def find(self, header: Mapping[str, Any]) -> jwt.PyJWK:
        """Return the key for a token's unverified header; raises InvalidTokenError."""
        algorithm, key_id = header.get("alg"), header.get("kid")
        if isinstance(algorithm, str) and algorithm in self._fixed:
            return self._fixed[algorithm]
        if self._remote is not None and isinstance(key_id, str):
            key = await self._remote.find(key_id)
            if key is not None and key.algorithm_name == algorithm:
                return key
        raise jwt.InvalidKeyError("no configured key matches the token")

    async def aclose(self) -> None:
        if self._remote is not None:
            await self._remote.aclose()


def check_keys(settings: Settings) -> Finding:
    """Check whether tokens can be verified, like the API at startup."""
    try:
        JwtKeys(settings)
    except ValueError as error:
        return Finding(subject="token key", detail="the API cannot verify tokens", fix=str(error))
    return Finding(subject="token key", detail="configured")


class RemoteKeys:
    """A JWKS, fetched on demand and cached; an unknown key id triggers a refresh."""

    def __init__(
        self, url: str, algorithms: frozenset[str], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._algorithms = algorithms
        self._now = now
        self._client = httpx.AsyncClient(timeout=KEY_SET_TIMEOUT_S, follow_redirects=False)
        self._lock = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key, or None; raises Unavailable if the key set was never fetched."""
        if not self._is_fresh(key_id):
            async with self._lock:
                if not self._is_fresh(key_id) and self._may_fetch():
                    await self._refresh()
        if self._fetched_at == float("-inf"):
            raise Unavailable("the keys for verifying tokens cannot be fetched: try again")
        return self._keys.get(key_id)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _is_fresh(self, key_id: str) -> bool:
        return key_id in self._keys and self._now() - self._fetched_at < KEY_SET_TTL_S

    def _may_fetch(self) -> bool:
        return self._now() - self._tried_at >= KEY_SET_COOLDOWN_S

    async def _refresh(self) -> None:
        self._tried_at = self._now()
        try:
            async with asyncio.timeout(KEY_SET_TIMEOUT_S):
                body = await self._download()
            self._keys = _usable_keys(json.loads(body), self._algorithms)
        except (httpx.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            fix = "check that OSTINATO_JWT_JWKS_URL returns a key set"
            log.warning("keys.unread", url=self._url, error=repr(error), fix=fix)
            return  # the cached keys stay valid until the next attempt
        self._fetched_at = self._now()

    async def _download(self) -> bytes:
        body = bytearray()
        async with self._client.stream("GET", self._url) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_KEY_SET_BYTES:
                    raise ValueError("the key set is too large")
        return bytes(body)


def _usable_keys(key_set: object, algorithms: frozenset[str]) -> dict[str, jwt.PyJWK]:
    entries = key_set.get("keys") if isinstance(key_set, dict) else None
    if not isinstance(entries, list):
        raise ValueError("a key set must have a list `keys`")
    keys = (_usable_key(entry) for entry in entries if isinstance(entry, dict))
    return {
        key.key_id: key for key in keys if key and key.key_id and key.algorithm_name in algorithms
    }


def _usable_key(entry: dict[str, Any]) -> jwt.PyJWK | None:
    if entry.get("use", "sig") != "sig":
        return None
    try:
        return jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, UnsupportedAlgorithm):
        return None


def _secret_key(settings: Settings) -> jwt.PyJWK | None:
    if settings.jwt_secret is None:
        return None
    secret = settings.jwt_secret.get_secret_value().encode()
    return jwt.PyJWK({"kty": "oct", "k": jwt.utils.base64url_encode(secret).decode()}, "HS256")


def _public_key(settings: Settings) -> jwt.PyJWK | None:
    if settings.jwt_public_key is None:
        return None
    try:
        key = load_pem_public_key(settings.jwt_public_key.replace("\\n", "\n").encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "OSTINATO_JWT_PUBLIC_KEY is not a PEM public key: it starts with "
            "-----BEGIN PUBLIC KEY-----, and its lines may be separated by \\n"
        ) from error
    if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return jwt.PyJWK(jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True), "RS256")
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return jwt.PyJWK(jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True), "ES256")
    raise ValueError("OSTINATO_JWT_PUBLIC_KEY must be RSA of 2,048 bits or more, or EC P-256")


def _remote_keys(settings: Settings, algorithms: frozenset[str]) -> RemoteKeys | None:
    url = settings.jwt_jwks_url
    if url is None or not algorithms:
        return None
    if not is_secure_url(url):
        raise ValueError(
            f"OSTINATO_JWT_JWKS_URL is {url!r}: it must be an https:// URL, or http:// on localhost"
        )
    return RemoteKeys(url, algorithms)
