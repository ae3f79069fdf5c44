"""The root of writing: each mutation checks its input, runs one use case, returns the object."""

from typing import Annotated, TypeAlias, TypeVar

import strawberry

from ostinato.resolvers import batches, crons, queues, recurring, requests, scheduling
from ostinato.schema.arguments import INPUT, submitted
from ostinato.schema.context import Info
from ostinato.schema.fields import strawberry_field
from ostinato.schema.inputs.batches import AddItemsInput, BatchIdInput, StartBatchInput
from ostinato.schema.inputs.crons import CronIdInput, RegisterCronInput
from ostinato.schema.inputs.queues import QueueInput, ResumeQueueInput
from ostinato.schema.inputs.recurring import StartRecurringTaskInput, TaskIdInput
from ostinato.schema.inputs.requests import CreateWithTimeoutInput
from ostinato.schema.inputs.scheduling import FailureIdInput, JobIdInput, ScheduleJobInput
from ostinato.schema.types.payloads import (
    AddItemsPayload,
    BatchPayload,
    CronPayload,
    FailurePayload,
    JobPayload,
    QueuePayload,
    RecurringTaskPayload,
    RequestPayload,
)

T = TypeVar("T")

What: TypeAlias = Annotated[T, strawberry.argument(name=INPUT, description="What to do.")]
Which: TypeAlias = Annotated[T, strawberry.argument(name=INPUT, description="To which object.")]


@strawberry.type(description="What a viewer can do. Each answers with the object it changed.")
class Mutation:
    @strawberry_field(
        description="Register a cron, which schedules a job at each tick from now on. CONFLICT if "
        "the viewer has a cron of that name."
    )
    async def register_cron(self, info: Info, given: What[RegisterCronInput]) -> CronPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: crons.register_cron(ctx, wanted.to_plain())
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Keep a cron from ticking until it is resumed. A paused one stays as it is."
    )
    async def pause_cron(self, info: Info, given: Which[CronIdInput]) -> CronPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: crons.pause_cron(ctx, wanted.cron_id)
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Let a paused cron tick again, from now on: it does not make up for the pause."
    )
    async def resume_cron(self, info: Info, given: Which[CronIdInput]) -> CronPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: crons.resume_cron(ctx, wanted.cron_id)
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Delete a cron and cancel its next tick. The jobs that it scheduled stay."
    )
    async def delete_cron(self, info: Info, given: Which[CronIdInput]) -> CronPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: crons.delete_cron(ctx, wanted.cron_id)
        )
        return CronPayload.of_deleted(record)

    @strawberry_field(description="Schedule a job: at once, after a time, or at a time.")
    async def schedule_job(self, info: Info, given: What[ScheduleJobInput]) -> JobPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: scheduling.schedule_job(ctx, wanted.to_plain())
        )
        return JobPayload.of(record)

    @strawberry_field(
        description="Cancel a job. A pending one never runs; one in progress is asked to stop and "
        "is canceled when it has. PRECONDITION_FAILED if it has ended, or is the system's own."
    )
    async def cancel_job(self, info: Info, given: Which[JobIdInput]) -> JobPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: scheduling.cancel_job(ctx, wanted.job_id)
        )
        return JobPayload.of(record)

    @strawberry_field(
        description="Give a failed or canceled job another round of attempts, from now on, and "
        "drop its failure. PRECONDITION_FAILED in any other state, or if it is the system's own."
    )
    async def retry_job(self, info: Info, given: Which[JobIdInput]) -> JobPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: scheduling.retry_job(ctx, wanted.job_id)
        )
        return JobPayload.of(record)

    @strawberry_field(
        description="Drop a failure that has been seen to. Its job, which is kept until then, is "
        "purged like any other from now on; `job.purgeAt` says when. NOT_FOUND if it is resolved "
        "already, or its job was retried."
    )
    async def resolve_failure(
        self, info: Info, given: Which[FailureIdInput]
    ) -> FailurePayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: scheduling.resolve_failure(ctx, wanted.failure_id)
        )
        return FailurePayload.of(record)

    @strawberry_field(
        description="Start a recurring task: its first round begins now, and it goes on until it "
        "is stopped. Of a running one, changes the interval, function and arguments."
    )
    async def start_recurring_task(
        self, info: Info, given: What[StartRecurringTaskInput]
    ) -> RecurringTaskPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: recurring.start_recurring_task(ctx, wanted.to_plain())
        )
        return RecurringTaskPayload.of(record)

    @strawberry_field(
        description="Stop a recurring task of the viewer: its next round never runs. A stopped "
        "one stays as it is."
    )
    async def stop_recurring_task(
        self, info: Info, given: Which[TaskIdInput]
    ) -> RecurringTaskPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: recurring.stop_recurring_task(ctx, wanted.task_id)
        )
        return RecurringTaskPayload.of(record)

    @strawberry_field(description="Add items for batches over the source `items`.")
    async def add_items(self, info: Info, given: What[AddItemsInput]) -> AddItemsPayload | None:
        ids = await submitted(
            info, given, lambda ctx, wanted: batches.add_items(ctx, wanted.to_plain())
        )
        return AddItemsPayload.of(ids)

    @strawberry_field(
        description="Start a batch over the viewer's own items of a source, page by page."
    )
    async def start_batch(self, info: Info, given: What[StartBatchInput]) -> BatchPayload | None:
        record = await submitted(
            info,
            given,
            lambda ctx, wanted: batches.start_batch(
                ctx, wanted.source, wanted.batch_size, wanted.delay_ms
            ),
        )
        return BatchPayload.of(record)

    @strawberry_field(
        description="Cancel a batch: what it has processed stays so, the rest is left. "
        "PRECONDITION_FAILED if it has ended."
    )
    async def cancel_batch(self, info: Info, given: Which[BatchIdInput]) -> BatchPayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: batches.cancel_batch(ctx, wanted.batch_id)
        )
        return BatchPayload.of(record)

    @strawberry_field(
        description="Store a request, have it processed, and mark it as timed out unless it is "
        "completed in time."
    )
    async def create_with_timeout(
        self, info: Info, given: What[CreateWithTimeoutInput]
    ) -> RequestPayload | None:
        record = await submitted(
            info,
            given,
            lambda ctx, wanted: requests.create_with_timeout(
                ctx, wanted.to_plain(), wanted.timeout_ms
            ),
        )
        return RequestPayload.of(record)

    @strawberry_field(
        description="Keep a queue's pending jobs from starting, everywhere within a second while "
        "MongoDB answers; those that run finish. A paused one stays as it is. For admins."
    )
    async def pause_queue(self, info: Info, given: Which[QueueInput]) -> QueuePayload | None:
        record = await submitted(
            info, given, lambda ctx, wanted: queues.pause_queue(ctx, wanted.queue)
        )
        return QueuePayload.of(record)

    @strawberry_field(
        description="Let a queue's jobs start again, with another weight if one is given. One that "
        "is not paused goes on. For admins."
    )
    async def resume_queue(self, info: Info, given: Which[ResumeQueueInput]) -> QueuePayload | None:
        record = await submitted(
            info,
            given,
            lambda ctx, wanted: queues.resume_queue(ctx, wanted.queue, wanted.weight),
        )
        return QueuePayload.of(record)
