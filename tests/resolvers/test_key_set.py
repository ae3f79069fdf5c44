"""Key sets of an issuer: lookup, caching, rotation, withdrawal and errors."""

import base64
from collections.abc import AsyncIterator

import jwt
import pytest

from ostinato.jobs.errors import Unavailable
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import TokenVerifier
from ostinato.resolvers.jwt_keys import KEY_SET_COOLDOWN_S, KEY_SET_TTL_S, RemoteKeys
from tests.schema.conftest import SECRET, make_settings
from tests.schema.key_server import KeyServer, serve_keys
from tests.schema.tokens import (
    EC,
    OTHER_RSA,
    RSA,
    claims,
    is_rejected,
    viewer_of,
)


@pytest.fixture
async def key_server() -> AsyncIterator[KeyServer]:
    async with serve_keys() as server:
        yield server


def jwks_settings(server: KeyServer) -> Settings:
    return make_settings(jwt_secret=None, jwt_jwks_url=server.url)


async def test_keys_are_selected_by_key_id_and_the_key_set_is_fetched_once(
    key_server: KeyServer,
) -> None:
    key_server.publish(rsa=RSA.public_key(), ec=EC.public_key())
    verifier = TokenVerifier(jwks_settings(key_server))
    for key, algorithm, key_id in ((RSA, "RS256", "rsa"), (EC, "ES256", "ec")):
        token = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": key_id})
        assert (await verifier.viewer(token)).id == "ada"
    assert key_server.requests == 1
    await verifier.aclose()


async def test_key_of_a_key_set_verifies_only_its_own_algorithm(key_server: KeyServer) -> None:
    key_server.publish(rsa=RSA.public_key())
    settings = jwks_settings(key_server)
    for token in (
        jwt.encode(claims(), EC, algorithm="ES256", headers={"kid": "rsa"}),
        jwt.encode(claims(), SECRET, algorithm="HS256", headers={"kid": "rsa"}),
        jwt.encode(claims(), RSA, algorithm="RS256"),
        jwt.encode(claims(), OTHER_RSA, algorithm="RS256", headers={"kid": "rsa"}),
        jwt.encode(claims(), RSA, algorithm="RS256", headers={"kid": "unknown"}),
    ):
        assert await is_rejected(settings, token)


async def test_secret_published_in_a_key_set_is_not_used(key_server: KeyServer) -> None:
    secret = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    key_server.body = {"keys": [{"kty": "oct", "kid": "s", "k": secret}, {"kty": "?"}, 1]}
    token = jwt.encode(claims(), SECRET, algorithm="HS256", headers={"kid": "s"})
    assert await is_rejected(jwks_settings(key_server), token)


async def test_rotated_key_is_found_and_unknown_key_ids_are_fetched_at_a_limited_rate(
    key_server: KeyServer,
) -> None:
    now = 0.0
    key_server.publish(old=RSA.public_key())
    keys = RemoteKeys(key_server.url, frozenset({"RS256"}), lambda: now)
    assert await keys.find("old")
    key_server.publish(new=OTHER_RSA.public_key())
    for _ in range(10):
        assert await keys.find("new") is None
    now += KEY_SET_COOLDOWN_S
    assert await keys.find("new")
    assert key_server.requests == 2
    await keys.aclose()


async def test_keys_stay_valid_while_the_issuer_is_unreachable_until_they_are_withdrawn(
    key_server: KeyServer,
) -> None:
    now = 0.0
    key_server.publish(old=RSA.public_key())
    keys = RemoteKeys(key_server.url, frozenset({"RS256"}), lambda: now)
    assert await keys.find("old")
    key_server.body, now = None, now + KEY_SET_TTL_S
    assert await keys.find("old")
    key_server.publish(new=RSA.public_key())
    now += KEY_SET_TTL_S
    assert await keys.find("old") is None
    await keys.aclose()


@pytest.mark.parametrize("body", [None, [], {"keys": 1}, "x" * 300_000])
async def test_authentication_is_unavailable_until_the_issuer_has_sent_valid_keys(
    key_server: KeyServer, body: object
) -> None:
    key_server.body = body
    token = jwt.encode(claims(), RSA, algorithm="RS256", headers={"kid": "rsa"})
    with pytest.raises(Unavailable):
        await viewer_of(jwks_settings(key_server), token)
