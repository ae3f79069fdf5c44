"""The GraphQL type of a recurring task."""

from datetime import datetime

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from ostinato.jobs import records
from ostinato.resolvers.functions import pause_warnings
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.pagination import After, Connection, First, PageRequest
from ostinato.schema.scalars import Milliseconds, SafeInt
from ostinato.schema.types.job import Job, SchedulingWarning, job_connection
from ostinato.schema.types.record_proxy import Node, NodeProxy


@strawberry.type(
    description="A recurring task: runs a function at an interval while it is enabled."
)
class RecurringTask(NodeProxy[records.RecurringTask], Node):
    task_id: str = strawberry.field(description="Its id, chosen by its owner; unique per owner.")
    function_name: str = strawberry.field(description="The function that runs at each tick.")
    interval_ms: Milliseconds = strawberry.field(description="The time between two ticks.")
    enabled: bool = strawberry.field(description="False after it has been stopped.")
    next_run_time: datetime | None = strawberry.field(
        description="The next tick; null while it is stopped."
    )
    run_count: SafeInt = strawberry.field(
        description="The number of runs that it has created since it was first started."
    )
    last_run_time: datetime | None = strawberry.field(
        description="When it created its last run; null before the first one."
    )
    last_lateness_ms: Milliseconds | None = strawberry.field(
        description="How long after its tick the last run was created. Ticks are planned from the "
        "scheduled times, so that lateness does not add up."
    )
    skipped_ticks: SafeInt = strawberry.field(
        description="The number of ticks that no worker ran in time. Of the "
        "ticks missed together, the newest one runs and is not counted."
    )
    owner: strawberry.ID | None = strawberry.field(
        description="The user who owns it; null for the system's tasks."
    )

    @strawberry_field(description="The function's arguments in each run.")
    def args(self) -> JSON:
        return JSON(self.record.args)

    @strawberry_field(
        description="Why Ostinato stopped it: its owner is suspended or has lost the function's "
        "role.",
        shared=True,
    )
    def warnings(self, info: Info) -> list[SchedulingWarning]:
        found = pause_warnings(info.context, self.record)
        return [SchedulingWarning.of(warning) for warning in found]

    @strawberry_field(description="The jobs that it created, newest first.", shared=True)
    async def runs(self, info: Info, first: First = UNSET, after: After = UNSET) -> Connection[Job]:
        window = PageRequest(info=info, first=first, after=after).window()
        return job_connection(await info.context.loaders.runs(self.record.id, window))
