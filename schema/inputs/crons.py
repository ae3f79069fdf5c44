"""Inputs of the mutations and queries for crons."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, cast

import strawberry
from pydantic import Field
from strawberry import UNSET

from ostinato.jobs import records
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.exclusions import exclusion_issues, never_runs_issues
from ostinato.jobs.functions.new_cron import (
    NewCron,
    period_issues,
    schedule_issues,
    start_issues,
    with_default_name,
)
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.records import CatchUpPolicy, OverlapPolicy
from ostinato.jobs.schedules import parse_schedule
from ostinato.jobs.time_rules import FoldPolicy, GapPolicy
from ostinato.resolvers.crons import DEFAULT_RUNS, MAX_PREVIEW, Preview
from ostinato.schema.fields import unset_to_none
from ostinato.schema.inputs.calendars import ExclusionsInput, exclusions_of
from ostinato.schema.inputs.limits import (
    EXPECTED_VERSION,
    CatchUpWindow,
    CronId,
    Jitter,
    JsonObject,
    MaxFailures,
    MaxRuns,
    Name,
    Tags,
)
from ostinato.schema.scalars import Milliseconds

Count = Annotated[int, Field(ge=1, le=MAX_PREVIEW)]


@strawberry.input(
    description="The cron to register. Exactly one of `intervalMs` and `cronspec` is required."
)
class RegisterCronInput:
    name: Name = strawberry.field(
        description="The cron's name: unique among your crons, 1 to 200 characters."
    )
    interval_ms: Milliseconds | None = strawberry.field(
        default=UNSET,
        description="Tick at this interval: 1000 (a second) to 5 years.",
    )
    cronspec: str | None = strawberry.field(
        default=UNSET,
        description="Tick at these times: minute, hour, day of month, month and day of week, "
        "preceded by seconds if there are six fields; or a shortcut like `@daily`. Names, lists, "
        "ranges, steps and `L` are supported.",
    )
    tz: str = strawberry.field(
        default="UTC", description="The IANA time zone of `cronspec`, for example `Europe/Berlin`."
    )
    function_name: Name = strawberry.field(
        default="tasks.runTask",
        description="The function to run at each tick. `functions` lists the callable ones.",
    )
    args: JsonObject | None = strawberry.field(
        default=UNSET,
        description="The function's arguments: an object of at most 64 KiB; empty if omitted. "
        "For `tasks.runTask`, `name` defaults to the cron's name.",
    )
    overlap: OverlapPolicy = strawberry.field(
        default=OverlapPolicy.SKIP,
        description="What a tick does while the previous run has not ended.",
    )
    catch_up: CatchUpPolicy = strawberry.field(
        default=CatchUpPolicy.LATEST,
        description="What happens to ticks that no worker ran in time.",
    )

    jitter_ms: Jitter = strawberry.field(
        default=Milliseconds(0),
        description="The maximum delay of each run, to spread crons that tick at the same "
        "time: 0 to 86400000 (a day). The delay of a tick is deterministic.",
    )
    start_at: datetime | None = strawberry.field(
        default=UNSET, description="No ticks before this time. Intervals are counted from it."
    )
    end_at: datetime | None = strawberry.field(
        default=UNSET, description="No ticks at this time or later. The cron is then paused."
    )
    max_runs: MaxRuns | None = strawberry.field(
        default=UNSET,
        description="Pause the cron after so many of its ticks have run.",
    )
    catch_up_window_ms: CatchUpWindow | None = strawberry.field(
        default=UNSET,
        description="Ticks that are later than this are missed, whatever `catchUp` says: 15000 to "
        "31622400000 (366 days).",
    )
    pause_after_failures: MaxFailures | None = strawberry.field(
        default=UNSET,
        description="Pause the cron when so many runs in a row have failed: 1 to 100.",
    )
    tags: Tags | None = strawberry.field(
        default=UNSET,
        description="The tags of the jobs that it creates: at most 10, of 1 to 64 characters each.",
    )
    on_gap: GapPolicy = strawberry.field(
        default=GapPolicy.NEXT,
        description="What happens to fixed times that the clocks skip. A `cronspec` whose minute "
        "or hour begins with `*` has no fixed times: it follows the wall clock.",
    )
    on_fold: FoldPolicy = strawberry.field(
        default=FoldPolicy.FIRST,
        description="In which pass of fixed times that the clocks repeat it runs.",
    )
    exclusions: ExclusionsInput | None = strawberry.field(
        default=UNSET, description="The days on which it does not run; none if omitted."
    )

    @property
    def call(self) -> tuple[str, records.JsonObject] | None:
        args: object = unset_to_none(self.args) or {}
        if not isinstance(args, dict):
            return None
        return self.function_name, with_default_name(self.function_name, args, self.name)

    def issues(self) -> Iterator[Issue]:
        interval_ms, cronspec = unset_to_none(self.interval_ms), unset_to_none(self.cronspec)
        yield from schedule_issues(interval_ms, cronspec, self.tz)
        yield from period_issues(unset_to_none(self.start_at), unset_to_none(self.end_at))
        yield from exclusion_issues(exclusions_of(self.exclusions))

    def to_plain(self) -> NewCron:
        """Convert the validated input for the use case."""
        return NewCron(
            name=self.name,
            interval_ms=self.interval_ms,
            cronspec=self.cronspec,
            tz=self.tz,
            function_name=self.function_name,
            args=cast("records.JsonObject", self.args or {}),
            overlap=self.overlap,
            catch_up=self.catch_up,
            jitter_ms=self.jitter_ms,
            start_at=self.start_at,
            end_at=self.end_at,
            max_runs=self.max_runs,
            catch_up_window_ms=self.catch_up_window_ms,
            pause_after_failures=self.pause_after_failures,
            tags=tuple(dict.fromkeys(self.tags or ())),
            on_gap=self.on_gap,
            on_fold=self.on_fold,
            exclusions=exclusions_of(self.exclusions),
        )


@strawberry.input(description="The cron to change.")
class CronIdInput:
    cron_id: CronId = strawberry.field(description="The cron's id.")
    expected_version: int | None = strawberry.field(default=UNSET, description=EXPECTED_VERSION)


@strawberry.input(
    description="The schedule to preview. Exactly one of `intervalMs` and `cronspec` is required."
)
class PreviewCronInput:
    interval_ms: Milliseconds | None = strawberry.field(
        default=UNSET, description="Tick at this interval: 1000 (a second) to 5 years."
    )
    cronspec: str | None = strawberry.field(
        default=UNSET, description="Tick at these times, as in `registerCron`."
    )
    tz: str = strawberry.field(
        default="UTC", description="The IANA time zone of `cronspec`, for example `Europe/Berlin`."
    )
    count: Count = strawberry.field(
        default=DEFAULT_RUNS, description="The number of ticks, 1 to 1,000."
    )
    from_: datetime | None = strawberry.field(
        name="from", default=UNSET, description="Only ticks at this time or later; now if omitted."
    )
    on_gap: GapPolicy = strawberry.field(
        default=GapPolicy.NEXT, description="As in `registerCron`."
    )
    on_fold: FoldPolicy = strawberry.field(
        default=FoldPolicy.FIRST, description="As in `registerCron`."
    )
    exclusions: ExclusionsInput | None = strawberry.field(
        default=UNSET, description="As in `registerCron`."
    )

    def issues(self) -> Iterator[Issue]:
        interval_ms, cronspec = unset_to_none(self.interval_ms), unset_to_none(self.cronspec)
        yield from schedule_issues(interval_ms, cronspec, self.tz)
        yield from exclusion_issues(exclusions_of(self.exclusions))
        yield from start_issues("from", unset_to_none(self.from_))

    def to_plain(self) -> Preview:
        """Convert the validated input for the use case."""
        schedule = parse_schedule(
            self.interval_ms, self.cronspec, self.tz, self.on_gap, self.on_fold
        )
        exclusions = exclusions_of(self.exclusions)
        if issues := never_runs_issues(schedule, exclusions):
            raise BadRequest(issues[0].message, issues)
        return Preview(
            schedule=schedule, exclusions=exclusions, count=self.count, from_at=self.from_
        )


@strawberry.input(description="Conditions that crons must match. Omitted fields match all crons.")
class CronFilter:
    enabled: bool | None = strawberry.field(
        default=UNSET, description="True: only enabled crons. False: only paused crons."
    )
    function_name: Annotated[str | None, Field(max_length=MAX_NAME_CHARS)] = strawberry.field(
        default=UNSET, description="Only crons that run this function."
    )
