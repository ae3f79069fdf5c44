"""How far a running job has come, as its function reports it."""

from typing import Self

import strawberry

from ostinato.jobs import records
from ostinato.schema.scalars import SafeInt


@strawberry.type(description="How far a job has come, as its function reports it.")
class Progress:
    done: SafeInt = strawberry.field(description="How much is done, in the function's own unit.")
    total: SafeInt | None = strawberry.field(description="How much there is to do, if it is known.")
    message: str | None = strawberry.field(description="What the function is doing.")

    @classmethod
    def of_optional(cls, record: records.Progress | None) -> Self | None:
        if record is None:
            return None
        total = None if record.total is None else SafeInt(record.total)
        return cls(done=SafeInt(record.done), total=total, message=record.message)
