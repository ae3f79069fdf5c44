"""The settings of tokens, of signing in and of cursors; part of `Settings`."""

import hmac
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from ostinato.jobs.hosts import is_secure_url

MIN_SECRET_BYTES = 32  # RFC 7518, 3.2: an HS256 key is at least as long as its hash


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Split = BeforeValidator(_split)
Names = Annotated[tuple[str, ...], NoDecode, Split]


class TokenSettings(BaseSettings):
    """How callers are recognized, and secrets."""

    jwt_secret: SecretStr | None = Field(
        None,
        description="Shared secret for HS256 tokens, at least 32 bytes.",
    )
    jwt_public_key: str | None = Field(
        None, description="PEM public key for verifying RS256 or ES256 tokens."
    )
    jwt_jwks_url: str | None = Field(
        None, description="HTTPS URL of the JWKS for verifying RS256 or ES256 tokens."
    )
    jwt_algorithms: Names = Field(
        (),
        description="Comma-separated accepted algorithms: HS256, RS256, ES256. By default, HS256 "
        "if a secret is set; RS256 and ES256 if a public key or a JWKS is set.",
    )
    jwt_audience: str | None = Field(None, description="Required audience (`aud`) of tokens.")
    jwt_issuer: str | None = Field(None, description="Required issuer (`iss`) of tokens.")
    oidc_client_id: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="Client id with which the pages sign users in at OSTINATO_JWT_ISSUER, by "
        "OpenID Connect. By default, the pages ask for a token.",
    )
    oidc_scope: str = Field(
        "openid offline_access",
        max_length=1_000,
        description="Scopes that the pages request at sign-in. `offline_access` lets them renew "
        "the token without the user.",
    )
    jwt_leeway_s: int = Field(
        0, ge=0, le=300, description="Allowed clock skew when checking a token's times, in seconds."
    )
    jwt_max_lifetime_s: int = Field(
        2_678_400,
        ge=60,
        le=157_680_000,
        description="Maximum time from `iat` to `exp` of a token, in seconds (default: 31 days); "
        "longer tokens are rejected.",
    )
    cursor_secret: SecretStr | None = Field(
        None,
        description="Secret for signing cursors, at least 32 bytes; must be the same in every API"
        " process. By default, derived from the JWT secret.",
    )
    development_token: SecretStr | None = Field(
        None,
        description="Token prefilled in GraphiQL, in development mode only; set by `ostinato dev`.",
    )
    development_flaky_url: str | None = Field(
        None,
        description="URL of an API that fails on request, for the playground of the pages, in "
        "development mode only; set by `ostinato dev`.",
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="Bearer token required by `/metrics`, at least 32 bytes. Without it, "
        "`/metrics` is off.",
    )

    @field_validator("jwt_secret", "cursor_secret", "metrics_token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"a secret must have at least {MIN_SECRET_BYTES} bytes")
        return value

    @model_validator(mode="after")
    def _issuer_is_secure(self) -> Self:
        if self.oidc_client_id is not None and not is_secure_url(self.jwt_issuer or ""):
            raise ValueError(
                f"OSTINATO_JWT_ISSUER is {self.jwt_issuer!r}: with OSTINATO_OIDC_CLIENT_ID, it "
                "must be the https:// URL of the issuer, or http:// on localhost"
            )
        return self

    @property
    def cursor_key(self) -> bytes:
        """Return the key for signing cursors; raises ValueError if no secret is set."""
        if self.cursor_secret is not None:
            return self.cursor_secret.get_secret_value().encode()
        if self.jwt_secret is None:
            raise ValueError("set OSTINATO_CURSOR_SECRET, for example to `openssl rand -hex 32`")
        return hmac.digest(self.jwt_secret.get_secret_value().encode(), b"cursor", "sha256")
