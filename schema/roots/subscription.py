"""The Subscription root: live changes of the viewer's objects."""

from collections.abc import AsyncIterable
from typing import Annotated

import strawberry
from strawberry import UNSET

from ostinato.resolvers.live import stats_query, subscription_sources
from ostinato.resolvers.live.messages import SubscribeOptions
from ostinato.schema.fields import Info, strawberry_subscription, unread_fields, unset_to_none
from ostinato.schema.ids import argument_id
from ostinato.schema.inputs.filters import FailureFilter, JobFilter
from ostinato.schema.inputs.tasks_batches_requests import (
    BatchFilter,
    RequestFilter,
)
from ostinato.schema.roots.query import FilterBatches, FilterFailures, FilterRequests
from ostinato.schema.roots.root_fields import selects, validate_argument
from ostinato.schema.scalars import Cursor, Milliseconds
from ostinato.schema.types.changes import (
    BatchChange,
    CronChange,
    FailureChange,
    JobChange,
    RecurringTaskChange,
    RequestChange,
    Stats,
)

DEFAULT_EVERY = Milliseconds(1_000)

AfterCursor = Annotated[
    Cursor | None,
    strawberry.argument(
        name="after",
        description="Resume after this cursor: missed changes are sent first. HISTORY_LOST if the "
        "cursor is older than the retained history.",
    ),
]
AfterCursorOfOne = Annotated[
    Cursor | None,
    strawberry.argument(
        name="after",
        description="Resume after this cursor: missed changes are sent first, without a SNAPSHOT. "
        "The cursor never expires. Resuming after a SNAPSHOT's cursor sends a SNAPSHOT again.",
    ),
]
Snapshot = Annotated[
    bool,
    strawberry.argument(description="Start with the matching objects, newest first."),
]
SnapshotRows = Annotated[
    int | None,
    strawberry.argument(description="The maximum number of objects in the snapshot, 1 to 1000."),
]


def _list_options(info: Info, name: str, snapshot: bool, after: Cursor | None) -> SubscribeOptions:
    """Build the options of a list whose messages contain the object as the field `name`."""
    return SubscribeOptions(
        after=unset_to_none(after),
        snapshot=snapshot,
        wants_object=selects(info, name),
        unread=unread_fields(info),
    )


