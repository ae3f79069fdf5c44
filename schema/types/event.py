"""The GraphQL type of an entry in a job's timeline."""

from datetime import datetime
from typing import Self

import strawberry

from ostinato.jobs import records
from ostinato.jobs.records import JobState
from ostinato.schema.types.error import JobError


@strawberry.type(description="One change of a job's state.")
class JobEvent:
    seq: int = strawberry.field(
        description="Its number in the timeline: starts at 1, without gaps."
    )
    at: datetime = strawberry.field(description="When it happened.")
    from_state: JobState | None = strawberry.field(
        name="from", description="The previous state; null for the event that created the job."
    )
    state: JobState = strawberry.field(description="The new state.")
    attempt: int = strawberry.field(
        description="How many times the job had been started at that point."
    )
    worker_id: str | None = strawberry.field(description="The worker that ran the attempt.")
    next_run_at: datetime | None = strawberry.field(
        description="When the job is due next, if this event made it pending."
    )
    error: JobError | None = strawberry.field(
        description="The exception that ended the attempt, if one did."
    )

    @classmethod
    def of(cls, record: records.JobEvent) -> Self:
        return cls(
            seq=record.seq,
            at=record.at,
            from_state=record.from_state,
            state=record.state,
            attempt=record.attempt,
            worker_id=record.worker_id,
            next_run_at=record.next_run_at,
            error=JobError.of_optional(record.error),
        )
