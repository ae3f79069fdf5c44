"""Inputs of the mutations and subscriptions for recurring tasks, batches, requests, failures."""

from collections.abc import Iterator
from datetime import datetime
from typing import cast

import strawberry
from strawberry import UNSET

from ostinato.jobs import records
from ostinato.jobs.errors import Issue
from ostinato.jobs.functions.batch import BatchPatch, NewBatch
from ostinato.jobs.functions.task_changes import TaskPatch
from ostinato.jobs.options import DEFAULT_MAX_FAILED_ITEMS
from ostinato.jobs.records import BatchState, RequestState
from ostinato.resolvers.recurring import NewTask
from ostinato.schema.fields import unset_to_none
from ostinato.schema.inputs.limits import (
    EXPECTED_VERSION,
    AnyJson,
    BatchId,
    BatchSize,
    ErrorText,
    Interval,
    ItemIds,
    Items,
    JsonObject,
    MaxFailedItems,
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


@strawberry.input(
    description="The recurring task to change, by exactly one of its ids, and the fields to "
    "change. Omitted fields keep their values."
)
class UpdateRecurringTaskInput:
    task_id: Name | None = strawberry.field(
        default=UNSET, description="The id of one of your own tasks, chosen by you."
    )
    recurring_task_id: RecurringTaskId | None = strawberry.field(
        default=UNSET, description="The `id` of a task that you can see."
    )
    expected_version: int | None = strawberry.field(default=UNSET, description=EXPECTED_VERSION)
    interval_ms: Interval | None = strawberry.field(
        default=UNSET,
        description="The time between two ticks: 1000 (a second) to 5 years. It counts from the "
        "last tick.",
    )
    function_name: Name | None = strawberry.field(
        default=UNSET, description="The function to run at each tick."
    )
    args: JsonObject | None = strawberry.field(
        default=UNSET, description="All arguments of the function: an object of at most 64 KiB."
    )

    def to_plain(self) -> TaskPatch:
        """Convert the validated input for the use case."""
        return TaskPatch(
            interval_ms=self.interval_ms,
            function_name=self.function_name,
            args=cast("records.JsonObject | None", self.args),
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
    max_failed_items: MaxFailedItems = strawberry.field(
        default=DEFAULT_MAX_FAILED_ITEMS,
        description="The batch fails when more items have failed: 0 to 100000. An item that fails "
        "is found by splitting its page, and gets a job of its own. 0: the batch fails with the "
        "first page that fails.",
    )

    def to_plain(self) -> NewBatch:
        """Convert the validated input for the use case."""
        return NewBatch(
            source=self.source,
            batch_size=self.batch_size,
            delay_ms=self.delay_ms,
            max_failed_items=self.max_failed_items,
        )


@strawberry.input(description="What to change of a batch. Omitted fields keep their values.")
class UpdateBatchInput:
    batch_id: BatchId = strawberry.field(description="The batch's id.")
    batch_size: BatchSize | None = strawberry.field(
        default=UNSET, description="The number of items per page, 1 to 1000."
    )
    delay_ms: PageDelay | None = strawberry.field(
        default=UNSET, description="The delay between two pages: 0 to 86400000 (a day)."
    )
    items_per_second: float | None = strawberry.field(
        default=UNSET,
        description="The maximum rate: sets the delay to that of a page at this rate. Cannot be "
        "combined with `delayMs`.",
    )
    max_failed_items: MaxFailedItems | None = strawberry.field(
        default=UNSET, description="The batch fails when more items have failed: 0 to 100000."
    )
    expected_version: int | None = strawberry.field(default=UNSET, description=EXPECTED_VERSION)

    def to_plain(self) -> BatchPatch:
        """Convert the validated input for the use case."""
        return BatchPatch(
            batch_size=self.batch_size,
            delay_ms=self.delay_ms,
            items_per_second=self.items_per_second,
            max_failed_items=self.max_failed_items,
        )


@strawberry.input(description="The batch to change.")
class BatchIdInput:
    batch_id: BatchId = strawberry.field(description="The batch's id.")


@strawberry.input(description="The request to change.")
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
    run_handler: bool = strawberry.field(
        default=True,
        description="False: no handler runs. The request waits for `completeRequest` or "
        "`rejectRequest`.",
    )

    def to_plain(self) -> records.Json:
        """Return the validated data."""
        return cast("records.Json", self.data)


@strawberry.input(description="The answer to a request.")
class CompleteRequestInput:
    request_id: RequestId = strawberry.field(description="The request's id.")
    result: AnyJson | None = strawberry.field(
        default=UNSET, description="The result: any JSON value of at most 64 KiB; null if omitted."
    )

    def to_plain(self) -> records.Json:
        """Return the validated result."""
        return cast("records.Json", self.result)


@strawberry.input(description="The rejection of a request.")
class RejectRequestInput:
    request_id: RequestId = strawberry.field(description="The request's id.")
    error: ErrorText = strawberry.field(
        description="Why it is rejected: 1 to 1000 characters, which its owner can read."
    )


@strawberry.input(description="The new timeout of a request. Send exactly one of the two times.")
class ExtendRequestInput:
    request_id: RequestId = strawberry.field(description="The request's id.")
    timeout_ms: Timeout | None = strawberry.field(
        default=UNSET,
        description="The time from now until it times out: 1 to 31536000000 (a year).",
    )
    until: datetime | None = strawberry.field(
        default=UNSET, description="When it times out, at most a year from now."
    )

    def issues(self) -> Iterator[Issue]:
        if (unset_to_none(self.timeout_ms) is None) == (unset_to_none(self.until) is None):
            message = "send exactly one of timeoutMs and until"
            yield Issue(path=("timeoutMs",), message=message, code="exclusive")
            yield Issue(path=("until",), message=message, code="exclusive")


@strawberry.input(description="Conditions that requests must match. Omitted fields match all.")
class RequestFilter:
    states: list[RequestState] | None = strawberry.field(
        default=UNSET, description="Only requests in one of these states."
    )

    def to_plain(self) -> tuple[RequestState, ...] | None:
        """Return the validated states."""
        return None if self.states is None else tuple(dict.fromkeys(self.states))


@strawberry.input(description="Conditions that batches must match. Omitted fields match all.")
class BatchFilter:
    states: list[BatchState] | None = strawberry.field(
        default=UNSET, description="Only batches in one of these states."
    )

    def to_plain(self) -> tuple[BatchState, ...] | None:
        """Return the validated states."""
        return None if self.states is None else tuple(dict.fromkeys(self.states))
