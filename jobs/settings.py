"""Owns every setting of Ostinato: its variable, type, unit, bounds and default."""

import hmac
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ostinato.jobs.setting_lists import Addresses, Names, QueueNames

MIN_SECRET_BYTES = 32  # RFC 7518, 3.2: an HS256 key is at least as long as its hash


class Mode(StrEnum):
    """What kind of process this is; only development and test may move due time."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"
    TEST = "test"


class Settings(BaseSettings):
    """Read `OSTINATO_*` once at start; immutable from then on."""

    model_config = SettingsConfigDict(env_prefix="OSTINATO_", frozen=True, extra="ignore")

    # Servers
    mongo_url: str = Field(
        "mongodb://127.0.0.1:27017/?replicaSet=rs0",
        repr=False,
        description="MongoDB connection string; the server must be a replica set.",
    )
    database: str = Field(
        "ostinato",
        pattern=r"^[A-Za-z0-9_-]{1,38}$",
        description="Name of the MongoDB database that holds everything.",
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        repr=False,
        description="Redis or Valkey connection string, rediss:// for TLS with redis-py's options "
        "(ssl_ca_certs, ssl_cert_reqs, …); its maxmemory-policy must be noeviction.",
    )
    redis_prefix: str = Field(
        "ostinato",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Prefix of every Redis key and channel: installations can share a server.",
    )
    mode: Mode = Field(
        Mode.PRODUCTION,
        description="production, development or test; only the last two may move due time.",
    )
    functions: Names = Field(
        (),
        description="Comma-separated Python modules with your own functions, imported at start.",
    )
    log_level: str = Field(
        "INFO",
        pattern=r"^(DEBUG|INFO|WARNING|ERROR)$",
        description="Least severe level that is logged: DEBUG, INFO, WARNING or ERROR.",
    )
    log_json: bool = Field(
        False, description="Log one JSON object per line in place of text for people."
    )

    # Tokens
    jwt_secret: SecretStr | None = Field(
        None,
        description="Shared secret that signs HS256 tokens, at least 32 bytes; no default.",
    )
    jwt_public_key: str | None = Field(
        None, description="PEM public key that verifies RS256 or ES256 tokens."
    )
    jwt_jwks_url: str | None = Field(
        None, description="HTTPS address of the JWKS that verifies RS256 or ES256 tokens."
    )
    jwt_algorithms: Names = Field(
        (),
        description="Comma-separated algorithms that are accepted: HS256, RS256, ES256. "
        "Empty: HS256 with a secret, RS256 and ES256 with a public key or JWKS.",
    )
    jwt_audience: str | None = Field(None, description="Audience that a token must name, if set.")
    jwt_issuer: str | None = Field(None, description="Issuer that a token must name, if set.")
    jwt_leeway_s: int = Field(
        0, ge=0, le=300, description="Seconds of clock skew forgiven in a token's times."
    )
    cursor_secret: SecretStr | None = Field(
        None,
        description="Secret that signs cursors, at least 32 bytes and the same in every API "
        "process. Empty: derived from the JWT secret.",
    )
    development_token: SecretStr | None = Field(
        None, description="Token filled in to GraphiQL, in mode development only; set by `dev`."
    )
    metrics_token: SecretStr | None = Field(
        None, description="Token that `/metrics` asks for, at least 32 bytes; none: no `/metrics`."
    )

    # API process
    host: str = Field("127.0.0.1", description="Address that the API listens on.")
    port: int = Field(
        8000, ge=0, le=65535, description="TCP port that the API listens on; 0 takes a free one."
    )
    allowed_origins: Names = Field(
        (),
        description="Comma-separated origins of other sites whose pages may call the API; "
        "its own pages always may.",
    )
    trusted_proxies: Addresses = Field(
        ("127.0.0.1", "::1"),
        description="Comma-separated addresses and networks of proxies whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed; `*` believes anybody.",
    )
    introspection: bool = Field(True, description="Answer introspection queries.")
    operations_file: Path | None = Field(
        None, description="JSON file of the only operations that run: a manifest, or by their ids."
    )
    body_limit_bytes: int = Field(
        262_144, ge=1_024, description="Largest HTTP body or WebSocket message, in bytes."
    )
    result_limit_bytes: int = Field(
        262_144, ge=1_024, le=4_194_304, description="Largest result of one job, in bytes."
    )
    max_tokens: int = Field(
        5_000, ge=500, description="Most lexical tokens in one GraphQL document."
    )
    max_depth: int = Field(15, ge=5, description="Deepest nesting of fields in one document.")
    max_fields: int = Field(
        1_000, ge=100, description="Most fields in one document, its fragments spread out."
    )
    max_aliases: int = Field(50, ge=1, description="Most aliased fields in one document.")
    max_directives: int = Field(50, ge=1, description="Most directives in one document.")
    max_operations_per_socket: int = Field(
        100, ge=1, description="Most operations that one WebSocket may have open."
    )
    max_operation_id_chars: int = Field(
        128, ge=36, description="Longest operation id on a socket, in characters."
    )
    max_sockets_per_user: int = Field(
        100, ge=1, description="Most sockets and streams that one user may hold at one API process."
    )
    max_sockets_per_address: int = Field(
        1_000, ge=1, description="Most sockets and streams from one address at one API process."
    )
    request_timeout_ms: int = Field(
        15_000, ge=100, description="Longest run of one query or mutation, in milliseconds."
    )
    connection_init_timeout_ms: int = Field(
        3_000, ge=100, description="Longest wait for connection_init on a socket, in milliseconds."
    )
    keep_alive_ms: int = Field(
        12_000, ge=100, description="Time between pings on a quiet connection, in milliseconds."
    )
    idle_connection_ms: int = Field(
        75_000,
        ge=100,
        description="Time that an HTTP connection stays open after an answer, in milliseconds; "
        "longer than the 60 s of most proxies, so that it is they who close it.",
    )
    send_timeout_ms: int = Field(
        10_000,
        ge=100,
        description="Longest wait for a client that has stopped reading, in milliseconds.",
    )
    drain_timeout_ms: int = Field(
        3_000, ge=0, description="Longest wait for running work at a stop, in milliseconds."
    )

    # Live
    ring_events: int = Field(
        50_000,
        ge=100,
        description="Newest change events that an API process keeps, in events; 50,000 take about "
        "260 MiB.",
    )
    hub_history_ms: int = Field(
        60_000,
        ge=0,
        le=3_600_000,
        description="History that an API process reads at its start, so that clients which "
        "reconnect resume from its memory, in milliseconds.",
    )
    subscription_buffer: int = Field(
        1_000, ge=10, description="Events that may wait for one slow subscription, in events."
    )
    snapshot_limit: int = Field(
        1_000, ge=1, le=1_000, description="Most rows in a subscription's snapshot."
    )
    checkpoint_ms: int = Field(
        30_000,
        ge=100,
        description="Time between checkpoints of a quiet subscription, in milliseconds.",
    )

    # Worker process
    concurrency: int = Field(100, ge=1, le=10_000, description="Jobs that one worker runs at once.")
    queues: QueueNames = Field(
        ("default",), min_length=1, description="Comma-separated queues that a worker serves."
    )
    heartbeat_ms: int = Field(
        1_000, ge=50, description="Time between a worker's heartbeats, in milliseconds."
    )
    lease_ms: int = Field(
        6_000,
        ge=200,
        description="Silence after which a worker counts as lost, in milliseconds; "
        "at least three heartbeats.",
    )
    sweep_ms: int = Field(
        1_000, ge=50, description="Time between two sweeps for missing work, in milliseconds."
    )
    mutation_timeout_ms: int = Field(
        4_000,
        ge=100,
        description="Default timeout of a mutation function, in milliseconds; keep it below "
        "the server's transactionLifetimeLimitSeconds.",
    )
    action_timeout_ms: int = Field(
        300_000, ge=100, description="Default timeout of an action, in milliseconds."
    )
    purge_after_ms: int = Field(
        604_800_000,
        ge=1_000,
        description="Time that an ended job is kept, in milliseconds (7 days).",
    )
    allowed_hosts_http: Names = Field(
        (),
        description="Comma-separated hosts (`host` or `host:port`) that "
        "`actions.retryableAction` may call.",
    )

    @field_validator("jwt_secret", "cursor_secret", "metrics_token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"a secret must have at least {MIN_SECRET_BYTES} bytes")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lease_ms < 3 * self.heartbeat_ms:
            raise ValueError("lease_ms must be at least three times heartbeat_ms")
        return self

    @property
    def cursor_key(self) -> bytes:
        """Return the key that signs cursors; raises ValueError if no secret is configured."""
        if self.cursor_secret is not None:
            return self.cursor_secret.get_secret_value().encode()
        if self.jwt_secret is None:
            raise ValueError("set OSTINATO_CURSOR_SECRET: there is no JWT secret to derive it from")
        return hmac.digest(self.jwt_secret.get_secret_value().encode(), b"cursor", "sha256")
