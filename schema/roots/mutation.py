"""The mutations of jobs, crons and recurring tasks: each validates its input, runs a use case and
returns a payload."""

from typing import Annotated, TypeAlias, TypeVar

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from ostinato.jobs import records
from ostinato.resolvers import crons, failures, recurring, scheduling
from ostinato.resolvers.context import RequestContext
from ostinato.schema.fields import Info, strawberry_field, unset_to_none
from ostinato.schema.inputs.crons import CronIdInput, RegisterCronInput
from ostinato.schema.inputs.scheduling import (
    FailureIdInput,
    JobIdInput,
    NewArgs,
    RescheduleJobInput,
    ScheduleJobInput,
    ScheduleJobsInput,
)
from ostinato.schema.inputs.tasks_batches_requests import (
    StartRecurringTaskInput,
    TaskIdInput,
    UpdateRecurringTaskInput,
)
from ostinato.schema.inputs.validation import validate_input
from ostinato.schema.roots.root_fields import INPUT, run_use_case
from ostinato.schema.types.payloads import (
    CronPayload,
    FailurePayload,
    JobPayload,
    RecurringTaskPayload,
    ScheduleJobsPayload,
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
            info,
            given,
            lambda ctx, data: crons.pause_cron(ctx, data.cron_id, data.expected_version),
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Resume a paused cron. Ticks missed during the pause are not run."
    )
    async def resume_cron(self, info: Info, given: Input[CronIdInput]) -> CronPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: crons.resume_cron(ctx, data.cron_id, data.expected_version),
        )
        return CronPayload.of(record)

    @strawberry_field(
        description="Delete a cron and cancel its next tick. Jobs that it created are kept."
    )
    async def delete_cron(self, info: Info, given: Input[CronIdInput]) -> CronPayload | None:
        cron_id = await run_use_case(
            info,
            given,
            lambda ctx, data: crons.delete_cron(ctx, data.cron_id, data.expected_version),
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
        description="Schedule 1 to 1000 jobs in one transaction: all of them, or none. The issues "
        "of a wrong job have its position in their path. A job whose key was used before is not "
        "created again: the existing one is returned. Each job costs 5 points."
    )
    async def schedule_jobs(
        self, info: Info, given: Input[ScheduleJobsInput]
    ) -> ScheduleJobsPayload | None:
        found = await run_use_case(
            info, given, lambda ctx, data: scheduling.schedule_jobs(ctx, data.to_plain())
        )
        return ScheduleJobsPayload.of(found)

    @strawberry_field(
        description="Change when a pending job is due. A job that waits in a queue of a worker "
        "does not start before its new time. PRECONDITION_FAILED in any other state, or if the job "
        "is internal."
    )
    async def reschedule_job(
        self, info: Info, given: Input[RescheduleJobInput]
    ) -> JobPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: scheduling.reschedule_job(ctx, data.job_id, data.to_plain()),
        )
        return JobPayload.of(record)

    @strawberry_field(
        description="Cancel a job. A pending job never runs. A running job receives a "
        "cancellation request, and is canceled when it stops. PRECONDITION_FAILED if it has ended, "
        "or is internal and you are not an admin. The sweeper replaces an internal job of what is "
        "still running: first pause its cron, stop its task, or cancel its batch."
    )
    async def cancel_job(
        self,
        info: Info,
        given: Input[JobIdInput],
        cascade: Annotated[
            bool,
            strawberry.argument(
                description="True: also cancel the unfinished jobs that it has led to: those that "
                "its function scheduled, and so on. Internal jobs are not canceled. Then it is no "
                "error if the job itself has ended. What a running job schedules after it was "
                "asked to stop is created as canceled."
            ),
        ] = False,
    ) -> JobPayload | None:
        if cascade:
            canceled, descendants = await run_use_case(
                info,
                given,
                lambda ctx, data: scheduling.cancel_tree(ctx, data.job_id),
                cascade=True,
            )
            return JobPayload.of(canceled, descendants)
        record = await run_use_case(
            info, given, lambda ctx, data: scheduling.cancel_job(ctx, data.job_id)
        )
        return JobPayload.of(record)

    @strawberry_field(
        description="Retry a failed or canceled job now, with its full number of attempts, and "
        "delete its failure. PRECONDITION_FAILED in any other state, or if the job is internal."
    )
    async def retry_job(
        self,
        info: Info,
        given: Input[JobIdInput],
        args: Annotated[
            JSON | None,
            strawberry.argument(
                description="New arguments for the function: an object of at most 64 KiB, which "
                "replaces the old arguments. FORBIDDEN if you cannot schedule the function. The "
                "event of the retry has `argsChanged`."
            ),
        ] = UNSET,
    ) -> JobPayload | None:
        async def retry(ctx: RequestContext, data: JobIdInput) -> records.Job:
            return await scheduling.retry_job(ctx, data.job_id, validate_input(NewArgs(new)).plain)

        new = unset_to_none(args)
        options = {} if new is None else {"args": new, "argsChanged": True}
        return JobPayload.of(await run_use_case(info, given, retry, **options))

    @strawberry_field(
        description="Resolve a failure, and let its job be purged at `job.purgeAt`. Until then the "
        "job is retained. PRECONDITION_FAILED if it is resolved, NOT_FOUND if its job was retried."
    )
    async def resolve_failure(
        self, info: Info, given: Input[FailureIdInput]
    ) -> FailurePayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: failures.resolve_failure(ctx, data.failure_id)
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
        description="Change the interval, function or arguments of a recurring task, also while it "
        "runs. A new interval counts from the last tick; runs that exist keep their arguments. "
        "CONFLICT if the task is not in the expected version."
    )
    async def update_recurring_task(
        self, info: Info, given: Input[UpdateRecurringTaskInput]
    ) -> RecurringTaskPayload | None:
        record = await run_use_case(
            info,
            given,
            lambda ctx, data: recurring.update_recurring_task(
                ctx,
                recurring.TaskIds(data.task_id, data.recurring_task_id),
                data.to_plain(),
                data.expected_version,
            ),
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
