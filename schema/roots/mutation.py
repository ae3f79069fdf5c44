"""The mutations of users: each validates its input, runs a use case and returns a payload."""

from typing import Annotated, TypeAlias, TypeVar

import strawberry

from ostinato.resolvers import batches, crons, recurring, requests, scheduling
from ostinato.schema.fields import Info, strawberry_field, unset_to_none
from ostinato.schema.inputs.crons import CronIdInput, RegisterCronInput
from ostinato.schema.inputs.scheduling import (
    FailureIdInput,
    JobIdInput,
    ScheduleJobInput,
)
from ostinato.schema.inputs.tasks_batches_requests import (
    AddItemsInput,
    BatchIdInput,
    CreateWithTimeoutInput,
    DeleteItemsInput,
    RequestIdInput,
    StartBatchInput,
    StartRecurringTaskInput,
    TaskIdInput,
)
from ostinato.schema.roots.root_fields import INPUT, run_use_case
from ostinato.schema.types.payloads import (
    AddItemsPayload,
    BatchPayload,
    CronPayload,
    DeleteItemsPayload,
    FailurePayload,
    JobPayload,
    RecurringTaskPayload,
    RequestPayload,
)

T = TypeVar("T")

Input: TypeAlias = Annotated[T, strawberry.argument(name=INPUT, description="The input.")]


@strawberry.type(description="Changes objects. Every mutation returns the object that it changed.")
class Mutation:
    @strawberry_field(
        description="Register a cron, which creates a job at each tick from now on. CONFLICT if "
        "you already have a cron with this name."
    )
    async def register_cron(
        self, info: Info, given: Input[RegisterCronInput]
    ) -> CronPayload | None:
        await crons.check_cronspec(info.context, unset_to_none(given.cronspec))
        record = await run_use_case(
            info, given, lambda ctx, data: crons.register_cron(ctx, data.to_plain())
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Pause a cron: it does not tick until it is resumed. No effect if it is "
        "already paused."
    )
    async def pause_cron(self, info: Info, given: Input[CronIdInput]) -> CronPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: crons.pause_cron(ctx, data.cron_id)
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Resume a paused cron. Ticks missed during the pause are not run."
    )
    async def resume_cron(self, info: Info, given: Input[CronIdInput]) -> CronPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: crons.resume_cron(ctx, data.cron_id)
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Delete a cron and cancel its next tick. Jobs that it created are kept."
    )
    async def delete_cron(self, info: Info, given: Input[CronIdInput]) -> CronPayload | None:
        cron_id = await run_use_case(
            info, given, lambda ctx, data: crons.delete_cron(ctx, data.cron_id)
        )
        return CronPayload.of_deleted(cron_id)

    @strawberry_field(
        description="Schedule a job to run immediately, after a delay, or at a given time."
    )
    async def schedule_job(self, info: Info, given: Input[ScheduleJobInput]) -> JobPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: scheduling.schedule_job(ctx, data.to_plain())
        )
        return JobPayload.of(record)

    @strawberry_field(
        description="Cancel a job. A pending job never runs. A running job receives a "
        "cancellation request, and is canceled when it stops. PRECONDITION_FAILED if it has ended, "
        "or is internal and you are not an admin. The sweeper replaces an internal job of what is "
        "still running: first pause its cron, stop its task, or cancel its batch."
    )
    async def cancel_job(self, info: Info, given: Input[JobIdInput]) -> JobPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: scheduling.cancel_job(ctx, data.job_id)
        )
        return JobPayload.of(record)

    @strawberry_field(
        description="Retry a failed or canceled job now, with its full number of attempts, and "
        "delete its failure. PRECONDITION_FAILED in any other state, or if the job is internal."
    )
    async def retry_job(self, info: Info, given: Input[JobIdInput]) -> JobPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: scheduling.retry_job(ctx, data.job_id)
        )
        return JobPayload.of(record)

    @strawberry_field(
        description="Resolve a failure: delete it, and let its job be purged at `job.purgeAt`. "
        "Until then the job is retained. NOT_FOUND if it is already resolved, or if its job was "
        "retried."
    )
    async def resolve_failure(
        self, info: Info, given: Input[FailureIdInput]
    ) -> FailurePayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: scheduling.resolve_failure(ctx, data.failure_id)
        )
        return FailurePayload.of(record)

    @strawberry_field(
        description="Start a recurring task: its first tick is now, and it repeats until it "
        "is stopped. If it is running, updates its interval, function and arguments."
    )
    async def start_recurring_task(
        self, info: Info, given: Input[StartRecurringTaskInput]
    ) -> RecurringTaskPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: recurring.start_recurring_task(ctx, data.to_plain())
        )
        return RecurringTaskPayload(task_id=record.task_id, found=record)

    @strawberry_field(
        description="Stop a recurring task: its next tick does not run. No effect if it is "
        "already stopped."
    )
    async def stop_recurring_task(
        self, info: Info, given: Input[TaskIdInput]
    ) -> RecurringTaskPayload | None:
        found = await run_use_case(
            info,
            given,
            lambda ctx, data: recurring.stop_recurring_task(
                ctx, data.task_id, data.recurring_task_id
            ),
        )
        return RecurringTaskPayload.of_stopped(found, unset_to_none(given.task_id))

    @strawberry_field(
        description="Delete a stopped recurring task. Jobs that it created are kept. "
        "PRECONDITION_FAILED if it is running."
    )
    async def delete_recurring_task(
        self, info: Info, given: Input[TaskIdInput]
    ) -> RecurringTaskPayload | None:
        found = await run_use_case(
            info,
            given,
            lambda ctx, data: recurring.delete_recurring_task(
                ctx, data.task_id, data.recurring_task_id
            ),
        )
        return RecurringTaskPayload.of_stopped(found, unset_to_none(given.task_id))

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
            lambda ctx, data: batches.start_batch(ctx, data.source, data.batch_size, data.delay_ms),
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
            lambda ctx, data: requests.create_with_timeout(ctx, data.to_plain(), data.timeout_ms),
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