@strawberry.type(
    description="Live changes of your own objects (all objects for admins). Every change after "
    "READY is sent."
)
class Subscription:
    @strawberry_subscription(
        description="A job: its current state, READY, then each event until you unsubscribe."
    )
    def job_changed(
        self,
        info: Info,
        job_id: Annotated[strawberry.ID, strawberry.argument(description="The job's id.")],
        after: AfterCursorOfOne = UNSET,
        from_seq: Annotated[
            int | None,
            strawberry.argument(
                description="Send the timeline from this event number; 1 sends all of it."
            ),
        ] = UNSET,
    ) -> AsyncIterable[JobChange | None]:
        query = subscription_sources.job_changed(
            info.context,
            argument_id(job_id, "Job", "jobId"),
            after=unset_to_none(after),
            from_seq=unset_to_none(from_seq),
            wants_object=selects(info, "job"),
        )
        return query.map(JobChange.of)

    @strawberry_subscription(description="Jobs that match a filter.")
    def jobs_changed(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: Annotated[
            JobFilter | None,
            strawberry.argument(
                name="filter",
                description="Conditions that jobs must match. If omitted, all but internal jobs.",
            ),
        ] = UNSET,
        snapshot: Snapshot = False,
        first: Annotated[
            int | None,
            strawberry.argument(
                description="The maximum number of jobs in the snapshot, 1 to 1000."
            ),
        ] = UNSET,
        coalesce: Annotated[
            bool,
            strawberry.argument(
                description="For slow clients. True: skip to the newest state of each job. False: "
                "close the subscription; the client can resume from its cursor."
            ),
        ] = False,
        after: AfterCursor = UNSET,
    ) -> AsyncIterable[JobChange | None]:
        job_filter = validate_argument(
            info, unset_to_none(filter_by) or JobFilter(), "filter"
        ).to_plain()
        options = SubscribeOptions(
            after=unset_to_none(after),
            snapshot=snapshot,
            first=unset_to_none(first),
            coalesce=coalesce,
            wants_object=selects(info, "job"),
            unread=unread_fields(info),
        )
        query = subscription_sources.jobs_changed(info.context, job_filter, options)
        return query.map(JobChange.of)

    @strawberry_subscription(description="Crons.")
    def crons_changed(
        self,
        info: Info,
        snapshot: Snapshot = False,
        first: SnapshotRows = UNSET,
        after: AfterCursor = UNSET,
    ) -> AsyncIterable[CronChange | None]:
        options = SubscribeOptions(
            after=unset_to_none(after),
            snapshot=snapshot,
            first=unset_to_none(first),
            wants_object=selects(info, "cron"),
            unread=unread_fields(info),
        )
        query = subscription_sources.crons_changed(info.context, options)
        return query.map(CronChange.of)

    @strawberry_subscription(description="Recurring tasks.")
    def recurring_tasks_changed(
        self, info: Info, snapshot: Snapshot = False, after: AfterCursor = UNSET
    ) -> AsyncIterable[RecurringTaskChange | None]:
        options = SubscribeOptions(
            after=unset_to_none(after),
            snapshot=snapshot,
            wants_object=selects(info, "recurringTask"),
            unread=unread_fields(info),
        )
        query = subscription_sources.recurring_tasks_changed(info.context, options)
        return query.map(RecurringTaskChange.of)

    @strawberry_subscription(
        description="Requests. LEFT reports one that is deleted or in none of the states."
    )
    def requests_changed(
        self,
        info: Info,
        filter_by: FilterRequests = UNSET,
        snapshot: Snapshot = False,
        after: AfterCursor = UNSET,
    ) -> AsyncIterable[RequestChange | None]:
        which = validate_argument(
            info, unset_to_none(filter_by) or RequestFilter(), "filter"
        ).to_plain()
        options = _list_options(info, "request", snapshot, after)
        query = subscription_sources.requests_changed(info.context, which, options)
        return query.map(RequestChange.of)

    @strawberry_subscription(
        description="Batches. LEFT reports one that is deleted or in none of the states."
    )
    def batches_changed(
        self,
        info: Info,
        filter_by: FilterBatches = UNSET,
        snapshot: Snapshot = False,
        after: AfterCursor = UNSET,
    ) -> AsyncIterable[BatchChange | None]:
        which = validate_argument(
            info, unset_to_none(filter_by) or BatchFilter(), "filter"
        ).to_plain()
        options = _list_options(info, "batch", snapshot, after)
        query = subscription_sources.batches_changed(info.context, which, options)
        return query.map(BatchChange.of)

    @strawberry_subscription(
        description="Failures, without a filter the open ones. LEFT reports one that is resolved, "
        "or whose job is retried."
    )
    def failures_changed(
        self,
        info: Info,
        filter_by: FilterFailures = UNSET,
        snapshot: Snapshot = False,
        after: AfterCursor = UNSET,
    ) -> AsyncIterable[FailureChange | None]:
        which = validate_argument(
            info, unset_to_none(filter_by) or FailureFilter(), "filter"
        ).to_plain()
        options = _list_options(info, "failure", snapshot, after)
        query = subscription_sources.failures_changed(info.context, which, options)
        return query.map(FailureChange.of)

    @strawberry_subscription(description="A request: its current state, READY, then each change.")
    def request_changed(
        self,
        info: Info,
        request_id: Annotated[strawberry.ID, strawberry.argument(description="The request's id.")],
        after: AfterCursorOfOne = UNSET,
    ) -> AsyncIterable[RequestChange | None]:
        query = subscription_sources.request_changed(
            info.context,
            argument_id(request_id, "Request", "requestId"),
            after=unset_to_none(after),
            wants_object=selects(info, "request"),
        )
        return query.map(RequestChange.of)

    @strawberry_subscription(description="A batch: its current state, READY, then each change.")
    def batch_changed(
        self,
        info: Info,
        batch_id: Annotated[strawberry.ID, strawberry.argument(description="The batch's id.")],
        after: AfterCursorOfOne = UNSET,
    ) -> AsyncIterable[BatchChange | None]:
        query = subscription_sources.batch_changed(
            info.context,
            argument_id(batch_id, "Batch", "batchId"),
            after=unset_to_none(after),
            wants_object=selects(info, "batch"),
        )
        return query.map(BatchChange.of)

    @strawberry_subscription(
        description="Job counts: now, then at an interval. All subscribers of an API process share "
        "each count."
    )
    def stats_changed(
        self,
        info: Info,
        every_ms: Annotated[
            Milliseconds,
            strawberry.argument(description="The time between messages, 500 ms to an hour."),
        ] = DEFAULT_EVERY,
    ) -> AsyncIterable[Stats | None]:
        return stats_query.stats_changed(info.context, every_ms).map(Stats.of)
