"""Tokens: valid and invalid tokens, keys and algorithms."""

import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import SecretStr

from ostinato.jobs.errors import TooManyRequests, Unauthorized
from ostinato.resolvers.auth import (
    TOKEN_CACHE_SIZE,
    TOKEN_CACHE_TTL_S,
    TokenVerifier,
    bearer_token,
    issue_token,
)
from ostinato.resolvers.throttle import Throttles, spend_alone
from tests.processes import eventually
from tests.schema.conftest import SECRET, make_settings
from tests.schema.tokens import (
    EC,
    OTHER_RSA,
    RSA,
    SMALL_RSA,
    claims,
    is_rejected,
    pem,
    unsigned,
    viewer_of,
)


async def test_issued_token_identifies_its_viewer() -> None:
    settings = make_settings(jwt_audience="ostinato", jwt_issuer="tests")
    viewer = await viewer_of(settings, issue_token(settings, "ada", ("admin",), ttl_s=60))
    assert (viewer.id, viewer.roles, viewer.is_admin) == ("ada", frozenset({"admin"}), True)
    assert viewer.expires_at is not None
    assert timedelta(seconds=55) < viewer.expires_at - datetime.now(UTC) <= timedelta(seconds=60)


async def test_viewer_without_the_role_is_not_an_admin() -> None:
    settings = make_settings()
    assert not (await viewer_of(settings, issue_token(settings, "ada"))).is_admin


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": datetime.now(UTC) - timedelta(seconds=1)},
        {"exp": None},
        {"exp": "soon"},
        {"exp": []},
        {"exp": 1e400},
        {"iat": None},
        {"iat": "soon"},
        {"iat": datetime.now(UTC) + timedelta(days=1)},
        {"jti": 1},
        {"jti": ""},
        {"jti": "x" * 1_025},
        {"jti": "a\0"},
        {"jti": "a\ud800"},
        {"sub": None},
        {"sub": ""},
        {"sub": 1},
        {"sub": "x" * 256},
        {"sub": "ad\ud800"},
        {"sub": "ad\0a"},
        {"nbf": datetime.now(UTC) + timedelta(days=1)},
        {"roles": "admin"},
        {"roles": [1]},
        {"roles": ["ad\ud800"]},
        {"roles": ["x" * 201]},
        {"roles": [f"{n:x}" for n in range(1_001)]},
        {"roles": {"admin": True}},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_token_with_invalid_claims_is_rejected(changes: dict[str, Any]) -> None:
    token = jwt.encode(claims(**changes), SECRET, algorithm="HS256", sort_headers=True)
    assert await is_rejected(make_settings(), token)


async def test_verified_token_is_cached_until_it_expires() -> None:
    verifier = TokenVerifier(make_settings())
    token = issue_token(make_settings(), "ada", ttl_s=2)
    viewer = await verifier.viewer(token)
    assert await verifier.viewer(token) is viewer
    await eventually(lambda: _is_rejected(verifier, token))


async def _is_rejected(verifier: TokenVerifier, token: str) -> bool:
    try:
        await verifier.viewer(token)
    except Unauthorized:
        return True
    return False


@dataclass(slots=True)
class LimitedAddress:
    """A verifier whose address has no invalid tokens left, and its clock."""

    verifier: TokenVerifier
    now: float

    async def is_limited(self, token: str) -> bool:
        try:
            await self.verifier.viewer(token, "192.0.2.1")
        except TooManyRequests:
            return True
        return False


@asynccontextmanager
async def _limited_address(*known: str) -> AsyncIterator[LimitedAddress]:
    settings = make_settings(failed_tokens_per_second=0.01, failed_tokens_burst=1)
    limits = Throttles(settings, spend_alone)
    verifier = TokenVerifier(settings, failed_tokens=limits.failed_tokens, now=lambda: address.now)
    address = LimitedAddress(verifier, time.time())
    for token in known:
        await verifier.viewer(token, "192.0.2.1")
    with pytest.raises(Unauthorized):
        await verifier.viewer("invalid", "192.0.2.1")
    yield address
    await limits.aclose()


async def test_known_token_is_accepted_from_a_limited_address_until_it_expires() -> None:
    known = issue_token(make_settings(), "ada", ttl_s=3_600)
    async with _limited_address(known) as address:
        for _ in range(10):
            address.now += TOKEN_CACHE_TTL_S
            assert not await address.is_limited(known)
        assert await address.is_limited(issue_token(make_settings(), "bob"))


async def test_known_token_that_has_become_invalid_is_verified_once_and_counted() -> None:
    known = issue_token(make_settings(), "ada", ttl_s=5)
    async with _limited_address(known) as address:
        with pytest.raises(Unauthorized):
            await eventually(lambda: _is_limited_later(address, known))
        assert await address.is_limited(known)


async def _is_limited_later(address: LimitedAddress, token: str) -> bool:
    address.now += TOKEN_CACHE_TTL_S
    return await address.is_limited(token)


async def test_number_of_cached_tokens_is_limited() -> None:
    verifier, settings = TokenVerifier(make_settings()), make_settings()
    first = issue_token(settings, "first")
    viewer = await verifier.viewer(first)
    for number in range(TOKEN_CACHE_SIZE):
        await verifier.viewer(issue_token(settings, f"user {number}"))
    assert await verifier.viewer(first) is not viewer


