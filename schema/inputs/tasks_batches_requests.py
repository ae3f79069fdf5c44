"""Inputs of the mutations for recurring tasks, batches and requests."""

from typing import cast

import strawberry
from strawberry import UNSET

from ostinato.jobs import records
from ostinato.resolvers.recurring import NewTask
from ostinato.schema.inputs.limits import (
    AnyJson,
    BatchId,
    BatchSize,
    Interval,
    ItemIds,
    Items,
    JsonObject,
    Name,
    PageDelay,
    RecurringTaskId,
    RequestId,
    Timeout,
)
from ostinato.schema.scalars import Milliseconds


@strawberry.input(
    description="The recurring task to start. If it exists, it is updated with these values; if "
    "it is already running, no second one is started."
)
class StartRecurringTaskInput:
    task_id: Name = strawberry.field(
        description="The task's id, chosen by you: unique among your tasks, 1 to 200 characters."
    )
    interval_ms: Interval = strawberry.field(
        description="The time between two ticks: 1000 (a second) to 5 years."
    )
    function_name: Name = strawberry.field(
        default="tasks.runTask",
        description="The function to run at each tick. `functions` lists the callable ones.",
    )
    args: JsonObject | None = strawberry.field(
        default=UNSET,
        description="The function's arguments: an object of at most 64 KiB; empty if omitted.",
    )

    def to_plain(self) -> NewTask:
        """Convert the validated input for the use case."""
        return NewTask(
            task_id=self.task_id,
            interval_ms=self.interval_ms,
            function_name=self.function_name,
            args=cast("records.JsonObject", self.args or {}),
        )


@strawberry.input(description="The recurring task to change. Send exactly one of its ids.")
class TaskIdInput:
    task_id: Name | None = strawberry.field(
        default=UNSET, description="The id of one of your own tasks, chosen by you."
    )
    recurring_task_id: RecurringTaskId | None = strawberry.field(
        default=UNSET, description="The `id` of a task that you can see."
    )


@strawberry.input(description="Items to add to the source `items`.")
class AddItemsInput:
    items: Items = strawberry.field(description="1 to 1000 JSON values, each at most 64 KiB.")

    def to_plain(self) -> list[records.Json]:
        """Convert the validated input for the use case."""
        return cast("list[records.Json]", self.items)


@strawberry.input(description="The items to delete.")
class DeleteItemsInput:
    item_ids: ItemIds | None = strawberry.field(
        default=UNSET,
        description="The ids of 1 to 1000 of your own items; unknown ids are ignored. If omitted, "
        "your 1000 oldest unprocessed items.",
    )

    def to_plain(self) -> list[str] | None:
        """Return the validated ids."""
        return list(self.item_ids) if self.item_ids else None


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


@strawberry.input(description="The request to delete.")
class RequestIdInput:
    request_id: RequestId = strawberry.field(description="The request's id.")


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
