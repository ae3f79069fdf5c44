"""What subscriptions send: a change, its cursor, and the current state of the object."""

from typing import Self

import strawberry

from ostinato.resolvers.live import messages
from ostinato.resolvers.live.messages import ChangeKind
from ostinato.schema.ids import global_id
from ostinato.schema.scalars import Cursor
from ostinato.schema.types.batch import Batch
from ostinato.schema.types.cron import Cron
from ostinato.schema.types.job import Job, JobEvent
from ostinato.schema.types.recurring_task import RecurringTask
from ostinato.schema.types.request import Request

CURSOR = "The position of this message. Pass the newest cursor as `after` to resume from it."
KIND = "The kind of the message."


def _id_of(type_name: str, document_id: str | None) -> strawberry.ID | None:
    return None if document_id is None else global_id(type_name, document_id)


@strawberry.type(description="A message about a job.")
class JobChange:
    place: strawberry.Private[messages.EventPosition]
    cursor: Cursor = strawberry.field(description=CURSOR)
    kind: ChangeKind = strawberry.field(description=KIND)
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
    def of(cls, change: messages.JobChange) -> Self:
        return cls(
            place=change.place,
            cursor=Cursor(change.cursor),
            kind=change.kind,
            job_id=_id_of("Job", change.job_id),
            event=None if change.event is None else JobEvent.of(change.event),
            job=None if change.job is None else Job.of(change.job),
        )


@strawberry.type(description="A message about a cron.")
class CronChange:
    place: strawberry.Private[messages.EventPosition]
    cursor: Cursor = strawberry.field(description=CURSOR)
    kind: ChangeKind = strawberry.field(description=KIND)
    cron_id: strawberry.ID | None = strawberry.field(
        description="The id of the cron; null in READY, CHECKPOINT and RESET."
    )
    cron: Cron | None = strawberry.field(
        description="The current state of the cron; null after it has been deleted."
    )

    @classmethod
    def of(cls, change: messages.CronChange) -> Self:
        return cls(
            place=change.place,
            cursor=Cursor(change.cursor),
            kind=change.kind,
            cron_id=_id_of("Cron", change.cron_id),
            cron=None if change.cron is None else Cron.of(change.cron),
        )


@strawberry.type(description="A message about a recurring task.")
class RecurringTaskChange:
    place: strawberry.Private[messages.EventPosition]
    cursor: Cursor = strawberry.field(description=CURSOR)
    kind: ChangeKind = strawberry.field(description=KIND)
    task_id: str | None = strawberry.field(
        description="The `taskId` of the task; null in READY, CHECKPOINT and RESET."
    )
    recurring_task: RecurringTask | None = strawberry.field(
        description="The current state of the task; null in READY, CHECKPOINT and RESET."
    )

    @classmethod
    def of(cls, change: messages.RecurringTaskChange) -> Self:
        task = change.recurring_task
        return cls(
            place=change.place,
            cursor=Cursor(change.cursor),
            kind=change.kind,
            task_id=change.task_id,
            recurring_task=None if task is None else RecurringTask.of(task),
        )


@strawberry.type(description="A message about a request.")
class RequestChange:
    place: strawberry.Private[messages.EventPosition]
    cursor: Cursor = strawberry.field(description=CURSOR)
    kind: ChangeKind = strawberry.field(description=KIND)
    request_id: strawberry.ID | None = strawberry.field(
        description="The id of the request; null in READY, CHECKPOINT and RESET."
    )
    request: Request | None = strawberry.field(
        description="The current state of the request; null in READY, CHECKPOINT and RESET."
    )

    @classmethod
    def of(cls, change: messages.RequestChange) -> Self:
        return cls(
            place=change.place,
            cursor=Cursor(change.cursor),
            kind=change.kind,
            request_id=_id_of("Request", change.request_id),
            request=None if change.request is None else Request.of(change.request),
        )


@strawberry.type(description="A message about a batch.")
class BatchChange:
    place: strawberry.Private[messages.EventPosition]
    cursor: Cursor = strawberry.field(description=CURSOR)
    kind: ChangeKind = strawberry.field(description=KIND)
    batch_id: strawberry.ID | None = strawberry.field(
        description="The id of the batch; null in READY, CHECKPOINT and RESET."
    )
    batch: Batch | None = strawberry.field(
        description="The current state of the batch; null in READY, CHECKPOINT and RESET."
    )

    @classmethod
    def of(cls, change: messages.BatchChange) -> Self:
        return cls(
            place=change.place,
            cursor=Cursor(change.cursor),
            kind=change.kind,
            batch_id=_id_of("Batch", change.batch_id),
            batch=None if change.batch is None else Batch.of(change.batch),
        )
