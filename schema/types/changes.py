"""The GraphQL types of subscription messages: changes with the current object, and job counts."""

from datetime import datetime
from typing import Any, Self

import strawberry

from ostinato.jobs import bulk_actions, cron_ledger, records
from ostinato.resolvers import overview
from ostinato.resolvers.live import stats_query
from ostinato.resolvers.live.messages import ChangeKind, EventPosition, LiveMessage
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.scalars import Cursor
from ostinato.schema.types.batch import Batch
from ostinato.schema.types.bulk_action import BulkAction
from ostinato.schema.types.cron import Cron
from ostinato.schema.types.cron_tick import CronTick
from ostinato.schema.types.failure import Failure
from ostinato.schema.types.job import Job, JobEvent
from ostinato.schema.types.job_totals import JobTotals
from ostinato.schema.types.recurring_task import RecurringTask
from ostinato.schema.types.request import Request

CURSOR = "The position of this message. Pass the newest cursor as `after` to resume from it."
KIND = "The kind of the message."


def _id_of(type_name: str, document_id: str | None) -> strawberry.ID | None:
    return None if document_id is None else global_id(type_name, document_id)


@strawberry.type
class MessageFields:
    """Fields common to all messages."""

    event_position: strawberry.Private[EventPosition]
    cursor: Cursor = strawberry.field(description=CURSOR)
    kind: ChangeKind = strawberry.field(description=KIND)


def fields_of(message: LiveMessage[Any]) -> dict[str, Any]:
    """Return the values of the fields of `MessageFields`."""
    return {
        "event_position": message.event_position,
        "cursor": Cursor(message.cursor),
        "kind": message.kind,
    }


@strawberry.type(description="A message about a job.")
class JobChange(MessageFields):
    job_id: strawberry.ID | None = strawberry.field(
        description="The id of the job; null in READY, CHECKPOINT and RESET."
    )
    event: JobEvent | None = strawberry.field(
        description="The event; null in SNAPSHOT, READY, CHECKPOINT and RESET, and when only the "
        "progress changed."
    )
    job: Job | None = strawberry.field(
        description="The current state of the job, which may be newer than the event; null in "
        "READY, CHECKPOINT and RESET."
    )

    @classmethod
    def of(cls, message: LiveMessage[records.Job]) -> Self:
        return cls(
            **fields_of(message),
            job_id=_id_of("Job", message.id),
            event=None if message.event is None else JobEvent.of(message.event),
            job=Job.of_optional(message.record),
        )


@strawberry.type(description="A message about a cron.")
class CronChange(MessageFields):
    cron_id: strawberry.ID | None = strawberry.field(
        description="The id of the cron; null in READY, CHECKPOINT and RESET."
    )
    cron: Cron | None = strawberry.field(
        description="The current state of the cron; null after it has been deleted."
    )

    @classmethod
    def of(cls, message: LiveMessage[records.Cron]) -> Self:
        return cls(
            **fields_of(message),
            cron_id=_id_of("Cron", message.id),
            cron=Cron.of_optional(message.record),
        )


@strawberry.type(description="A message about a tick of a cron.")
class CronTickChange(MessageFields):
    cron_tick_id: strawberry.ID | None = strawberry.field(
        description="The id of the tick; null in READY, CHECKPOINT and RESET."
    )
    cron_tick: CronTick | None = strawberry.field(
        description="What became of it; null in READY, CHECKPOINT and RESET."
    )

    @classmethod
    def of(cls, message: LiveMessage[cron_ledger.CronTick]) -> Self:
        return cls(
            **fields_of(message),
            cron_tick_id=_id_of("CronTick", message.id),
            cron_tick=CronTick.of_optional(message.record),
        )


