"""The settings: environment variables, types, units, bounds and defaults."""

from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode, SettingsConfigDict

from ostinato.jobs.alert_settings import AlertSettings
from ostinato.jobs.hosts import is_own_name, parse_entry
from ostinato.jobs.lanes import QUEUE_PATTERN
from ostinato.jobs.quotas.limits import QuotaSettings
from ostinato.jobs.request_limits import RequestLimits
from ostinato.jobs.token_settings import Names, Split, TokenSettings

ANY_ADDRESS = "*"


def _address(value: str) -> str:
    try:
        if value != ANY_ADDRESS:
            ip_network(value)
    except ValueError as error:
        raise ValueError(f"must be an address, a network or {ANY_ADDRESS}: {error}") from None
    return value


QueueName = Annotated[str, Field(pattern=QUEUE_PATTERN)]
QueueNames = Annotated[tuple[QueueName, ...], NoDecode, Split]
Addresses = Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], NoDecode, Split]


class Mode(StrEnum):
    """The mode of a process; only development and test can shift scheduler time."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"
    TEST = "test"


class Settings(RequestLimits, QuotaSettings, TokenSettings, AlertSettings):
    """The settings, read from `OSTINATO_*` variables once, at start; immutable."""

    model_config = SettingsConfigDict(
        env_prefix="OSTINATO_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    # Servers
    mongo_url: str = Field(
        "mongodb://127.0.0.1:27017/?replicaSet=rs0",
        repr=False,
        description="MongoDB connection string; the server must be a replica set.",
    )
    database: str = Field(
        "ostinato",
        pattern=r"^[A-Za-z0-9_-]{1,38}$",
        description="Name of the MongoDB database of Ostinato's collections.",
    )
    app_database: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,38}$",
        description="Name of the application's database on the same deployment, which `ctx.db` "
        "then reads and writes; must be the same in every process. By default, `ctx.db` uses "
        "Ostinato's.",
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        repr=False,
        description="Redis or Valkey connection string; use rediss:// for TLS, with redis-py's "
        "options (ssl_ca_certs, ssl_cert_reqs, …). The server's maxmemory-policy must"
        " be noeviction.",
    )
    redis_prefix: str = Field(
        "ostinato",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Prefix of every Redis key and channel; lets several installations share a "
        "server.",
    )
    mode: Mode = Field(
        Mode.PRODUCTION,
        description="production, development or test; only development and test can shift "
        "scheduler time.",
    )
    functions: Names = Field(
        (),
        description="Comma-separated Python modules with your functions, imported at start.",
    )
    log_level: str = Field(
        "INFO",
        pattern=r"^(DEBUG|INFO|WARNING|ERROR)$",
        description="Minimum level to log: DEBUG, INFO, WARNING or ERROR.",
    )
    log_json: bool = Field(
        False, description="Log one JSON object per line instead of human-readable text."
    )

    # API process
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(
        8000, ge=0, le=65535, description="TCP port the API listens on; 0 picks a free port."
    )
    allowed_origins: Names = Field(
        (),
        description="Comma-separated origins allowed to call the API, in addition to its own.",
    )
    trusted_proxies: Addresses = Field(
        (),
        description="Comma-separated addresses and networks of proxies whose X-Forwarded-For and "
        "X-Forwarded-Proto headers are trusted; `*` trusts all. By default, no header is trusted.",
    )
    introspection: bool | None = Field(
        None,
        description="Allow introspection queries, without a token, and serve GraphiQL. By default, "
        "only in development and test.",
    )
    get_queries: bool | None = Field(
        None,
        description="Allow queries with GET. By default, only in development and test.",
    )
    operations_file: Path | None = Field(
        None,
        description="JSON file of the operations allowed to run (all others are rejected): a "
        "manifest, or a map from id to document.",
    )
    request_timeout_ms: int = Field(
        15_000, ge=100, description="Timeout of a query or mutation, in milliseconds."
    )
    connection_init_timeout_ms: int = Field(
        3_000,
        ge=100,
        description="Timeout for the connection_init message on a WebSocket, in milliseconds.",
    )
    keep_alive_ms: int = Field(
        12_000, ge=100, description="Interval between pings on an idle connection, in milliseconds."
    )
    idle_connection_ms: int = Field(
        75_000,
        ge=100,
        description="How long an idle HTTP connection stays open, in milliseconds. Keep it above "
        "your proxy's idle timeout (usually 60 s), so that the proxy closes first.",
    )
    send_timeout_ms: int = Field(
        10_000,
        ge=100,
        description="How long a send may block on a client that does not read, in milliseconds. A "
        "response over HTTP is aborted unless its client reads 64 KiB, or the rest, in this time.",
    )
    audit_retention_ms: int = Field(
        7_776_000_000,
        ge=0,
        le=315_360_000_000,
        description="How long the audit log keeps a mutation, in milliseconds (default: 90 days); "
        "0 records none.",
    )
    drain_timeout_ms: int = Field(
        3_000,
        ge=0,
        description="How long a stopping process waits for running work, in milliseconds.",
    )

    # Live
    ring_events: int = Field(
        50_000,
        ge=100,
        description="Number of recent change events kept in memory by an API process; 50,000 take"
        " about 260 MiB.",
    )
    hub_history_ms: int = Field(
        60_000,
        ge=0,
        le=3_600_000,
        description="How much change history an API process loads at start, in milliseconds, so "
        "that reconnecting clients resume from memory.",
    )
    subscription_buffer: int = Field(
        1_000, ge=10, description="Maximum number of undelivered events per subscription."
    )
    snapshot_limit: int = Field(
        1_000, ge=1, le=1_000, description="Maximum number of rows in a subscription's snapshot."
    )
    checkpoint_ms: int = Field(
        30_000,
        ge=100,
        description="Interval between checkpoints on an idle subscription, in milliseconds.",
    )

    # Worker process
    concurrency: int = Field(
        100, ge=1, le=10_000, description="Number of jobs a worker runs at once."
    )
    owner_slot_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a worker's slots that the jobs of one owner hold at once, at most, "
        "while jobs of several owners are stored; 1 means no limit.",
    )
    queues: QueueNames = Field(
        ("default",), min_length=1, description="Comma-separated queues a worker takes jobs from."
    )
    heartbeat_ms: int = Field(
        1_000, ge=50, description="Interval between a worker's heartbeats, in milliseconds."
    )
    lease_ms: int = Field(
        6_000,
        ge=200,
        description="Time without a heartbeat after which a worker's lease expires, in "
        "milliseconds; at least three times the heartbeat interval. With the default settings, the "
        "worker is declared lost 3.5 seconds later.",
    )
    sweep_ms: int = Field(
        1_000, ge=50, description="Interval between maintenance sweeps, in milliseconds."
    )
    mutation_timeout_ms: int = Field(
        4_000,
        ge=100,
        description="Default timeout of a mutation function, in milliseconds. Keep it below "
        "MongoDB's transactionLifetimeLimitSeconds.",
    )
    action_timeout_ms: int = Field(
        300_000, ge=100, description="Default timeout of an action, in milliseconds."
    )
    purge_after_ms: int = Field(
        604_800_000,
        ge=1_000,
        description="How long a finished job is kept, in milliseconds (default: 7 days).",
    )
    purge_ended_after_ms: int = Field(
        604_800_000,
        ge=1_000,
        description="How long an ended batch, bulk action or request, a resolved failure, a "
        "processed item and a stopped recurring task are kept, in milliseconds (default: 7 days).",
    )
    cron_tick_retention_ms: int = Field(
        604_800_000,
        ge=1_000,
        le=315_360_000_000,
        description="How long the outcome of a cron's tick is kept, in milliseconds (default: 7 "
        "days).",
    )
    allowed_hosts_http: Names = Field(
        (),
        description="Comma-separated hosts (`host` or `host:port`) that `actions.retryableAction`"
        " may call; never the API's own.",
    )

    @field_validator("allowed_hosts_http")
    @classmethod
    def _excludes_the_api(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        own = str(info.data.get("host", "")).strip("[]").lower()
        for entry in value:
            host, port = parse_entry(entry)
            if port == info.data.get("port") and (host == own or is_own_name(host)):
                raise ValueError(f"{entry!r} is the API's own address: functions may not call it")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lease_ms < 3 * self.heartbeat_ms:
            raise ValueError("lease_ms must be at least three times heartbeat_ms")
        return self

    @property
    def allows_introspection(self) -> bool:
        return self._unless_production(self.introspection)

    @property
    def allows_get_queries(self) -> bool:
        return self._unless_production(self.get_queries)

    def _unless_production(self, allowed: bool | None) -> bool:
        return self.mode is not Mode.PRODUCTION if allowed is None else allowed
