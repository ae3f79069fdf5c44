"""The mutations of items, batches and requests, with those of jobs, crons and recurring tasks."""

import strawberry

from ostinato.resolvers import batches, requests
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.inputs.tasks_batches_requests import (
    AddItemsInput,
    BatchIdInput,
    CompleteRequestInput,
    CreateWithTimeoutInput,
    DeleteItemsInput,
    ExtendRequestInput,
    RejectRequestInput,
    RequestIdInput,
    StartBatchInput,
    UpdateBatchInput,
)
from ostinato.schema.roots.mutation import Input, Mutation
from ostinato.schema.roots.root_fields import run_use_case
from ostinato.schema.types.payloads import (
    AddItemsPayload,
    BatchPayload,
    DeleteItemsPayload,
    RequestPayload,
)


@strawberry.type(
    name="Mutation",
    description="Changes objects. Every mutation returns the object that it changed.",
)
class BatchMutation(Mutation):
    @strawberry_field(description="Add items to the source `items`, for batches to process.")
    async def add_items(self, info: Info, given: Input[AddItemsInput]) -> AddItemsPayload | None:
        ids = await run_use_case(
            info, given, lambda ctx, data: batches.add_items(ctx, data.to_plain())
        )
        return AddItemsPayload.of(ids)

    @strawberry_field(
        description="Delete some of your own items, processed or not: those with the given ids, or "
        "the oldest unprocessed ones."
    )
    async def delete_items(
        self, info: Info, given: Input[DeleteItemsInput]
    ) -> DeleteItemsPayload | None:
        deleted = await run_use_case(
            info, given, lambda ctx, data: batches.delete_items(ctx, data.to_plain())
        )
        return DeleteItemsPayload(deleted=deleted)

    @strawberry_field(
        description="Start a batch that processes your own items of a source, page by page."
    )
    async def start_batch(self, info: Info, given: Input[StartBatchInput]) -> BatchPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: batches.start_batch(ctx, data.to_plain()),
        )
        return BatchPayload.of(record)

    @strawberry_field(
        description="Change the page size, delay, rate or limit of a batch that has not ended. The "
        "delay counts from the end of the previous page, so a pending page becomes due sooner or "
        "later. CONFLICT if the batch is not in the expected version."
    )
    async def update_batch(self, info: Info, given: Input[UpdateBatchInput]) -> BatchPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: batches.update_batch(
                ctx, data.batch_id, data.to_plain(), data.expected_version
            ),
        )
        return BatchPayload.of(record)

    @strawberry_field(
        description="Pause a batch: no page starts until it is resumed. A page that is being "
        "processed is stopped without effect, and processed again later. No effect if it is "
        "paused. PRECONDITION_FAILED if it has ended."
    )
    async def pause_batch(self, info: Info, given: Input[BatchIdInput]) -> BatchPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: batches.pause_batch(ctx, data.batch_id)
        )
        return BatchPayload.of(record)

    @strawberry_field(
        description="Resume a paused batch: its next page starts now. No effect if it is running. "
        "PRECONDITION_FAILED if it has ended."
    )
    async def resume_batch(self, info: Info, given: Input[BatchIdInput]) -> BatchPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: batches.resume_batch(ctx, data.batch_id)
        )
        return BatchPayload.of(record)

    @strawberry_field(
        description="Cancel a batch. Processed items stay processed; the others are left "
        "unprocessed. PRECONDITION_FAILED if it has ended."
    )
    async def cancel_batch(self, info: Info, given: Input[BatchIdInput]) -> BatchPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: batches.cancel_batch(ctx, data.batch_id)
        )
        return BatchPayload.of(record)

    @strawberry_field(
        description="Delete a batch that has ended. Its items and jobs are kept. "
        "PRECONDITION_FAILED if it has not ended."
    )
    async def delete_batch(self, info: Info, given: Input[BatchIdInput]) -> BatchPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: batches.delete_batch(ctx, data.batch_id)
        )
        return BatchPayload.of(record)

    @strawberry_field(
        description="Create a request and start processing it. It is marked as timed out unless "
        "it is completed in time."
    )
    async def create_with_timeout(
        self, info: Info, given: Input[CreateWithTimeoutInput]
    ) -> RequestPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: requests.create_with_timeout(
                ctx, data.to_plain(), data.timeout_ms, run_handler=data.run_handler
            ),
        )
        return RequestPayload.of(record)

    @strawberry_field(
        description="Answer a request: it is completed with the result, and its handler is "
        "stopped. After its timeout, the first answer is kept as `lateAnswer`. PRECONDITION_FAILED "
        "if it has ended otherwise, or already has a late answer."
    )
    async def complete_request(
        self, info: Info, given: Input[CompleteRequestInput]
    ) -> RequestPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: requests.complete_request(ctx, data.request_id, data.to_plain()),
        )
        return RequestPayload.of(record)

    @strawberry_field(
        description="Reject a request: it fails with the error, and its handler is stopped. After "
        "its timeout, and in other states, as `completeRequest`."
    )
    async def reject_request(
        self, info: Info, given: Input[RejectRequestInput]
    ) -> RequestPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: requests.reject_request(ctx, data.request_id, data.error)
        )
        return RequestPayload.of(record)

    @strawberry_field(
        description="Set the timeout of a pending request, later or earlier than before. "
        "PRECONDITION_FAILED if it has ended or timed out."
    )
    async def extend_request(
        self, info: Info, given: Input[ExtendRequestInput]
    ) -> RequestPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: requests.extend_request(
                ctx, data.request_id, data.timeout_ms, data.until
            ),
        )
        return RequestPayload.of(record)

    @strawberry_field(
        description="Cancel a pending request, and stop its handler. PRECONDITION_FAILED if it has "
        "ended or timed out."
    )
    async def cancel_request(
        self, info: Info, given: Input[RequestIdInput]
    ) -> RequestPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: requests.cancel_request(ctx, data.request_id)
        )
        return RequestPayload.of(record)

    @strawberry_field(
        description="Delete a request that has ended. Its jobs are kept. PRECONDITION_FAILED if it "
        "is pending."
    )
    async def delete_request(
        self, info: Info, given: Input[RequestIdInput]
    ) -> RequestPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: requests.delete_request(ctx, data.request_id)
        )
        return RequestPayload.of(record)
