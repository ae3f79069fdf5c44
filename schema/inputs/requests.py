"""Inputs of the mutations about requests."""

from typing import cast

import strawberry

from ostinato.jobs import records
from ostinato.schema.inputs.limits import AnyJson, Timeout
from ostinato.schema.scalars import Milliseconds


@strawberry.input(description="A request to make.")
class CreateWithTimeoutInput:
    data: AnyJson = strawberry.field(
        description="What to process: any JSON value of at most 64 KiB."
    )
    timeout_ms: Timeout = strawberry.field(
        default=Milliseconds(30_000),
        description="How long it may take before it times out: 1 to 31536000000 (a year).",
    )

    def to_plain(self) -> records.Json:
        """Translate the checked data."""
        return cast("records.Json", self.data)
