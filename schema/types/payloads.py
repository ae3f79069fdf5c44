"""Mutation payloads: the changed object and its id."""

from collections.abc import Sequence
from typing import Final, Self

import strawberry

from ostinato.jobs import bulk_actions, lanes, records, revocations, rights, time_rules
from ostinato.jobs import cascade as cascades
from ostinato.jobs.bulk_actions import BulkActionState
from ostinato.jobs.errors import Malformed
from ostinato.jobs.functions.cron_runs import Backfill
from ostinato.jobs.functions.cron_sets import AppliedCrons
from ostinato.jobs.lanes import DEFAULT_QUEUE
from ostinato.jobs.records import BatchState, JobState, RequestState
from ostinato.resolvers import batches, scheduling
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.types.admin import Owner, Queue, TokenRevocation
from ostinato.schema.types.batch import Batch
from ostinato.schema.types.bulk_action import BulkAction
from ostinato.schema.types.calendar import Calendar
from ostinato.schema.types.cron import Cron
from ostinato.schema.types.failure import Failure
from ostinato.schema.types.job import Job, SchedulingWarning
from ostinato.schema.types.record_proxy import RecordProxy
from ostinato.schema.types.recurring_task import RecurringTask
from ostinato.schema.types.request import Request

MAX_WARNED: Final = 10  # queues of one call
WARNINGS: Final = (
    "Why its jobs have not started: no running worker serves their queue, or the queue is paused."
)


async def _warnings(
    info: Info, is_open: bool, queue: str = DEFAULT_QUEUE
) -> list[SchedulingWarning]:
    found = await scheduling.queue_warnings(info.context, queue) if is_open else []
    return [SchedulingWarning.of(warning) for warning in found]


@strawberry.type(description="The cron that a mutation changed.")
class CronPayload:
    cron_id: strawberry.ID = strawberry.field(description="The cron's id.")
    cron: Cron | None = strawberry.field(
        description="The current state of the cron; null after `deleteCron`."
    )

    @strawberry_field(description=WARNINGS)
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        return await _warnings(info, self.cron is not None and self.cron.record.enabled)

    @classmethod
    def of(cls, record: records.Cron) -> Self:
        cron = Cron.of(record)
        return cls(cron_id=cron.id, cron=cron)

    @classmethod
    def of_deleted(cls, cron_id: str) -> Self:
        return cls(cron_id=global_id("Cron", cron_id), cron=None)


@strawberry.type(description="What `backfillCron` did.")
class BackfillCronPayload:
    cron_id: strawberry.ID = strawberry.field(description="The cron's id.")
    cron: Cron = strawberry.field(description="The current state of the cron.")
    started: int = strawberry.field(
        description="The number of ticks that this call runs: at once, or one after another under "
        "overlap QUEUE."
    )
    already_ran: int = strawberry.field(
        description="The number of ticks of the period that had run, or were already waiting to "
        "run."
    )

    @classmethod
    def of(cls, done: Backfill) -> Self:
        cron = Cron.of(done.cron)
        return cls(cron_id=cron.id, cron=cron, started=done.started, already_ran=done.already_ran)


@strawberry.type(description="What `applyCrons` did with the crons of a set.")
class ApplyCronsPayload:
    created: list[Cron] = strawberry.field(description="The new crons.")
    updated: list[Cron] = strawberry.field(description="The crons that changed.")
    unchanged: list[Cron] = strawberry.field(description="The crons that were as declared.")
    deleted_ids: list[strawberry.ID] = strawberry.field(
        description="The ids of the crons that were no longer declared."
    )

    @classmethod
    def of(cls, applied: AppliedCrons) -> Self:
        return cls(
            created=list(map(Cron.of, applied.created)),
            updated=list(map(Cron.of, applied.updated)),
            unchanged=list(map(Cron.of, applied.unchanged)),
            deleted_ids=[global_id("Cron", each) for each in applied.deleted_ids],
        )