@strawberry.type(description="A message about a recurring task.")
class RecurringTaskChange(MessageFields):
    task_id: str | None = strawberry.field(
        description="The `taskId` of the task; null in READY, CHECKPOINT and RESET."
    )
    recurring_task_id: strawberry.ID | None = strawberry.field(
        description="The `id` of the task, which is unique among the tasks of all users; null in "
        "READY, CHECKPOINT and RESET."
    )
    recurring_task: RecurringTask | None = strawberry.field(
        description="The current state of the task; null in READY, CHECKPOINT and RESET, and after "
        "it has been deleted."
    )

    @classmethod
    def of(cls, message: LiveMessage[records.RecurringTask]) -> Self:
        return cls(
            **fields_of(message),
            task_id=message.task_id,
            recurring_task_id=_id_of("RecurringTask", message.id),
            recurring_task=RecurringTask.of_optional(message.record),
        )


@strawberry.type(description="A message about a failure.")
class FailureChange(MessageFields):
    failure_id: strawberry.ID | None = strawberry.field(
        description="The id of the failure; null in READY, CHECKPOINT and RESET."
    )
    failure: Failure | None = strawberry.field(
        description="The failure; null in READY, CHECKPOINT and RESET, and after its job was "
        "retried."
    )

    @classmethod
    def of(cls, message: LiveMessage[records.Failure]) -> Self:
        return cls(
            **fields_of(message),
            failure_id=_id_of("Failure", message.id),
            failure=Failure.of_optional(message.record),
        )


@strawberry.type(description="A message about a request.")
class RequestChange(MessageFields):
    request_id: strawberry.ID | None = strawberry.field(
        description="The id of the request; null in READY, CHECKPOINT and RESET."
    )
    request: Request | None = strawberry.field(
        description="The current state of the request; null in READY, CHECKPOINT and RESET, and "
        "after it has been deleted."
    )

    @classmethod
    def of(cls, message: LiveMessage[records.Request]) -> Self:
        return cls(
            **fields_of(message),
            request_id=_id_of("Request", message.id),
            request=Request.of_optional(message.record),
        )


@strawberry.type(description="A message about a batch.")
class BatchChange(MessageFields):
    batch_id: strawberry.ID | None = strawberry.field(
        description="The id of the batch; null in READY, CHECKPOINT and RESET."
    )
    batch: Batch | None = strawberry.field(
        description="The current state of the batch; null in READY, CHECKPOINT and RESET, and "
        "after it has been deleted."
    )

    @classmethod
    def of(cls, message: LiveMessage[records.Batch]) -> Self:
        return cls(
            **fields_of(message),
            batch_id=_id_of("Batch", message.id),
            batch=Batch.of_optional(message.record),
        )


@strawberry.type(description="A message about a bulk action.")
class BulkActionChange(MessageFields):
    bulk_action_id: strawberry.ID | None = strawberry.field(
        description="The id of the bulk action; null in READY, CHECKPOINT and RESET."
    )
    bulk_action: BulkAction | None = strawberry.field(
        description="The current state of the bulk action; null in READY, CHECKPOINT and RESET, "
        "and after it has been deleted."
    )

    @classmethod
    def of(cls, message: LiveMessage[bulk_actions.BulkAction]) -> Self:
        return cls(
            **fields_of(message),
            bulk_action_id=_id_of("BulkAction", message.id),
            bulk_action=BulkAction.of_optional(message.record),
        )


@strawberry.type(
    description="Job counts, without internal jobs. They cover your own jobs (all jobs for "
    "admins). Each is capped at 1,000; `totals` has the whole numbers."
)
class Stats:
    event_position: strawberry.Private[EventPosition]
    at: datetime = strawberry.field(description="When they were counted.")
    pending: int = strawberry.field(
        description="The number of pending jobs, including jobs that are not due."
    )
    in_progress: int = strawberry.field(description="The number of running jobs.")
    failed: int = strawberry.field(
        description="The number of jobs that failed on their last attempt and are retained."
    )

    @strawberry_field(description="The numbers of jobs in each state.", shared=True)
    async def totals(self, info: Info) -> JobTotals | None:
        return JobTotals.of(await overview.job_totals(info.context))

    @classmethod
    def of(cls, record: stats_query.Stats) -> Self:
        counts = record.counts
        return cls(
            event_position=record.event_position,
            at=counts.at,
            pending=counts.pending,
            in_progress=counts.in_progress,
            failed=counts.failed,
        )
