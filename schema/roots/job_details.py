"""The root fields about what surrounds a job: its tree and its log."""

from collections.abc import AsyncIterable
from typing import Annotated, TypeAlias

import strawberry
from strawberry import UNSET

from ostinato.jobs.filters import JobOrder
from ostinato.resolvers import scheduling
from ostinato.resolvers.live import subscription_sources
from ostinato.resolvers.live.messages import SubscribeOptions
from ostinato.schema.fields import (
    Info,
    strawberry_field,
    strawberry_subscription,
    unread_fields,
    unset_to_none,
)
from ostinato.schema.ids import argument_id
from ostinato.schema.pagination import BY_LINE, After, Before, Connection, First, Last, PageRequest
from ostinato.schema.roots.query import Query
from ostinato.schema.roots.root_fields import selects
from ostinato.schema.roots.subscription import (
    AfterCursor,
    AfterCursorOfOne,
    Snapshot,
    SnapshotRows,
    Subscription,
)
from ostinato.schema.types.changes import JobChange
from ostinato.schema.types.job import Job, job_connection
from ostinato.schema.types.job_log import JobLogChange, JobLogLine, log_connection

JobIdArgument: TypeAlias = Annotated[
    strawberry.ID, strawberry.argument(description="The job's id.")
]
RootId: TypeAlias = Annotated[
    strawberry.ID,
    strawberry.argument(description="The id of the first job of the tree: any job's `rootId`."),
]


@strawberry.type(name="Query", description="Reads your own objects (all objects for admins).")
class JobDetailsQuery(Query):
    @strawberry_field(
        description="A job and all that it has led to: what its function scheduled, and so on, "
        "including internal jobs, oldest first. `cause` is the parent of each."
    )
    async def job_tree(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        root_id: RootId,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[Job] | None:
        first_job = argument_id(root_id, "Job", "rootId")
        window = PageRequest(info=info, first=first, after=after, last=last, before=before).window()
        page = await scheduling.job_tree(info.context, first_job, window)
        return job_connection(page, JobOrder.OLDEST)

    @strawberry_field(
        description="What the function of a job has written with `ctx.log`, oldest first: at most "
        "the newest 1,000 lines or 256 KiB. Lines appear within a second."
    )
    async def job_logs(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        job_id: JobIdArgument,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[JobLogLine] | None:
        request = PageRequest(first=first, after=after, last=last, before=before)
        window = request.window(BY_LINE)
        page = await scheduling.job_logs(info.context, argument_id(job_id, "Job", "jobId"), window)
        return log_connection(page)


@strawberry.type(
    name="Subscription",
    description="Live changes of your own objects (all objects for admins). Every change after "
    "READY is sent.",
)
class JobDetailsSubscription(Subscription):
    @strawberry_subscription(
        description="A job and all that it has led to, including internal jobs and jobs that are "
        "scheduled later."
    )
    def job_tree_changed(
        self,
        info: Info,
        root_id: RootId,
        snapshot: Snapshot = False,
        first: SnapshotRows = UNSET,
        after: AfterCursor = UNSET,
    ) -> AsyncIterable[JobChange | None]:
        options = SubscribeOptions(
            after=unset_to_none(after),
            snapshot=snapshot,
            first=unset_to_none(first),
            wants_object=selects(info, "job"),
            unread=unread_fields(info),
        )
        query = subscription_sources.job_tree_changed(
            info.context, argument_id(root_id, "Job", "rootId"), options
        )
        return query.map(JobChange.of)

    @strawberry_subscription(
        description="The log of a job: the stored lines, READY, then new lines until you "
        "unsubscribe."
    )
    def job_logs_changed(
        self, info: Info, job_id: JobIdArgument, after: AfterCursorOfOne = UNSET
    ) -> AsyncIterable[JobLogChange | None]:
        query = subscription_sources.job_logs_changed(
            info.context, argument_id(job_id, "Job", "jobId"), after=unset_to_none(after)
        )
        return query.map(JobLogChange.of)