@strawberry.type(description="The run that `triggerCron` started, and its cron.")
class TriggerCronPayload:
    cron_id: strawberry.ID = strawberry.field(description="The cron's id.")
    cron: Cron = strawberry.field(description="The current state of the cron.")
    job_id: strawberry.ID = strawberry.field(description="The run's id.")
    job: Job = strawberry.field(description="The current state of the run.")

    @strawberry_field(description=WARNINGS)
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        return await _warnings(info, self.job.record.state is JobState.PENDING)

    @classmethod
    def of(cls, record: records.Cron, run: records.Job) -> Self:
        cron, job = Cron.of(record), Job.of(run)
        return cls(cron_id=cron.id, cron=cron, job_id=job.id, job=job)


@strawberry.type(description="What a cancellation did to the jobs that a job has led to.")
class Cascade(RecordProxy[cascades.Cascade]):
    canceled: int = strawberry.field(
        description="The number of jobs that this call canceled, or asked to stop."
    )
    is_complete: bool = strawberry.field(
        description="False if this call has reached its limit of 10,000 jobs: repeat it."
    )


@strawberry.type(description="The job that a mutation created or changed.")
class JobPayload:
    job_id: strawberry.ID = strawberry.field(description="The job's id.")
    job: Job = strawberry.field(description="The current state of the job.")

    cascade: Cascade | None = strawberry.field(
        default=None,
        description="What `cancelJob(cascade: true)` did to the jobs that this job has led to; "
        "null otherwise.",
    )

    @strawberry_field(description=WARNINGS)
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        is_pending = self.job.record.state is JobState.PENDING
        return await _warnings(info, is_pending, self.job.record.queue)

    @classmethod
    def of(cls, record: records.Job, cascade: cascades.Cascade | None = None) -> Self:
        job = Job.of(record)
        return cls(job_id=job.id, job=job, cascade=Cascade.of_optional(cascade))


@strawberry.type(description="The jobs that `scheduleJobs` created.")
class ScheduleJobsPayload:
    job_ids: list[strawberry.ID] = strawberry.field(
        description="Their ids, in the order of the input."
    )
    nodes: list[Job] = strawberry.field(description="The jobs, in the order of the input.")

    @strawberry_field(description=WARNINGS)
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        queues = {job.record.queue for job in self.nodes if job.record.state is JobState.PENDING}
        found = [await _warnings(info, True, queue) for queue in sorted(queues)[:MAX_WARNED]]
        return [warning for warnings in found for warning in warnings]

    @classmethod
    def of(cls, found: Sequence[records.Job]) -> Self:
        nodes = [Job.of(record) for record in found]
        return cls(job_ids=[job.id for job in nodes], nodes=nodes)


@strawberry.type(description="The failure that a mutation resolved.")
class FailurePayload:
    failure_id: strawberry.ID = strawberry.field(description="The id of the resolved failure.")
    failure: Failure = strawberry.field(description="The resolved failure.")

    @classmethod
    def of(cls, record: records.Failure) -> Self:
        failure = Failure.of(record)
        return cls(failure_id=failure.id, failure=failure)


@strawberry.type(description="The recurring task that a mutation started, changed or deleted.")
class RecurringTaskPayload:
    task_id: str = strawberry.field(description="The task's id, chosen by its owner.")
    found: strawberry.Private[records.RecurringTask | Malformed]

    @classmethod
    def of_stopped(cls, found: records.RecurringTask | Malformed, task_id: str | None) -> Self:
        """Build the payload; raises Malformed if the task is malformed and its `taskId` unknown."""
        if not isinstance(found, Malformed):
            task_id = found.task_id
        elif task_id is None:
            raise found
        return cls(task_id=task_id, found=found)

    @strawberry_field(
        description="The current state of the task; after `deleteRecurringTask`, its last state."
    )
    def recurring_task(self) -> RecurringTask:
        if isinstance(self.found, Malformed):
            raise self.found
        return RecurringTask.of(self.found)

    @strawberry_field(description=WARNINGS)
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        is_running = not isinstance(self.found, Malformed) and self.found.enabled
        return await _warnings(info, is_running)


