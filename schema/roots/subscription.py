"""The root of watching: each subscription follows the viewer's own objects as they change."""

from collections.abc import AsyncIterator
from typing import Annotated

import strawberry
from strawberry import UNSET

from ostinato.resolvers import stats
from ostinato.resolvers.live import subscriptions
from ostinato.resolvers.live.messages import SubscribeOptions
from ostinato.schema.context import Info
from ostinato.schema.fields import strawberry_subscription, unset_to_none
from ostinato.schema.ids import argument_id
from ostinato.schema.inputs.scheduling import JobFilter
from ostinato.schema.roots.use_case import amap, selects, validate_argument
from ostinato.schema.scalars import Cursor, Milliseconds
from ostinato.schema.types.changes import (
    BatchChange,
    CronChange,
    JobChange,
    RecurringTaskChange,
    RequestChange,
)
from ostinato.schema.types.system import Stats

DEFAULT_EVERY = Milliseconds(1_000)

AfterCursor = Annotated[
    Cursor | None,
    strawberry.argument(
        name="after",
        description="Go on behind this cursor: everything missed since then comes first. "
        "HISTORY_LOST if it is too old.",
    ),
]
AfterCursorOfOne = Annotated[
    Cursor | None,
    strawberry.argument(
        name="after",
        description="Go on behind this cursor: what was missed since then comes first, without a "
        "SNAPSHOT. It is never too old; that of the SNAPSHOT begins with a SNAPSHOT again.",
    ),
]
Snapshot = Annotated[
    bool,
    strawberry.argument(description="Begin with the objects that match now, newest first."),
]


@strawberry.type(
    description="What a viewer can watch: the viewer's own objects; an admin, all. READY tells "
    "when every further change will be sent."
)
class Subscription:
    @strawberry_subscription(
        description="One job: as it is, READY, then each event until you stop."
    )
    def job_changed(
        self,
        info: Info,
        job_id: Annotated[strawberry.ID, strawberry.argument(description="The job's id.")],
        after: AfterCursorOfOne = UNSET,
        from_seq: Annotated[
            int | None,
            strawberry.argument(description="Replay its timeline from this event on, 1 being all."),
        ] = UNSET,
    ) -> AsyncIterator[JobChange | None]:
        messages = subscriptions.job_changed(
            info.context,
            argument_id(job_id, "Job", "jobId"),
            after=unset_to_none(after),
            from_seq=unset_to_none(from_seq),
            wants_object=selects(info, "job"),
        )
        return amap(messages, JobChange.of)

    @strawberry_subscription(description="The jobs that match a filter.")
    def jobs_changed(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: Annotated[
            JobFilter | None,
            strawberry.argument(
                name="filter", description="Which jobs; all ordinary ones if not given."
            ),
        ] = UNSET,
        snapshot: Snapshot = False,
        first: Annotated[
            int | None,
            strawberry.argument(description="At most so many jobs in the snapshot, 1 to 1000."),
        ] = UNSET,
        coalesce: Annotated[
            bool,
            strawberry.argument(
                description="When you do not keep up: true skips to the newest state of each job, "
                "false closes the subscription, to be resumed by its cursor."
            ),
        ] = False,
        after: AfterCursor = UNSET,
    ) -> AsyncIterator[JobChange | None]:
        wanted = validate_argument(
            info, unset_to_none(filter_by) or JobFilter(), "filter"
        ).to_record()
        following = SubscribeOptions(
            after=unset_to_none(after),
            snapshot=snapshot,
            first=unset_to_none(first),
            coalesce=coalesce,
            wants_object=selects(info, "job"),
        )
        messages = subscriptions.jobs_changed(info.context, wanted, following)
        return amap(messages, JobChange.of)

    @strawberry_subscription(description="Every cron.")
    def crons_changed(
        self, info: Info, snapshot: Snapshot = False, after: AfterCursor = UNSET
    ) -> AsyncIterator[CronChange | None]:
        following = SubscribeOptions(
            after=unset_to_none(after), snapshot=snapshot, wants_object=selects(info, "cron")
        )
        messages = subscriptions.crons_changed(info.context, following)
        return amap(messages, CronChange.of)

    @strawberry_subscription(description="Every recurring task.")
    def recurring_tasks_changed(
        self, info: Info, snapshot: Snapshot = False, after: AfterCursor = UNSET
    ) -> AsyncIterator[RecurringTaskChange | None]:
        following = SubscribeOptions(
            after=unset_to_none(after),
            snapshot=snapshot,
            wants_object=selects(info, "recurringTask"),
        )
        messages = subscriptions.recurring_tasks_changed(info.context, following)
        return amap(messages, RecurringTaskChange.of)

    @strawberry_subscription(description="One request: as it is, READY, then each change.")
    def request_changed(
        self,
        info: Info,
        request_id: Annotated[strawberry.ID, strawberry.argument(description="The request's id.")],
        after: AfterCursorOfOne = UNSET,
    ) -> AsyncIterator[RequestChange | None]:
        messages = subscriptions.request_changed(
            info.context,
            argument_id(request_id, "Request", "requestId"),
            after=unset_to_none(after),
            wants_object=selects(info, "request"),
        )
        return amap(messages, RequestChange.of)

    @strawberry_subscription(description="One batch: as it is, READY, then each change.")
    def batch_changed(
        self,
        info: Info,
        batch_id: Annotated[strawberry.ID, strawberry.argument(description="The batch's id.")],
        after: AfterCursorOfOne = UNSET,
    ) -> AsyncIterator[BatchChange | None]:
        messages = subscriptions.batch_changed(
            info.context,
            argument_id(batch_id, "Batch", "batchId"),
            after=unset_to_none(after),
            wants_object=selects(info, "batch"),
        )
        return amap(messages, BatchChange.of)

    @strawberry_subscription(
        description="How many jobs there are: now, and then every so often. However many watch, "
        "an API process counts once."
    )
    def stats_changed(
        self,
        info: Info,
        every_ms: Annotated[
            Milliseconds,
            strawberry.argument(description="Time between messages, 500 ms to an hour."),
        ] = DEFAULT_EVERY,
    ) -> AsyncIterator[Stats | None]:
        return amap(stats.stats_changed(info.context, every_ms), Stats.of)
