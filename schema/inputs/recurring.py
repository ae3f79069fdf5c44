"""Inputs of the mutations about recurring tasks."""

from typing import cast

import strawberry
from strawberry import UNSET

from ostinato.jobs import records
from ostinato.resolvers.recurring import NewTask
from ostinato.schema.inputs.limits import Interval, JsonObject, Name


@strawberry.input(
    description="A recurring task to start. One that exists gets these values; one that runs "
    "already goes on as one loop."
)
class StartRecurringTaskInput:
    task_id: Name = strawberry.field(
        description="Your own name for it, unique among the viewer's tasks, 1 to 200 characters."
    )
    interval_ms: Interval = strawberry.field(
        description="Time from one round to the next: 1000 (a second) to 5 years."
    )
    function_name: Name = strawberry.field(
        default="tasks.runTask",
        description="The function to schedule at each round, out of those that `functions` marks "
        "as callable.",
    )
    args: JsonObject | None = strawberry.field(
        default=UNSET,
        description="The function's arguments, an object of at most 64 KiB; empty unless given.",
    )

    def to_plain(self) -> NewTask:
        """Translate the checked input."""
        return NewTask(
            task_id=self.task_id,
            interval_ms=self.interval_ms,
            function_name=self.function_name,
            args=cast("records.JsonObject", self.args or {}),
        )


@strawberry.input(description="Which recurring task.")
class TaskIdInput:
    task_id: Name = strawberry.field(description="The name that its owner gave it.")
