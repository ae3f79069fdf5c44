"""The GraphQL type of an alert, and of the messages about alerts."""

from datetime import datetime
from typing import Self

import strawberry

from ostinato.jobs import alerts
from ostinato.jobs.alerts import AlertKind, AlertState
from ostinato.resolvers.live.messages import LiveMessage
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.types.changes import MessageFields, fields_of
from ostinato.schema.types.cron import Cron
from ostinato.schema.types.job import Job
from ostinato.schema.types.record_proxy import Node, NodeProxy

OF_CRONS = (AlertKind.CRON_LATE, AlertKind.CRON_FAILING)


@strawberry.type(
    description="Something that needs attention. The API processes look for reasons, so they "
    "notice when no worker runs. At most one is unresolved for each kind and subject; it is "
    "resolved when its reason has ended."
)
class Alert(NodeProxy[alerts.Alert], Node):
    kind: AlertKind = strawberry.field(description="What is wrong.")
    state: AlertState = strawberry.field(description="Its state.")
    message: str = strawberry.field(description="What is wrong, and what to do.")
    opened_at: datetime = strawberry.field(description="When it was opened.")
    acknowledged_at: datetime | None = strawberry.field(description="When it was acknowledged.")
    resolved_at: datetime | None = strawberry.field(description="When it was resolved.")
    acknowledged_by: str | None = strawberry.field(description="The user who acknowledged it.")
    resolved_by: str | None = strawberry.field(
        description="The user who resolved it; null if its reason has ended."
    )
    owner: strawberry.ID | None = strawberry.field(
        description="The owner of its cron or job; null if only admins see it."
    )

    @strawberry_field(description="The queue without a worker; null for other kinds.")
    def queue(self) -> str | None:
        return self._subject_if(AlertKind.QUEUE_NOT_SERVED)

    @strawberry_field(description="The function whose jobs fail; null for other kinds.")
    def function_name(self) -> str | None:
        return self._subject_if(AlertKind.FUNCTION_FAILING)

    @strawberry_field(
        description="The cron that is late or fails; null for other kinds, and after its deletion.",
        shared=True,
    )
    async def cron(self, info: Info) -> Cron | None:
        found = await info.context.loaders.crons.load(self._subject_if(*OF_CRONS))
        return None if found is None else Cron.of(found)

    @strawberry_field(
        description="The job that runs too long; null for other kinds, and after its deletion.",
        shared=True,
    )
    async def job(self, info: Info) -> Job | None:
        found = await info.context.loaders.jobs.load(self._subject_if(AlertKind.JOB_STUCK))
        return None if found is None else Job.of(found)

    def _subject_if(self, *kinds: AlertKind) -> str | None:
        return self.record.subject if self.record.kind in kinds else None


@strawberry.type(description="A message about an alert.")
class AlertChange(MessageFields):
    alert_id: strawberry.ID | None = strawberry.field(
        description="The id of the alert; null in READY, CHECKPOINT and RESET."
    )
    alert: Alert | None = strawberry.field(
        description="The current state of the alert; null in READY, CHECKPOINT and RESET."
    )

    @classmethod
    def of(cls, message: LiveMessage[alerts.Alert]) -> Self:
        return cls(
            **fields_of(message),
            alert_id=None if message.id is None else global_id("Alert", message.id),
            alert=Alert.of_optional(message.record),
        )


@strawberry.type(description="The alert that a mutation changed.")
class AlertPayload:
    alert_id: strawberry.ID = strawberry.field(description="The alert's id.")
    alert: Alert = strawberry.field(description="The current state of the alert.")

    @classmethod
    def of(cls, record: alerts.Alert) -> Self:
        alert = Alert.of(record)
        return cls(alert_id=alert.id, alert=alert)
