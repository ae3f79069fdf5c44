"""Inputs of the mutations for requests."""

from typing import cast

import strawberry

from ostinato.jobs import records
from ostinato.schema.inputs.limits import AnyJson, Timeout
from ostinato.schema.scalars import Milliseconds


@strawberry.input(description="The request to create.")
class CreateWithTimeoutInput:
    data: AnyJson = strawberry.field(
        description="The data to process: any JSON value of at most 64 KiB."
    )
    timeout_ms: Timeout = strawberry.field(
        default=Milliseconds(30_000),
        description="The time until it times out: 1 to 31536000000 (a year).",
    )

    def to_plain(self) -> records.Json:
        """Return the validated data."""
        return cast("records.Json", self.data)
