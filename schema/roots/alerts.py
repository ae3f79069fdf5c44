"""The root fields of alerts; the roots of the schema."""

from collections.abc import AsyncIterable
from typing import Annotated, TypeAlias

import strawberry
from strawberry import UNSET

from ostinato.jobs.alerts import AlertKind, AlertState
from ostinato.resolvers import alerts
from ostinato.resolvers.live import subscription_sources
from ostinato.resolvers.live.messages import SubscribeOptions
from ostinato.schema.fields import Info, strawberry_field, strawberry_subscription, unset_to_none
from ostinato.schema.inputs.limits import AlertId
from ostinato.schema.pagination import (
    After,
    Before,
    Connection,
    First,
    Last,
    PageRequest,
    connection_by_id,
)
from ostinato.schema.roots.admin_mutation import AdminMutation
from ostinato.schema.roots.cron_change_query import CronChangeQuery
from ostinato.schema.roots.mutation import Input
from ostinato.schema.roots.overview import OverviewSubscription
from ostinato.schema.roots.root_fields import run_use_case, selects, validate_argument
from ostinato.schema.roots.subscription import AfterCursor, Snapshot, SnapshotRows
from ostinato.schema.types.alert import Alert, AlertChange, AlertPayload


@strawberry.input(description="Conditions that alerts must match. Omitted fields match all alerts.")
class AlertFilter:
    states: list[AlertState] | None = strawberry.field(
        default=UNSET, description="Only alerts in one of these states."
    )
    kinds: list[AlertKind] | None = strawberry.field(
        default=UNSET, description="Only alerts of one of these kinds."
    )

    def to_plain(self) -> alerts.AlertFilter:
        """Convert the validated filter for the use case."""
        return alerts.AlertFilter(
            states=None if self.states is None else tuple(dict.fromkeys(self.states)),
            kinds=None if self.kinds is None else tuple(dict.fromkeys(self.kinds)),
        )


@strawberry.input(description="The alert to change.")
class AlertIdInput:
    alert_id: AlertId = strawberry.field(description="The alert's id.")


FilterAlerts: TypeAlias = Annotated[
    AlertFilter | None,
    strawberry.argument(
        name="filter", description="Conditions that alerts must match. If omitted, all alerts."
    ),
]


@strawberry.type(name="Query", description="Reads your own objects (all objects for admins).")
class AlertQuery(CronChangeQuery):
    @strawberry_field(
        description="Alerts about your crons and jobs, newest first. Admins see all alerts, also "
        "those about workers, queues and functions."
    )
    async def alerts(  # noqa: PLR0913 (a client names each argument)
        self,
        info: Info,
        filter_by: FilterAlerts = UNSET,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> Connection[Alert] | None:
        validated = validate_argument(info, unset_to_none(filter_by) or AlertFilter(), "filter")
        window = PageRequest(first=first, after=after, last=last, before=before).window()
        page = await alerts.alerts(info.context, validated.to_plain(), window)
        return connection_by_id(page, Alert.of)


@strawberry.type(
    name="Mutation",
    description="Changes objects. Every mutation returns the object that it changed.",
)
class AlertMutation(AdminMutation):
    @strawberry_field(
        description="Acknowledge an open alert: somebody takes care of it. It stays until it is "
        "resolved. PRECONDITION_FAILED in another state."
    )
    async def acknowledge_alert(
        self, info: Info, given: Input[AlertIdInput]
    ) -> AlertPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: alerts.acknowledge_alert(ctx, data.alert_id)
        )
        return AlertPayload.of(record)

    @strawberry_field(
        description="Resolve an alert before its reason has ended. While the reason lasts, no "
        "other alert opens for it. PRECONDITION_FAILED if it is resolved."
    )
    async def resolve_alert(self, info: Info, given: Input[AlertIdInput]) -> AlertPayload | None:
        record = await run_use_case(
            info, given, lambda ctx, data: alerts.resolve_alert(ctx, data.alert_id)
        )
        return AlertPayload.of(record)


@strawberry.type(
    name="Subscription",
    description="Live changes of your own objects (all objects for admins). Every change after "
    "READY is sent.",
)
class AlertSubscription(OverviewSubscription):
    @strawberry_subscription(
        description="Alerts about your crons and jobs, or all alerts for admins. LEFT reports one "
        "that is in none of the states."
    )
    def alerts_changed(
        self,
        info: Info,
        states: Annotated[
            list[AlertState] | None,
            strawberry.argument(
                description="Only alerts in one of these states. If omitted, in any."
            ),
        ] = UNSET,
        snapshot: Snapshot = False,
        first: SnapshotRows = UNSET,
        after: AfterCursor = UNSET,
    ) -> AsyncIterable[AlertChange | None]:
        options = SubscribeOptions(
            after=unset_to_none(after),
            snapshot=snapshot,
            first=unset_to_none(first),
            wants_object=selects(info, "alert"),
        )
        given = unset_to_none(states)
        chosen = None if given is None else tuple(dict.fromkeys(given))
        query = subscription_sources.alerts_changed(info.context, chosen, options)
        return query.map(AlertChange.of)