@strawberry.type(description="The items that were added.")
class AddItemsPayload:
    added: int = strawberry.field(description="The number of items added.")
    item_ids: list[strawberry.ID] = strawberry.field(
        description="Their ids, in the order of the input."
    )

    @classmethod
    def of(cls, item_ids: Sequence[str]) -> Self:
        ids = [global_id("Item", item_id) for item_id in item_ids]
        return cls(added=len(ids), item_ids=ids)


@strawberry.type(description="The items that were deleted.")
class DeleteItemsPayload:
    deleted: int = strawberry.field(description="The number of items deleted, at most 1000.")


@strawberry.type(description="The batch that a mutation started, changed or deleted.")
class BatchPayload:
    batch_id: strawberry.ID = strawberry.field(description="The batch's id.")
    batch: Batch = strawberry.field(
        description="The current state of the batch; after `deleteBatch`, its last state."
    )

    @strawberry_field(description=f"{WARNINGS} Also whether it found nothing to process.")
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        is_running = self.batch.record.state is BatchState.RUNNING
        found = await _warnings(info, is_running)
        if is_running and self.batch.record.total == 0:
            found.append(SchedulingWarning.of(batches.NOTHING_TO_PROCESS))
        return found

    @classmethod
    def of(cls, record: records.Batch) -> Self:
        batch = Batch.of(record)
        return cls(batch_id=batch.id, batch=batch)


@strawberry.type(description="The bulk action that a mutation started or canceled.")
class BulkActionPayload:
    bulk_action_id: strawberry.ID = strawberry.field(description="The bulk action's id.")
    bulk_action: BulkAction = strawberry.field(description="The current state of the bulk action.")

    @strawberry_field(description=WARNINGS)
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        is_running = self.bulk_action.record.state is BulkActionState.RUNNING
        return await _warnings(info, is_running)

    @classmethod
    def of(cls, record: bulk_actions.BulkAction) -> Self:
        bulk_action = BulkAction.of(record)
        return cls(bulk_action_id=bulk_action.id, bulk_action=bulk_action)


@strawberry.type(description="The queue that a mutation changed.")
class QueuePayload:
    queue: Queue = strawberry.field(description="The current state of the queue.")

    @classmethod
    def of(cls, record: lanes.Queue) -> Self:
        return cls(queue=Queue.of(record))


@strawberry.type(description="The user that a mutation suspended, resumed or purges.")
class OwnerPayload:
    owner: Owner = strawberry.field(description="The current state of the user.")

    @classmethod
    def of(cls, record: rights.Owner) -> Self:
        return cls(owner=Owner.of(record))


@strawberry.type(description="The request that a mutation created, changed or deleted.")
class RequestPayload:
    request_id: strawberry.ID = strawberry.field(description="The request's id.")
    request: Request = strawberry.field(
        description="The current state of the request; after `deleteRequest`, its last state."
    )

    @strawberry_field(description=WARNINGS)
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        return await _warnings(info, self.request.record.state is RequestState.PENDING)

    @classmethod
    def of(cls, record: records.Request) -> Self:
        request = Request.of(record)
        return cls(request_id=request.id, request=request)


@strawberry.type(description="The revocation that a mutation added, changed or deleted.")
class RevocationPayload:
    revocation: TokenRevocation = strawberry.field(
        description="The revocation; after `deleteRevocation`, as it was before."
    )

    @classmethod
    def of(cls, record: revocations.Revocation) -> Self:
        return cls(revocation=TokenRevocation.of(record))


@strawberry.type(description="The calendar that a mutation changed.")
class CalendarPayload:
    name: str = strawberry.field(description="The calendar's name.")
    calendar: Calendar | None = strawberry.field(
        description="The current state of the calendar; null after `deleteCalendar`."
    )

    @classmethod
    def of(cls, record: time_rules.Calendar) -> Self:
        return cls(name=record.name, calendar=Calendar.of(record))