@pytest.mark.parametrize("lifetime_s", [3_601, 2_000_000_000, 10**15, 10**300])
async def test_token_valid_for_longer_than_the_maximum_is_rejected(lifetime_s: int) -> None:
    settings, now = make_settings(jwt_max_lifetime_s=3_600), int(time.time())
    token = jwt.encode(claims(iat=now, exp=now + lifetime_s), SECRET, algorithm="HS256")
    with pytest.raises(Unauthorized, match="raise OSTINATO_JWT_MAX_LIFETIME_S"):
        await viewer_of(settings, token)


async def test_lifetime_counts_from_iat_and_not_from_now() -> None:
    settings, now = make_settings(jwt_max_lifetime_s=3_600), int(time.time())
    valid = jwt.encode(claims(iat=now - 3_000, exp=now + 600), SECRET, algorithm="HS256")
    assert (await viewer_of(settings, valid)).id == "ada"
    long = jwt.encode(claims(iat=now - 3_600, exp=now + 600), SECRET, algorithm="HS256")
    assert await is_rejected(settings, long)


def test_no_token_is_issued_for_longer_than_the_maximum() -> None:
    with pytest.raises(ValueError, match="for at most 3600 s, got 3601"):
        issue_token(make_settings(jwt_max_lifetime_s=3_600), "ada", ttl_s=3_601)


async def test_leeway_tolerates_clock_skew_and_extends_the_expiry() -> None:
    settings = make_settings(jwt_leeway_s=30)
    expired = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
    token = jwt.encode(claims(exp=expired), SECRET, algorithm="HS256")
    viewer = await viewer_of(settings, token)
    assert viewer.expires_at == expired + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("configured", "sent"),
    [
        ({"jwt_audience": "ostinato"}, {}),
        ({"jwt_audience": "ostinato"}, {"aud": "other"}),
        ({"jwt_issuer": "https://id.example"}, {}),
        ({"jwt_issuer": "https://id.example"}, {"iss": "https://evil.example"}),
    ],
)
async def test_audience_and_issuer_must_match_when_configured(
    configured: dict[str, str], sent: dict[str, str]
) -> None:
    token = jwt.encode(claims(**sent), SECRET, algorithm="HS256")
    assert await is_rejected(make_settings(**configured), token)
    if sent:
        assert not await is_rejected(make_settings(), token)


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
async def test_public_key_verifies_its_own_algorithm(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    settings = make_settings(jwt_secret=None, jwt_public_key=pem(key))
    algorithm = "RS256" if key is RSA else "ES256"
    token = jwt.encode(claims(), key, algorithm=algorithm)
    assert (await viewer_of(settings, token)).id == "ada"
    assert await is_rejected(settings, jwt.encode(claims(), OTHER_RSA, algorithm="RS256"))


async def test_public_key_is_never_used_as_a_secret() -> None:
    settings = make_settings(jwt_secret=None, jwt_public_key=pem(RSA))
    header = {"alg": "HS256", "typ": "JWT"}
    body = {"sub": "ada", "iat": int(time.time()), "exp": int(time.time()) + 60}
    signed = unsigned(header, body)[:-1]
    signature = jwt.get_algorithm_by_name("HS256").sign(signed.encode(), pem(RSA).encode())
    token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert await is_rejected(settings, token)
    assert await is_rejected(make_settings(jwt_public_key=pem(RSA)), token)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS512", "RS256", "", None, []])
async def test_other_algorithms_are_rejected(algorithm: object) -> None:
    header = {"alg": algorithm, "typ": "JWT"}
    assert await is_rejected(
        make_settings(), unsigned(header, {"sub": "ada", "iat": 1, "exp": 4_000_000_000})
    )


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "." * 10, "[" * 8_000, "x" * 9_000])
async def test_text_that_is_not_a_token_is_rejected(token: str) -> None:
    with pytest.raises(Unauthorized):
        await viewer_of(make_settings(), token)


async def test_configured_algorithms_restrict_those_of_the_keys() -> None:
    settings = make_settings(jwt_public_key=pem(RSA), jwt_algorithms=("RS256",))
    assert await is_rejected(settings, issue_token(settings, "ada"))
    assert not await is_rejected(settings, jwt.encode(claims(), RSA, algorithm="RS256"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "no default secret"),
        ({"jwt_public_key": "not a key"}, "PEM"),
        ({"jwt_public_key": pem(SMALL_RSA)}, "2,048"),
        ({"jwt_public_key": pem(RSA), "jwt_algorithms": ("HS256",)}, "matches no configured key"),
        ({"jwt_public_key": pem(RSA), "jwt_algorithms": ("none",)}, "none"),
        ({"jwt_jwks_url": "http://id.example/keys"}, "https"),
    ],
)
def test_server_without_a_usable_key_does_not_start(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenVerifier(make_settings(jwt_secret=None, **changes))


def test_issuing_a_token_requires_a_secret() -> None:
    settings = make_settings(jwt_secret=None, jwt_public_key=pem(RSA))
    with pytest.raises(ValueError, match="OSTINATO_JWT_SECRET"):
        issue_token(settings, "ada")


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic x", "x", 1, ["Bearer x"], {}])
def test_malformed_authorization_header_is_unauthorized(header: object) -> None:
    with pytest.raises(Unauthorized):
        bearer_token(header)


def test_settings_never_show_the_secret() -> None:
    assert SECRET not in repr(make_settings(jwt_secret=SecretStr(SECRET)))
