"""Inputs of the mutations for batches and their items."""

from typing import cast

import strawberry

from ostinato.jobs import records
from ostinato.schema.inputs.limits import BatchId, BatchSize, Items, Name, PageDelay
from ostinato.schema.scalars import Milliseconds


@strawberry.input(description="Items to add to the source `items`.")
class AddItemsInput:
    items: Items = strawberry.field(description="1 to 1000 JSON values, each at most 64 KiB.")

    def to_plain(self) -> list[records.Json]:
        """Convert the validated input for the use case."""
        return cast("list[records.Json]", self.items)


@strawberry.input(description="A batch to start.")
class StartBatchInput:
    source: Name = strawberry.field(
        default="items",
        description="The source to process: `items`, or a source registered with `@batch`.",
    )
    batch_size: BatchSize = strawberry.field(
        default=100, description="The number of items per page, 1 to 1000."
    )
    delay_ms: PageDelay = strawberry.field(
        default=Milliseconds(1000),
        description="The delay between two pages: 0 to 86400000 (a day).",
    )


@strawberry.input(description="The batch to change.")
class BatchIdInput:
    batch_id: BatchId = strawberry.field(description="The batch's id.")
