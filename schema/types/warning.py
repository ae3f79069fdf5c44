"""The GraphQL type of a warning: something was accepted, but is not happening yet."""

from typing import Self

import strawberry

from ostinato.jobs import queue_warnings
from ostinato.jobs.queue_warnings import WarningCode


@strawberry.type(
    name="Warning", description="Why something that was accepted is not happening yet."
)
class SchedulingWarning:
    code: WarningCode = strawberry.field(description="A stable code for the reason.")
    message: str = strawberry.field(description="What is not happening, and what to do about it.")

    @classmethod
    def of(cls, warning: queue_warnings.SchedulingWarning) -> Self:
        return cls(code=warning.code, message=warning.message)
