"""One scheduled execution of a function."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from ostinato.jobs import records
from ostinato.jobs.filters import JobOrder
from ostinato.jobs.malformed import sound_progress
from ostinato.jobs.paging import Place
from ostinato.jobs.records import JobState
from ostinato.resolvers import scheduling
from ostinato.schema.context import Info
from ostinato.schema.fields import strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.pagination import (
    BY_ID,
    After,
    Connection,
    First,
    PageRequest,
    by_id,
    connection,
)
from ostinato.schema.scalars import Milliseconds
from ostinato.schema.types.error import JobError
from ostinato.schema.types.event import JobEvent
from ostinato.schema.types.node import Node
from ostinato.schema.types.progress import Progress
from ostinato.schema.types.warning import SchedulingWarning

if TYPE_CHECKING:
    from ostinato.jobs.filters import Page
    from ostinato.schema.types.cause import Cause

TIMED_ORDERS = (JobOrder.SCHEDULED_ASC, JobOrder.SCHEDULED_DESC)
CauseRef = Annotated["Cause", strawberry.lazy("ostinato.schema.types.cause")]


@strawberry.type(description="One scheduled execution of a function.")
class Job(Node):
    record: strawberry.Private[records.Job]
    function_name: str = strawberry.field(description="The function, as `module.camelName`.")
    state: JobState = strawberry.field(description="Where the job is in its life.")
    scheduled_time: datetime = strawberry.field(
        description="When the present attempt is due. A past time stays as it was given."
    )
    created_at: datetime = strawberry.field(description="When it was scheduled.")
    started_at: datetime | None = strawberry.field(
        description="When its latest attempt started; null before the first."
    )
    completed_at: datetime | None = strawberry.field(
        description="When it ended; null while it is pending or in progress."
    )
    cancel_requested_at: datetime | None = strawberry.field(
        description="When somebody asked to cancel it while it ran."
    )
    purge_at: datetime | None = strawberry.field(
        description="When it will be deleted; null while it is kept: until it has ended and, "
        "if it failed, its failure is resolved. No event tells of the deletion."
    )
    queue: str = strawberry.field(description="The queue that it waits in, or ran from.")
    priority: int = strawberry.field(description="0 to 9: higher runs sooner.")
    timeout_ms: Milliseconds | None = strawberry.field(
        description="How long one attempt may take; null for the function's own timeout."
    )
    attempt: int = strawberry.field(description="How often it was started so far.")
    max_attempts: int = strawberry.field(description="How often it may be started: retries + 1.")
    internal: bool = strawberry.field(
        description="Whether it is the system's own: a tick, a loop or a timeout."
    )
    owner: strawberry.ID | None = strawberry.field(
        description="The user it belongs to (the `sub` of the token); null for the system's own."
    )

    @strawberry_field(description="The function's arguments, complete with their defaults.")
    def args(self) -> JSON:
        return JSON(self.record.args)

    @strawberry_field(description="What the function returned; null until it has.")
    def result(self) -> JSON | None:
        return None if self.record.result is None else JSON(self.record.result)

    @strawberry_field(description="Every change of its state so far, oldest first.")
    def timeline(self) -> list[JobEvent]:
        return [JobEvent.of(event) for event in self.record.timeline]

    @strawberry_field(description="How far it has come; null if its function does not say.")
    def progress(self) -> Progress | None:
        return Progress.of_optional(sound_progress(self.record))

    @strawberry_field(description="The exception that ended its latest attempt, if one did.")
    def error(self) -> JobError | None:
        return JobError.of_optional(self.record.error)

    @strawberry_field(
        description="Why it does not start: no running worker takes jobs from its queue, or the "
        "queue is paused. As it is now; empty unless it is pending. Subscriptions do not report "
        "when it changes.",
        shared=True,
    )
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        found = await scheduling.warnings_of(info.context, self.record)
        return [SchedulingWarning.of(warning) for warning in found]

    @strawberry_field(description="What created it.")
    def cause(self) -> CauseRef:
        from ostinato.schema.types.cause import Cause

        return Cause.of(self.record.cause)

    @strawberry_field(
        description="The jobs that its function scheduled, newest first, the system's own "
        "included.",
        shared=True,
    )
    async def children(
        self, info: Info, first: First = UNSET, after: After = UNSET
    ) -> Connection["Job"]:
        window = PageRequest(first=first, after=after).window()
        page = await info.context.loaders.children(self.record.id, window)
        return job_connection(page)

    @classmethod
    def of(cls, record: records.Job) -> Self:
        return cls(
            record=record,
            id=global_id("Job", record.id),
            version=record.version,
            function_name=record.function_name,
            state=record.state,
            scheduled_time=record.scheduled_time,
            created_at=record.created_at,
            started_at=record.started_at,
            completed_at=record.completed_at,
            cancel_requested_at=record.cancel_requested_at,
            purge_at=record.purge_at,
            queue=record.queue,
            priority=record.priority,
            timeout_ms=None if record.timeout_ms is None else Milliseconds(record.timeout_ms),
            attempt=record.attempt,
            max_attempts=record.max_attempts,
            internal=record.internal,
            owner=None if record.owner is None else strawberry.ID(record.owner),
        )


def cursor_order(order: JobOrder) -> str:
    """Name the order as cursors do: the two orders by creation share theirs, by the id."""
    return order if order in TIMED_ORDERS else BY_ID


def job_connection(page: "Page[records.Job]", order: JobOrder = JobOrder.NEWEST) -> Connection[Job]:
    """Make the connection of a page of jobs in that order."""
    if order in TIMED_ORDERS:
        return connection(
            page, Job.of, lambda job: Place(id=job.id, instant=job.scheduled_time), order
        )
    return by_id(page, Job.of)
