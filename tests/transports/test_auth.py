"""Tokens: which are accepted, by which key, and that nothing falls back to a weaker one."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from jobs.errors import Unauthorized, Unavailable
from jobs.settings import Settings
from resolvers.auth import VERIFIED_TOKENS, Authenticator, Viewer, bearer_token, mint
from resolvers.keys import KEY_SET_COOLDOWN_S, KEY_SET_TTL_S, RemoteKeys
from tests.processes import eventually
from tests.transports.conftest import SECRET, make_settings
from tests.transports.key_server import KeyServer, serve_keys

RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
SMALL_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 # refused
EC = ec.generate_private_key(ec.SECP256R1())
SHORT_SECRET = "short"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def claims(**changes: Any) -> dict[str, Any]:
    every = {"sub": "ada", "exp": datetime.now(UTC) + timedelta(minutes=1)} | changes
    return {name: value for name, value in every.items() if value is not None}


def unsigned(header: dict[str, Any], body: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in (header, body))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


async def refused(settings: Settings, token: str) -> bool:
    try:
        await viewer_of(settings, token)
    except Unauthorized as error:
        return token not in str(error)
    return False


async def viewer_of(settings: Settings, token: str) -> Viewer:
    authenticator = Authenticator(settings)
    try:
        return await authenticator.viewer(token)
    finally:
        await authenticator.aclose()


async def test_minted_token_names_its_viewer() -> None:
    settings = make_settings(jwt_audience="ostinato", jwt_issuer="tests")
    viewer = await viewer_of(settings, mint(settings, "ada", ("admin",), ttl_s=60))
    assert (viewer.id, viewer.roles, viewer.is_admin) == ("ada", frozenset({"admin"}), True)
    assert viewer.expires_at is not None
    assert timedelta(seconds=55) < viewer.expires_at - datetime.now(UTC) <= timedelta(seconds=60)


async def test_ordinary_viewer_is_no_admin() -> None:
    settings = make_settings()
    assert not (await viewer_of(settings, mint(settings, "ada"))).is_admin


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": datetime.now(UTC) - timedelta(seconds=1)},
        {"exp": None},
        {"exp": "soon"},
        {"exp": []},
        {"exp": 1e400},
        {"sub": None},
        {"sub": ""},
        {"sub": 1},
        {"sub": "x" * 256},
        {"nbf": datetime.now(UTC) + timedelta(minutes=1)},
        {"roles": "admin"},
        {"roles": [1]},
        {"roles": {"admin": True}},
    ],
    ids=str,
)
async def test_token_with_wrong_claims_is_refused(changes: dict[str, Any]) -> None:
    token = jwt.encode(claims(**changes), SECRET, algorithm="HS256", sort_headers=True)
    assert await refused(make_settings(), token)


async def test_token_is_verified_once_and_forgotten_when_it_expires() -> None:
    authenticator = Authenticator(make_settings())
    token = mint(make_settings(), "ada", ttl_s=2)
    viewer = await authenticator.viewer(token)
    assert await authenticator.viewer(token) is viewer
    await eventually(lambda: _is_refused(authenticator, token))


async def _is_refused(authenticator: Authenticator, token: str) -> bool:
    try:
        await authenticator.viewer(token)
    except Unauthorized:
        return True
    return False


async def test_only_so_many_verified_tokens_are_kept() -> None:
    authenticator, settings = Authenticator(make_settings()), make_settings()
    first = mint(settings, "first")
    viewer = await authenticator.viewer(first)
    for number in range(VERIFIED_TOKENS):
        await authenticator.viewer(mint(settings, f"user {number}"))
    assert await authenticator.viewer(first) is not viewer


async def test_token_that_never_expires_in_our_calendar_is_accepted() -> None:
    token = jwt.encode(claims(exp=10**15), SECRET, algorithm="HS256")
    assert (await viewer_of(make_settings(), token)).expires_at is None


async def test_leeway_forgives_a_clock_that_is_ahead_and_moves_the_end() -> None:
    settings = make_settings(jwt_leeway_s=30)
    expired = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
    token = jwt.encode(claims(exp=expired), SECRET, algorithm="HS256")
    viewer = await viewer_of(settings, token)
    assert viewer.expires_at == expired + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"jwt_audience": "ostinato"}, {}),
        ({"jwt_audience": "ostinato"}, {"aud": "other"}),
        ({"jwt_issuer": "https://id.example"}, {}),
        ({"jwt_issuer": "https://id.example"}, {"iss": "https://evil.example"}),
    ],
)
async def test_audience_and_issuer_must_match_when_configured(
    asked: dict[str, str], sent: dict[str, str]
) -> None:
    token = jwt.encode(claims(**sent), SECRET, algorithm="HS256")
    assert await refused(make_settings(**asked), token)
    if sent:
        assert not await refused(make_settings(), token)


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
async def test_public_key_verifies_its_own_algorithm(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    settings = make_settings(jwt_secret=None, jwt_public_key=pem(key))
    algorithm = "RS256" if key is RSA else "ES256"
    token = jwt.encode(claims(), key, algorithm=algorithm)
    assert (await viewer_of(settings, token)).id == "ada"
    assert await refused(settings, jwt.encode(claims(), OTHER_RSA, algorithm="RS256"))


async def test_public_key_is_never_taken_for_a_secret() -> None:
    settings = make_settings(jwt_secret=None, jwt_public_key=pem(RSA))
    header = {"alg": "HS256", "typ": "JWT"}
    body = {"sub": "ada", "exp": 4_000_000_000}
    signed = unsigned(header, body)[:-1]
    signature = jwt.get_algorithm_by_name("HS256").sign(signed.encode(), pem(RSA).encode())
    token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert await refused(settings, token)
    assert await refused(make_settings(jwt_public_key=pem(RSA)), token)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS512", "RS256", "", None, []])
async def test_other_algorithms_are_refused(algorithm: object) -> None:
    header = {"alg": algorithm, "typ": "JWT"}
    assert await refused(make_settings(), unsigned(header, {"sub": "ada", "exp": 4_000_000_000}))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "." * 10, "[" * 8_000, "x" * 9_000])
async def test_text_that_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthorized):
        await viewer_of(make_settings(), token)


async def test_configured_algorithms_narrow_what_the_keys_could_verify() -> None:
    settings = make_settings(jwt_public_key=pem(RSA), jwt_algorithms=("RS256",))
    assert await refused(settings, mint(settings, "ada"))
    assert not await refused(settings, jwt.encode(claims(), RSA, algorithm="RS256"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "no default secret"),
        ({"jwt_public_key": "not a key"}, "PEM"),
        ({"jwt_public_key": pem(SMALL_RSA)}, "2,048"),
        ({"jwt_public_key": pem(RSA), "jwt_algorithms": ("HS256",)}, "No key"),
        ({"jwt_public_key": pem(RSA), "jwt_algorithms": ("none",)}, "none"),
        ({"jwt_jwks_url": "http://id.example/keys"}, "https"),
    ],
)
def test_server_without_a_usable_key_refuses_to_start(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Authenticator(make_settings(jwt_secret=None, **changes))


def test_minting_needs_a_secret() -> None:
    settings = make_settings(jwt_secret=None, jwt_public_key=pem(RSA))
    with pytest.raises(ValueError, match="OSTINATO_JWT_SECRET"):
        mint(settings, "ada")


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic x", "x", 1, ["Bearer x"], {}])
def test_authorization_of_another_shape_is_unauthorized(header: object) -> None:
    with pytest.raises(Unauthorized):
        bearer_token(header)


@pytest.fixture
async def key_server() -> AsyncIterator[KeyServer]:
    async with serve_keys() as server:
        yield server


def jwks_settings(server: KeyServer) -> Settings:
    return make_settings(jwt_secret=None, jwt_jwks_url=server.url)


async def test_key_set_verifies_by_key_id_and_is_fetched_once(key_server: KeyServer) -> None:
    key_server.publish(rsa=RSA.public_key(), ec=EC.public_key())
    authenticator = Authenticator(jwks_settings(key_server))
    for key, algorithm, key_id in ((RSA, "RS256", "rsa"), (EC, "ES256", "ec")):
        token = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": key_id})
        assert (await authenticator.viewer(token)).id == "ada"
    assert key_server.requests == 1
    await authenticator.aclose()


async def test_key_set_s_key_verifies_only_its_own_algorithm(key_server: KeyServer) -> None:
    key_server.publish(rsa=RSA.public_key())
    settings = jwks_settings(key_server)
    for token in (
        jwt.encode(claims(), EC, algorithm="ES256", headers={"kid": "rsa"}),
        jwt.encode(claims(), SECRET, algorithm="HS256", headers={"kid": "rsa"}),
        jwt.encode(claims(), RSA, algorithm="RS256"),
        jwt.encode(claims(), OTHER_RSA, algorithm="RS256", headers={"kid": "rsa"}),
        jwt.encode(claims(), RSA, algorithm="RS256", headers={"kid": "unknown"}),
    ):
        assert await refused(settings, token)


async def test_secret_published_in_a_key_set_is_not_used(key_server: KeyServer) -> None:
    secret = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    key_server.body = {"keys": [{"kty": "oct", "kid": "s", "k": secret}, {"kty": "?"}, 1]}
    token = jwt.encode(claims(), SECRET, algorithm="HS256", headers={"kid": "s"})
    assert await refused(jwks_settings(key_server), token)


async def test_new_key_is_found_after_a_rotation_and_invented_ids_do_not_flood_the_issuer(
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


async def test_keys_stay_good_while_the_issuer_is_away_and_withdrawn_ones_go(
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
async def test_issuer_that_never_answered_well_makes_us_unavailable(
    key_server: KeyServer, body: object
) -> None:
    key_server.body = body
    token = jwt.encode(claims(), RSA, algorithm="RS256", headers={"kid": "rsa"})
    with pytest.raises(Unavailable):
        await viewer_of(jwks_settings(key_server), token)


def test_settings_never_show_the_secret() -> None:
    assert SECRET not in repr(make_settings(jwt_secret=SecretStr(SECRET)))
