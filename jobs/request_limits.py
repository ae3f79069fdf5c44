"""The settings that limit what one client can cost the others; part of `Settings`."""

from pydantic import Field
from pydantic_settings import BaseSettings


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
    max_operations_per_socket: int = Field(
        100, ge=1, description="Maximum number of open operations on one WebSocket."
    )
    max_operation_id_chars: int = Field(
        128, ge=36, description="Maximum length of an operation id on a WebSocket, in characters."
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
