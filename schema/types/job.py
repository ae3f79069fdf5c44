"""The GraphQL types of jobs: events, errors, progress and warnings."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from ostinato.jobs import queue_warnings, records
from ostinato.jobs.filters import JobOrder
from ostinato.jobs.malformed import read_progress
from ostinato.jobs.paging import PagePosition
from ostinato.jobs.queue_warnings import WarningCode
from ostinato.jobs.records import JobState
from ostinato.resolvers import failures, scheduling
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.pagination import (
    BY_ID,
    BY_LINE,
    After,
    Before,
    Connection,
    First,
    Last,
    PageRequest,
    build_connection,
    connection_by_id,
)
from ostinato.schema.scalars import Milliseconds, SafeInt
from ostinato.schema.types.job_log import JobLogLine, log_connection
from ostinato.schema.types.record_proxy import Node, NodeProxy, RecordProxy

if TYPE_CHECKING:
    from ostinato.jobs.paging import Page
    from ostinato.schema.types.cause import Cause
    from ostinato.schema.types.failure import Failure


@strawberry.type(description="The exception that ended an attempt of a job.")
class JobError(RecordProxy[records.JobError]):
    name: str = strawberry.field(description="The name of the exception's class.")
    message: str = strawberry.field(description="The exception's message, at most 4 KiB.")

    @strawberry_field(
        description="The traceback, at most 16 KiB. Null unless the viewer is an admin.",
        shared=True,
    )
    def traceback(self, info: Info) -> str | None:
        return self.record.traceback if info.context.viewer.is_admin else None


@strawberry.type(description="One change of a job's state.")
class JobEvent(RecordProxy[records.JobEvent]):
    seq: int = strawberry.field(
        description="Its number in the timeline: starts at 1, without gaps."
    )
    at: datetime = strawberry.field(description="When it happened.")
    from_state: JobState | None = strawberry.field(
        name="from", description="The previous state; null for the event that created the job."
    )
    state: JobState = strawberry.field(description="The new state.")
    attempt: int = strawberry.field(
        description="The number of attempts started so far, including this event."
    )
    worker_id: str | None = strawberry.field(description="The worker that ran the attempt.")
    next_run_at: datetime | None = strawberry.field(
        description="When the job is due next, if this event made it pending."
    )
    args_changed: bool = strawberry.field(
        description="Whether this event is a `retryJob` that replaced the arguments."
    )

    by: strawberry.ID | None = strawberry.field(
        description="The user who asked for a retry, of this job or of all that match a filter. "
        "Null for other events, and for an application that acts for no user."
    )

    @strawberry_field(description="The exception that ended the attempt; null if there is none.")
    def error(self) -> JobError | None:
        return JobError.of_optional(self.record.error)


@strawberry.type(description="The progress of a job, as reported by its function.")
class Progress(RecordProxy[records.Progress]):
    done: SafeInt = strawberry.field(
        description="The amount done, in a unit chosen by the function."
    )
    total: SafeInt | None = strawberry.field(description="The total amount, if known.")
    message: str | None = strawberry.field(
        description="The current step, as reported by the function."
    )


@strawberry.type(name="Warning", description="Why accepted work is not running yet.")
class SchedulingWarning(RecordProxy[queue_warnings.SchedulingWarning]):
    code: WarningCode = strawberry.field(description="A stable code for the reason.")
    message: str = strawberry.field(description="The problem and how to fix it.")


EVENT_COST = 6  # points for an event of a timeline, whatever is selected of it
TIMED_ORDERS = (JobOrder.SCHEDULED_ASC, JobOrder.SCHEDULED_DESC)
CauseRef = Annotated["Cause", strawberry.lazy("ostinato.schema.types.cause")]
FailureRef = Annotated["Failure", strawberry.lazy("ostinato.schema.types.failure")]


@strawberry.type(description="A job: one scheduled call of a function.")
class Job(NodeProxy[records.Job], Node):
    function_name: str = strawberry.field(
        description="The name of its function: `module.camelName`."
    )
    state: JobState = strawberry.field(description="Its state.")
    scheduled_time: datetime = strawberry.field(
        description="When the current attempt is due. A time in the past is stored unchanged."
    )
    created_at: datetime = strawberry.field(description="When it was created.")
    started_at: datetime | None = strawberry.field(
        description="When its latest attempt started; null before the first attempt."
    )
    completed_at: datetime | None = strawberry.field(
        description="When it ended; null while it is pending or in progress."
    )
    cancel_requested_at: datetime | None = strawberry.field(
        description="When cancellation was requested while it was running."
    )
    purge_at: datetime | None = strawberry.field(
        description="When it will be deleted; null until it has ended and, if it failed, until "
        "its failure is resolved. The deletion sends no event."
    )
    key: str | None = strawberry.field(
        description="The idempotency key with which it was scheduled."
    )
    tags: list[str] = strawberry.field(description="The tags with which it was scheduled.")
    queue: str = strawberry.field(description="Its queue.")
    priority: int = strawberry.field(description="Its priority, 0 to 9. Higher runs sooner.")
    timeout_ms: Milliseconds | None = strawberry.field(
        description="The timeout of one attempt; null if the function's timeout applies."
    )
    attempt: int = strawberry.field(description="The number of attempts started.")
    max_attempts: int = strawberry.field(description="The maximum number of attempts: retries + 1.")
    internal: bool = strawberry.field(
        description="Whether it belongs to the system: a tick of a cron or recurring task, or a "
        "timeout."
    )
    owner: strawberry.ID | None = strawberry.field(
        description="The user who owns it (the token's `sub`); null for internal jobs without a "
        "user."
    )

    @strawberry_field(description="The function's arguments, including defaults.")
    def args(self) -> JSON:
        return JSON(self.record.args)

    @strawberry_field(description="The function's return value; null until it has returned.")
    def result(self) -> JSON | None:
        return None if self.record.result is None else JSON(self.record.result)

    @strawberry_field(description="All changes of its state, oldest first.", shared=True)
    def timeline(self, info: Info) -> list[JobEvent]:
        info.context.charge(EVENT_COST * len(self.record.timeline))
        return [JobEvent.of(event) for event in self.record.timeline]

    @strawberry_field(description="Its progress; null if its function does not report any.")
    def progress(self) -> Progress | None:
        return Progress.of_optional(read_progress(self.record))

    @strawberry_field(
        description="The exception that ended its latest attempt; null if there is none."
    )
    def error(self) -> JobError | None:
        return JobError.of_optional(self.record.error)

    @strawberry_field(
        description="The newest failure that its function recorded itself, without failing: as "
        "`actions.retryableAction` does after its last retry. Null if there is none, or if it has "
        "been deleted. Recording it sends no change of the job.",
        shared=True,
    )
    async def recorded_failure(self, info: Info) -> FailureRef | None:
        from ostinato.schema.types.failure import Failure

        return Failure.of_optional(await failures.recorded_failure(info.context, self.record))

    @strawberry_field(
        description="Why it has not started: no running worker takes jobs from its queue, or the "
        "queue is paused. Computed on each read; empty unless the job is pending. Subscriptions "
        "do not report changes of the warnings.",
        shared=True,
    )
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        found = await scheduling.warnings_of(info.context, self.record)
        return [SchedulingWarning.of(warning) for warning in found]

    @strawberry_field(
        description="The first job of its tree: its own id, unless a job scheduled it. What that "
        "job's function schedules, and what is scheduled from there, have the same `rootId`. A run "
        "of a cron is the first job of a tree."
    )
    def root_id(self) -> strawberry.ID:
        return global_id("Job", self.record.root_id)

    @strawberry_field(description="What created it.")
    def cause(self) -> CauseRef:
        from ostinato.schema.types.cause import Cause

        return Cause.of(self.record.cause)

    @strawberry_field(
        description="The jobs that its function scheduled, newest first, including internal jobs.",
        shared=True,
    )
    async def children(
        self, info: Info, first: First = UNSET, after: After = UNSET
    ) -> Connection["Job"]:
        window = PageRequest(info=info, first=first, after=after).window()
        page = await info.context.loaders.children(self.record.id, window)
        return job_connection(page)

    @strawberry_field(
        description="What its function has written with `ctx.log`, oldest first: at most the "
        "newest 1,000 lines or 256 KiB. Lines appear within a second.",
        shared=True,
    )
    async def logs(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[JobLogLine]:
        request = PageRequest(first=first, after=after, last=last, before=before)
        window = request.window(BY_LINE)
        return log_connection(await info.context.engine.reads.find_log_page(self.record.id, window))


def cursor_order(order: JobOrder) -> str:
    """Return the name of the order in cursors; both orders by creation time use the id."""
    return order if order in TIMED_ORDERS else BY_ID


def job_connection(page: "Page[records.Job]", order: JobOrder = JobOrder.NEWEST) -> Connection[Job]:
    """Build the connection of a page of jobs in the given order."""
    if order in TIMED_ORDERS:
        return build_connection(
            page, Job.of, lambda job: PagePosition(id=job.id, instant=job.scheduled_time), order
        )
    return connection_by_id(page, Job.of)
