"""The GraphQL type of job counts."""

from datetime import datetime
from typing import Self

import strawberry

from ostinato.resolvers import stats
from ostinato.resolvers.changes import Place


@strawberry.type(
    description="Job counts, without internal jobs. They cover your own jobs (all jobs for "
    "admins), and each is capped at 1,000."
)
class Stats:
    place: strawberry.Private[Place]
    at: datetime = strawberry.field(description="When they were counted.")
    pending: int = strawberry.field(description="The number of pending jobs, whether due or not.")
    in_progress: int = strawberry.field(description="The number of running jobs.")
    failed: int = strawberry.field(
        description="The number of jobs that failed on their last attempt and are retained."
    )

    @classmethod
    def of(cls, record: stats.Stats) -> Self:
        counts = record.counts
        return cls(
            place=record.place,
            at=counts.at,
            pending=counts.pending,
            in_progress=counts.in_progress,
            failed=counts.failed,
        )
