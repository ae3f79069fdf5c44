"""The settings that limit what one client can cost the others; part of `Settings`."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

MIN_RATE_PER_S = 0.001  # one in 17 minutes


class RequestLimits(BaseSettings):
    """Limits of requests, responses, operations and connections."""

    body_limit_bytes: int = Field(
        262_144,
        ge=1_024,
        description="Maximum size of an HTTP body or a WebSocket message, in bytes.",
    )
    result_limit_bytes: int = Field(
        262_144, ge=1_024, le=4_194_304, description="Maximum size of a job's result, in bytes."
    )
    max_tokens: int = Field(
        5_000, ge=500, description="Maximum number of lexical tokens in a GraphQL document."
    )
    max_depth: int = Field(15, ge=5, description="Maximum nesting depth of fields in a document.")
    max_fields: int = Field(
        1_000,
        ge=100,
        description="Maximum number of fields in a document, counting fragments each time they "
        "are spread.",
    )
    max_aliases: int = Field(
        50, ge=1, description="Maximum number of aliased fields in a document."
    )
    max_directives: int = Field(50, ge=1, description="Maximum number of directives in a document.")
    max_cost: int = Field(
        8_000,
        ge=500,
        description="Maximum cost of an operation, in points (docs/security.md): about the number "
        "of fields in its largest possible response.",
    )
    max_response_bytes: int = Field(
        10_485_760,
        ge=262_144,
        description="Maximum size of the response to a query or mutation, in bytes.",
    )
    max_operations_per_user: int = Field(
        100,
        ge=1,
        description="Maximum number of queries and mutations that one user runs at once in one API "
        "process.",
    )
    max_subscription_bytes_per_user: int = Field(
        67_108_864,
        ge=1_048_576,
        description="Maximum size of what one user's open subscriptions keep in memory in one API "
        "process, in bytes: documents, variables and undelivered results, estimated.",
    )
    max_operations_per_socket: int = Field(
        100, ge=1, description="Maximum number of open operations on one WebSocket."
    )
    max_operation_id_chars: int = Field(
        128, ge=36, description="Maximum length of an operation id on a WebSocket, in characters."
    )
    operations_per_second: float = Field(
        500,
        ge=0,
        le=1_000_000,
        description="Maximum rate of operations of one user, or of one address without a token, in "
        "all API processes together; 0 turns the limit off.",
    )
    operations_burst: int = Field(
        5_000,
        ge=1,
        le=10_000_000,
        description="Maximum number of operations that one user may send at once after a pause.",
    )
    failed_tokens_per_second: float = Field(
        10,
        ge=0,
        le=1_000_000,
        description="Maximum rate of invalid tokens from one address, in all API processes "
        "together; 0 turns the limit off.",
    )
    failed_tokens_burst: int = Field(
        100,
        ge=1,
        le=10_000_000,
        description="Maximum number of invalid tokens that one address may send at once after a "
        "pause.",
    )
    max_idle_connections_per_address: int = Field(
        250,
        ge=1,
        description="Maximum number of connections per client address that wait for a request, or "
        "for the connection_init message, in one API process; the oldest are closed. Connections "
        "of trusted proxies do not count.",
    )
    max_sockets_per_user: int = Field(
        100,
        ge=1,
        description="Maximum number of open sockets and streams per user in one API process.",
    )
    max_sockets_per_address: int = Field(
        1_000,
        ge=1,
        description="Maximum number of open sockets and streams per client address in one API "
        "process.",
    )

    @field_validator("operations_per_second", "failed_tokens_per_second")
    @classmethod
    def _zero_or_a_rate(cls, value: float) -> float:
        if 0 < value < MIN_RATE_PER_S:
            raise ValueError(f"must be 0 (no limit) or at least {MIN_RATE_PER_S}, got {value:g}")
        return value
