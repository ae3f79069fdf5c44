"""The root fields about all of the viewer's jobs together: their numbers and their activity."""

from collections.abc import AsyncIterable
from typing import Annotated, Final

import strawberry
from strawberry import UNSET

from ostinato.resolvers import overview
from ostinato.resolvers.live.activity_query import ActivityQuery
from ostinato.schema.fields import Info, strawberry_field, strawberry_subscription, unset_to_none
from ostinato.schema.roots.bulk_actions import BulkActionQuery, BulkActionSubscription
from ostinato.schema.scalars import Milliseconds
from ostinato.schema.types.activity import Activity, ActivityFunction, ReachRange
from ostinato.schema.types.job_totals import JobTotals

DEFAULT_ACTIVITY_EVERY: Final = Milliseconds(5_000)


@strawberry.type(name="Query", description="Reads your own objects (all objects for admins).")
class OverviewQuery(BulkActionQuery):
    @strawberry_field(
        description="The numbers of your jobs in each state (of all jobs for admins)."
    )
    async def job_totals(self, info: Info) -> JobTotals | None:
        return JobTotals.of(await overview.job_totals(info.context))

    @strawberry_field(
        description="What the attempts of your jobs did recently (of all jobs for admins): how "
        "many succeeded, failed or are retried, how long they ran, and how late they started."
    )
    async def activity(
        self, info: Info, reach: ReachRange, function_name: ActivityFunction = UNSET
    ) -> Activity | None:
        name = unset_to_none(function_name)
        return Activity.of(await overview.activity(info.context, reach, name))


@strawberry.type(
    name="Subscription",
    description="Live changes of your own objects (all objects for admins). Every change after "
    "READY is sent.",
)
class OverviewSubscription(BulkActionSubscription):
    @strawberry_subscription(
        description="The activity of your jobs (of all jobs for admins): first the whole series, "
        "then its newest points at an interval. All subscribers of an API process share each read."
    )
    def activity_changed(
        self,
        info: Info,
        reach: ReachRange,
        function_name: ActivityFunction = UNSET,
        every_ms: Annotated[
            Milliseconds,
            strawberry.argument(
                description="The time between messages, 1 second to an hour. Workers report every "
                "5 seconds."
            ),
        ] = DEFAULT_ACTIVITY_EVERY,
    ) -> AsyncIterable[Activity | None]:
        query = ActivityQuery(info.context, reach, unset_to_none(function_name), every_ms)
        return query.map(Activity.of_message)
