"""Inputs of the mutations for recurring tasks."""

from typing import cast

import strawberry
from strawberry import UNSET

from ostinato.jobs import records
from ostinato.resolvers.recurring import NewTask
from ostinato.schema.inputs.limits import Interval, JsonObject, Name


@strawberry.input(
    description="The recurring task to start. If it exists, it is updated with these values; if "
    "it is already running, it remains a single loop."
)
class StartRecurringTaskInput:
    task_id: Name = strawberry.field(
        description="The task's id, chosen by you: unique among your tasks, 1 to 200 characters."
    )
    interval_ms: Interval = strawberry.field(
        description="The time between two rounds: 1000 (a second) to 5 years."
    )
    function_name: Name = strawberry.field(
        default="tasks.runTask",
        description="The function to run in each round. `functions` lists the callable ones.",
    )
    args: JsonObject | None = strawberry.field(
        default=UNSET,
        description="The function's arguments: an object of at most 64 KiB; empty if omitted.",
    )

    def to_plain(self) -> NewTask:
        """Convert the validated input for the use case."""
        return NewTask(
            task_id=self.task_id,
            interval_ms=self.interval_ms,
            function_name=self.function_name,
            args=cast("records.JsonObject", self.args or {}),
        )


@strawberry.input(description="The recurring task to stop.")
class TaskIdInput:
    task_id: Name = strawberry.field(description="The task's id, chosen by its owner.")
