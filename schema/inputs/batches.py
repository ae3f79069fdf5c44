"""Inputs of the mutations about batches and their items."""

from typing import cast

import strawberry

from ostinato.jobs import records
from ostinato.schema.inputs.limits import BatchId, BatchSize, Items, Name, PageDelay
from ostinato.schema.scalars import Milliseconds


@strawberry.input(description="Items for batches over the source `items`.")
class AddItemsInput:
    items: Items = strawberry.field(description="1 to 1000 JSON values, each at most 64 KiB.")

    def to_plain(self) -> list[records.Json]:
        """Translate the checked input."""
        return cast("list[records.Json]", self.items)


@strawberry.input(description="A batch to start.")
class StartBatchInput:
    source: Name = strawberry.field(
        default="items", description="The collection to go over: `items`, or one of your own."
    )
    batch_size: BatchSize = strawberry.field(
        default=100, description="How many items a page has, 1 to 1000."
    )
    delay_ms: PageDelay = strawberry.field(
        default=Milliseconds(1000),
        description="Time from one page to the next: 0 to 86400000 (a day).",
    )


@strawberry.input(description="Which batch.")
class BatchIdInput:
    batch_id: BatchId = strawberry.field(description="The batch's id.")
