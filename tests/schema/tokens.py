"""Keys, claims, and valid and forged tokens."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ostinato.jobs.errors import Unauthorized
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import TokenVerifier, Viewer

RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
SMALL_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 # rejected as too short
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    all_claims = {"sub": "ada", "iat": now, "exp": now + timedelta(minutes=1)} | changes
    return {name: value for name, value in all_claims.items() if value is not None}


def unsigned(header: dict[str, Any], body: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in (header, body))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


async def is_rejected(settings: Settings, token: str) -> bool:
    try:
        await viewer_of(settings, token)
    except Unauthorized as error:
        return token not in str(error)
    return False


async def viewer_of(settings: Settings, token: str) -> Viewer:
    verifier = TokenVerifier(settings)
    try:
        return await verifier.viewer(token)
    finally:
        await verifier.aclose()
