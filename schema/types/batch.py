"""The GraphQL type of a batch."""

from datetime import datetime

import strawberry

from ostinato.jobs import records
from ostinato.jobs.records import BatchState
from ostinato.resolvers import batches
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.scalars import Milliseconds, SafeInt
from ostinato.schema.types.record_proxy import Node, NodeProxy


@strawberry.type(description="A batch: processes a collection page by page, at a limited rate.")
class Batch(NodeProxy[records.Batch], Node):
    source: str = strawberry.field(
        description="The source of its items, as registered with `@batch`."
    )
    state: BatchState = strawberry.field(description="Its state.")
    batch_size: int = strawberry.field(description="The number of items per page.")
    delay_ms: Milliseconds = strawberry.field(description="The delay between two pages.")
    processed: SafeInt = strawberry.field(description="The number of items processed so far.")
    failed: SafeInt = strawberry.field(
        description="The number of items that failed in a page. Each has a job of its own "
        "(`batch.processItem`), which subtracts it when it succeeds. If that job fails, it is in "
        "`failures`, and `retryJob` processes the item again."
    )
    max_failed_items: int = strawberry.field(
        description="The batch fails when more items have failed; 0: when a page has failed."
    )
    next_page_time: datetime | None = strawberry.field(
        description="When its next page is due; null unless it is running."
    )
    owner: strawberry.ID | None = strawberry.field(
        description="The user who owns it; null for the system's batches."
    )
    created_at: datetime = strawberry.field(description="When it was started.")
    completed_at: datetime | None = strawberry.field(
        description="When it ended; null while it is running or paused."
    )

    @strawberry_field(
        description="The number of items present at the start that are neither processed nor "
        "failed; null if its source does not count items."
    )
    def remaining(self) -> SafeInt | None:
        left = batches.remaining(self.record)
        return None if left is None else SafeInt(left)

    @strawberry_field(
        description="The average number of items processed per second; null before the first page.",
        shared=True,
    )
    async def items_per_second(self, info: Info) -> float | None:
        return batches.items_per_second(self.record, await info.context.now())

    @strawberry_field(
        description="When it will finish: its delays, and its pages at the pace of the previous "
        "ones. Null unless it is running and its source counts items.",
        shared=True,
    )
    async def estimated_end(self, info: Info) -> datetime | None:
        return batches.estimated_end(self.record, await info.context.now())
