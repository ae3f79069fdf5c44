"""Inputs that select jobs and failures."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from ostinato.jobs import filters
from ostinato.jobs.filters import FailureState
from ostinato.jobs.records import CauseKind, JobState
from ostinato.schema.inputs.limits import (
    CauseId,
    Fingerprint,
    JobId,
    JobIds,
    Name,
    OwnerId,
    QueueName,
    Tags,
)


@strawberry.input(description="Conditions that jobs must match. Omitted fields match all jobs.")
class JobFilter:
    states: list[JobState] | None = strawberry.field(
        default=UNSET, description="Only jobs in one of these states."
    )
    function_name: Name | None = strawberry.field(
        default=UNSET, description="Only jobs of this function."
    )
    queue: QueueName | None = strawberry.field(
        default=UNSET, description="Only jobs in this queue."
    )
    internal: bool | None = strawberry.field(
        default=False,
        description="False: no internal jobs (ticks of crons and recurring tasks, timeouts). True: "
        "only internal jobs. Null: both.",
    )
    cause: CauseKind | None = strawberry.field(
        default=UNSET, description="Only jobs created by this kind of object."
    )
    cause_id: CauseId | None = strawberry.field(
        default=UNSET,
        description="Only jobs created by the object with this id: a cron, recurring task, batch, "
        "request, job or bulk action. `internal: null` includes its ticks, pages and timeouts.",
    )
    ids: JobIds | None = strawberry.field(
        default=UNSET, description="Only the jobs with these ids: 1 to 100."
    )
    root_id: JobId | None = strawberry.field(
        default=UNSET, description="Only the job with this id, and all jobs of its tree."
    )
    scheduled_from: datetime | None = strawberry.field(
        default=UNSET, description="Only jobs due at this time or later."
    )
    scheduled_to: datetime | None = strawberry.field(
        default=UNSET, description="Only jobs due before this time."
    )
    created_from: datetime | None = strawberry.field(
        default=UNSET, description="Only jobs created at this time or later."
    )
    created_to: datetime | None = strawberry.field(
        default=UNSET, description="Only jobs created before this time."
    )
    key: Name | None = strawberry.field(
        default=UNSET, description="Only the job with this idempotency key."
    )
    tags: Tags | None = strawberry.field(
        default=UNSET, description="Only jobs with all of these tags: at most 10."
    )
    owner: OwnerId | None = strawberry.field(
        default=UNSET,
        description="Only jobs of this user. FORBIDDEN for another user, unless you are an admin.",
    )

    def to_plain(self) -> filters.JobFilter:
        """Convert the validated filter for the use case."""
        return filters.JobFilter(
            states=None if self.states is None else tuple(dict.fromkeys(self.states)),
            function_name=self.function_name,
            queue=self.queue,
            internal=self.internal,
            cause_kind=self.cause,
            cause_id=self.cause_id,
            ids=None if self.ids is None else tuple(dict.fromkeys(self.ids)),
            root_id=self.root_id,
            scheduled_from=self.scheduled_from,
            scheduled_to=self.scheduled_to,
            created_from=self.created_from,
            created_to=self.created_to,
            key=self.key,
            tags=tuple(dict.fromkeys(self.tags or ())),
            owner=self.owner,
        )


@strawberry.input(
    description="Conditions that failures must match. Omitted fields match all open failures."
)
class FailureFilter:
    states: list[FailureState] | None = strawberry.field(
        default_factory=lambda: [FailureState.OPEN],
        description="Only failures in one of these states. Null: all failures.",
    )
    function_name: Name | None = strawberry.field(
        default=UNSET, description="Only failures of this function."
    )
    fingerprint: Fingerprint | None = strawberry.field(
        default=UNSET,
        description="Only failures with this fingerprint: 24 hexadecimal digits.",
    )
    failed_from: datetime | None = strawberry.field(
        default=UNSET, description="Only failures at this time or later."
    )
    failed_to: datetime | None = strawberry.field(
        default=UNSET, description="Only failures before this time."
    )
    owner: OwnerId | None = strawberry.field(
        default=UNSET,
        description="Only failures of this user. FORBIDDEN for another user, unless you are an "
        "admin.",
    )

    def to_plain(self) -> filters.FailureFilter:
        """Convert the validated filter for the use case."""
        return filters.FailureFilter(
            states=None if self.states is None else tuple(dict.fromkeys(self.states)),
            function_name=self.function_name,
            fingerprint=self.fingerprint,
            failed_from=self.failed_from,
            failed_to=self.failed_to,
            owner=self.owner,
        )
