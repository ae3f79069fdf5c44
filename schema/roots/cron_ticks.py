"""The root fields about the ticks of crons."""

from collections.abc import AsyncIterable
from typing import Annotated

import strawberry
from strawberry import UNSET

from ostinato.resolvers import cron_ticks
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
from ostinato.schema.pagination import After, Before, Connection, First, Last, PageRequest
from ostinato.schema.roots.job_details import JobDetailsQuery, JobDetailsSubscription
from ostinato.schema.roots.root_fields import selects
from ostinato.schema.roots.subscription import AfterCursor, Snapshot
from ostinato.schema.types.changes import CronTickChange
from ostinato.schema.types.cron_tick import CronTick, tick_connection


@strawberry.type(name="Query", description="Reads your own objects (all objects for admins).")
class CronTicksQuery(JobDetailsQuery):
    @strawberry_field(
        description="What became of the planned ticks of a cron, newest first; also of a deleted "
        "one."
    )
    async def cron_ticks(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        cron_id: Annotated[strawberry.ID, strawberry.argument(description="The cron's id.")],
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[CronTick] | None:
        cron = argument_id(cron_id, "Cron", "cronId")
        window = PageRequest(info=info, first=first, after=after, last=last, before=before).window()
        return tick_connection(await cron_ticks.cron_ticks(info.context, cron, window))


@strawberry.type(
    name="Subscription",
    description="Live changes of your own objects (all objects for admins). Every change after "
    "READY is sent.",
)
class CronTicksSubscription(JobDetailsSubscription):
    @strawberry_subscription(
        description="What becomes of the planned ticks of crons, when it is decided."
    )
    def cron_ticks_changed(
        self,
        info: Info,
        cron_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The only cron to follow; all of them if omitted."),
        ] = UNSET,
        snapshot: Snapshot = False,
        after: AfterCursor = UNSET,
    ) -> AsyncIterable[CronTickChange | None]:
        given = unset_to_none(cron_id)
        options = SubscribeOptions(
            after=unset_to_none(after),
            snapshot=snapshot,
            wants_object=selects(info, "cronTick"),
            unread=unread_fields(info),
        )
        query = subscription_sources.cron_ticks_changed(
            info.context, None if given is None else argument_id(given, "Cron", "cronId"), options
        )
        return query.map(CronTickChange.of)
