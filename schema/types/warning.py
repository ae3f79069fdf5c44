"""What an answer warns of: something was accepted, and may not happen."""

from typing import Self

import strawberry

from ostinato.jobs import waiting_reasons
from ostinato.jobs.waiting_reasons import WarningCode


@strawberry.type(
    name="Warning", description="Why something that was accepted does not happen for now."
)
class SchedulingWarning:
    code: WarningCode = strawberry.field(description="A stable word for the reason.")
    message: str = strawberry.field(description="What does not happen, and what to do.")

    @classmethod
    def of(cls, warning: waiting_reasons.SchedulingWarning) -> Self:
        return cls(code=warning.code, message=warning.message)
