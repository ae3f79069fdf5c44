"""The GraphQL type of a job's progress."""

from typing import Self

import strawberry

from ostinato.jobs import records
from ostinato.schema.scalars import SafeInt


@strawberry.type(description="The progress of a job, as reported by its function.")
class Progress:
    done: SafeInt = strawberry.field(description="How much is done, in the function's own unit.")
    total: SafeInt | None = strawberry.field(description="How much there is in total, if known.")
    message: str | None = strawberry.field(description="What the function is currently doing.")

    @classmethod
    def of_optional(cls, record: records.Progress | None) -> Self | None:
        if record is None:
            return None
        total = None if record.total is None else SafeInt(record.total)
        return cls(done=SafeInt(record.done), total=total, message=record.message)
