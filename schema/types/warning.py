"""What an answer warns of: it was accepted, and may not happen."""

from typing import Self

import strawberry

from jobs.waiting_reasons import Advice, WarningCode


@strawberry.type(
    name="Warning", description="Why something that was accepted does not happen for now."
)
class Caution:
    code: WarningCode = strawberry.field(description="A stable word for the reason.")
    message: str = strawberry.field(description="What does not happen, and what to do.")

    @classmethod
    def of(cls, advice: Advice) -> Self:
        return cls(code=advice.code, message=advice.message)
