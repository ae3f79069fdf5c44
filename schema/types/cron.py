"""The GraphQL types of a cron and its schedule."""

from datetime import datetime
from typing import Annotated, Self, TypeAlias, assert_never

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from ostinato.jobs import planned_ticks, records
from ostinato.jobs.local_time import zone_of
from ostinato.jobs.planned_ticks import TickNote
from ostinato.jobs.records import CatchUpPolicy, OverlapPolicy, PauseReason
from ostinato.jobs.time_rules import FoldPolicy, GapPolicy
from ostinato.resolvers import cron_ticks, crons
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.pagination import After, Connection, First, PageRequest
from ostinato.schema.scalars import Milliseconds, SafeInt
from ostinato.schema.types.calendar import Exclusions
from ostinato.schema.types.cron_tick import CronHealth, CronTick, tick_connection
from ostinato.schema.types.job import Job, SchedulingWarning, job_connection
from ostinato.schema.types.record_proxy import Node, NodeProxy


@strawberry.type(description="A tick at a fixed interval after the previous tick.")
class IntervalSchedule:
    ms: Milliseconds = strawberry.field(description="The time between two ticks.")
    tz: str = strawberry.field(
        description="The IANA time zone in which the days of `exclusions` are meant."
    )


@strawberry.type(description="Ticks at the wall-clock times of a cron expression.")
class CronSchedule:
    cronspec: str = strawberry.field(
        description="Minute, hour, day of month, month and day of week, preceded by seconds if "
        "there are six fields; or a shortcut like `@daily`."
    )
    tz: str = strawberry.field(
        description="The IANA time zone of the cron expression, for example `Europe/Berlin`."
    )
    on_gap: GapPolicy = strawberry.field(
        description="What happens to fixed times that the clocks skip."
    )
    on_fold: FoldPolicy = strawberry.field(
        description="In which pass of fixed times that the clocks repeat it runs."
    )


@strawberry.type(description="One planned tick of a schedule.")
class PlannedTick:
    due_at: datetime = strawberry.field(
        description="When it runs or would run, in UTC. If it is SKIPPED, a millisecond before the "
        "clocks change."
    )
    local_time: str = strawberry.field(
        description="The same time in the schedule's time zone, with its offset: "
        "`2030-01-31T12:00:00+01:00`."
    )
    planned_time: str = strawberry.field(
        description="The local time that the schedule names, without an offset: "
        "`2030-01-31T12:00:00`. If the tick is MOVED or SKIPPED, this time does not exist on that "
        "day, and is the first such time of the gap."
    )
    note: TickNote | None = strawberry.field(
        description="What a clock change or an exclusion does to it; null for an ordinary tick."
    )
    will_run: bool = strawberry.field(description="False if its note is SKIPPED or EXCLUDED.")

    @classmethod
    def of(cls, tick: planned_ticks.PlannedTick, tz: str) -> Self:
        local = tick.due.astimezone(zone_of(tz))
        return cls(
            due_at=tick.due,
            local_time=local.isoformat(timespec="seconds"),
            planned_time=tick.local.isoformat(timespec="seconds"),
            note=tick.note,
            will_run=tick.runs,
        )


Schedule: TypeAlias = Annotated[
    IntervalSchedule | CronSchedule,
    strawberry.union("Schedule", description="The schedule of a cron."),
]


def schedule_of(record: records.Schedule) -> IntervalSchedule | CronSchedule:
    """Convert a schedule to its GraphQL type."""
    match record:
        case records.IntervalSchedule():
            return IntervalSchedule(ms=Milliseconds(record.ms), tz=record.tz)
        case records.CronSchedule():
            return CronSchedule(
                cronspec=record.cronspec,
                tz=record.tz,
                on_gap=record.on_gap,
                on_fold=record.on_fold,
            )
        case _:
            assert_never(record)


