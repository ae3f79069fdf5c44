"""How many jobs there are."""

from datetime import datetime
from typing import Self

import strawberry

from ostinato.resolvers import stats
from ostinato.resolvers.changes import Place


@strawberry.type(
    description="How many ordinary jobs there are, each number counted up to 1,000: the viewer's; "
    "for an admin, everybody's."
)
class Stats:
    place: strawberry.Private[Place]
    at: datetime = strawberry.field(description="When they were counted.")
    pending: int = strawberry.field(description="Jobs that wait, due or planned.")
    in_progress: int = strawberry.field(description="Jobs that run.")
    failed: int = strawberry.field(description="Jobs that failed for good and are kept.")

    @classmethod
    def of(cls, told: stats.Stats) -> Self:
        counts = told.counts
        return cls(
            place=told.place,
            at=counts.at,
            pending=counts.pending,
            in_progress=counts.in_progress,
            failed=counts.failed,
        )