@strawberry.type(description="A cron: a named schedule that creates a job at each tick.")
class Cron(NodeProxy[records.Cron], Node):
    name: str = strawberry.field(description="Its name, unique per owner.")
    function_name: str = strawberry.field(description="The function that each tick runs.")
    enabled: bool = strawberry.field(description="False while the cron is paused.")
    last_run_time: datetime | None = strawberry.field(
        description="The latest tick that ran; null before the first tick."
    )
    overlap: OverlapPolicy = strawberry.field(
        description="What a tick does while the previous run has not ended."
    )
    catch_up: CatchUpPolicy = strawberry.field(
        description="What happens to ticks that no worker ran in time."
    )
    skipped_ticks: SafeInt = strawberry.field(
        description="The number of ticks that did not run because of `overlap` or `catchUp`, or "
        "because their job could not be created; not those of a pause. `health.counts` has each "
        "outcome."
    )
    jitter_ms: Milliseconds = strawberry.field(
        description="The maximum delay of each run. The delay of a tick is deterministic."
    )
    start_at: datetime | None = strawberry.field(description="No tick before this time.")
    end_at: datetime | None = strawberry.field(description="No tick at this time or later.")
    tags: list[str] = strawberry.field(description="The tags of the jobs that it creates.")
    max_runs: int | None = strawberry.field(
        description="The cron is paused after so many of its ticks have run."
    )
    catch_up_window_ms: Milliseconds | None = strawberry.field(
        description="Ticks that are later than this are missed, whatever `catchUp` says."
    )
    pause_after_failures: int | None = strawberry.field(
        description="The cron is paused when so many runs in a row have failed."
    )
    paused_because: PauseReason | None = strawberry.field(
        description="Why Ostinato paused it; null if it is enabled, or a user paused it."
    )
    managed_by: str | None = strawberry.field(
        description="The set of crons that contains it (`applyCrons`), or `@cron` if it is "
        "declared in code; null if it was registered alone."
    )

    @strawberry_field(
        description="The internal job that runs the next tick; null while the cron is paused."
    )
    def scheduler_job_id(self) -> strawberry.ID | None:
        job_id = self.record.scheduler_job_id
        return None if job_id is None else global_id("Job", job_id)

    @strawberry_field(description="The function's arguments at each tick.")
    def args(self) -> JSON:
        return JSON(self.record.args)

    @strawberry_field(description="Its schedule.")
    def schedule(self) -> Schedule:
        return schedule_of(self.record.schedule)

    @strawberry_field(description="The days on which it does not run.")
    def exclusions(self) -> Exclusions:
        return Exclusions.of(self.record.exclusions)

    @strawberry_field(
        description="When it runs next; for a paused cron, the run that was next when it was "
        "paused.",
        shared=True,
    )
    async def next_run_time(self, info: Info) -> datetime:
        return await crons.next_run_time(info.context, self.record)

    @strawberry_field(
        description="Its next ticks like `nextRuns`, also those that do not run, with what clock "
        "changes and exclusions do to them.",
        shared=True,
    )
    async def next_ticks(
        self,
        info: Info,
        count: Annotated[
            int | None, strawberry.argument(description="The number of ticks, 1 to 100.")
        ] = crons.DEFAULT_RUNS,
    ) -> list[PlannedTick]:
        limit = crons.DEFAULT_RUNS if count is None else count
        found = await crons.next_ticks(info.context, self.record, limit)
        return [PlannedTick.of(tick, self.record.schedule.tz) for tick in found]

    @strawberry_field(
        description="When it runs next, starting at `nextRunTime`; for a paused cron, the runs it "
        "would have if it were resumed now. Fewer than `count` if the schedule ends. "
        "PAYLOAD_TOO_LARGE if their dates are so rare that finding them takes too long.",
        shared=True,
    )
    async def next_runs(
        self,
        info: Info,
        count: Annotated[
            int | None, strawberry.argument(description="The number of ticks, 1 to 100.")
        ] = crons.DEFAULT_RUNS,
    ) -> list[datetime]:
        return await crons.next_runs(
            info.context, self.record, crons.DEFAULT_RUNS if count is None else count
        )

    @strawberry_field(
        description="Why its ticks create no job: its function does not exist any more, or "
        "Ostinato paused it because its owner is suspended or has lost the function's role. Or why "
        "they create jobs on excluded days: its calendar does not exist any more. Or why there is "
        "none: its exclusions leave no day.",
        shared=True,
    )
    async def warnings(self, info: Info) -> list[SchedulingWarning]:
        found = await crons.warnings_of(info.context, self.record)
        return [SchedulingWarning.of(warning) for warning in found]

    @strawberry_field(description="What became of its planned ticks, newest first.", shared=True)
    async def ticks(
        self, info: Info, first: First = UNSET, after: After = UNSET
    ) -> Connection[CronTick]:
        window = PageRequest(info=info, first=first, after=after).window()
        return tick_connection(await info.context.loaders.ticks(self.record.id, window))

    @strawberry_field(
        description="How it has done: the outcomes of its ticks and runs.", shared=True
    )
    async def health(self, info: Info) -> CronHealth:
        return CronHealth.of(await cron_ticks.cron_health(info.context, self.record))

    @strawberry_field(description="The jobs that it created, newest first.", shared=True)
    async def runs(self, info: Info, first: First = UNSET, after: After = UNSET) -> Connection[Job]:
        window = PageRequest(info=info, first=first, after=after).window()
        return job_connection(await info.context.loaders.runs(self.record.id, window))
