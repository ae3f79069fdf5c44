"""Inputs of the mutations and queries about crons."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, cast

import strawberry
from pydantic import Field
from strawberry import UNSET

from ostinato.jobs import records
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.functions.new_cron import MAX_NAME_CHARS, NewCron
from ostinato.jobs.records import CatchUpPolicy, OverlapPolicy
from ostinato.jobs.schedules import parse_schedule
from ostinato.schema.absent import present
from ostinato.schema.inputs.limits import CronId, Jitter, JsonObject, Name
from ostinato.schema.scalars import Milliseconds

MAX_PREVIEW = 100

Count = Annotated[int, Field(ge=1, le=MAX_PREVIEW)]


def schedule_issues(interval_ms: int | None, cronspec: str | None, tz: str) -> Iterator[Issue]:
    """Give what is wrong with a schedule: neither or both kinds, bad values."""
    try:
        parse_schedule(present(interval_ms), present(cronspec), tz)
    except BadRequest as error:
        yield from error.issues


@strawberry.input(
    description="A cron to register. Exactly one of `intervalMs` and `cronspec` is required."
)
class RegisterCronInput:
    name: Name = strawberry.field(
        description="Unique among the viewer's crons, 1 to 200 characters."
    )
    interval_ms: Milliseconds | None = strawberry.field(
        default=UNSET,
        description="Tick every so often: 1000 (a second) to 5 years.",
    )
    cronspec: str | None = strawberry.field(
        default=UNSET,
        description="Tick at these times: minute, hour, day of month, month, day of week, with "
        "seconds first if there are six fields; or `@daily` and the like. `L`, names, lists, "
        "ranges and steps are understood.",
    )
    tz: str = strawberry.field(
        default="UTC", description="The IANA time zone that `cronspec` is in, `Europe/Berlin`."
    )
    function_name: Name = strawberry.field(
        default="tasks.runTask",
        description="The function to schedule at each tick, out of those that `functions` marks "
        "as callable.",
    )
    args: JsonObject | None = strawberry.field(
        default=UNSET,
        description="The function's arguments, an object of at most 64 KiB; empty unless given. "
        "`tasks.runTask` gets the cron's `name` unless you give one.",
    )
    overlap: OverlapPolicy = strawberry.field(
        default=OverlapPolicy.SKIP,
        description="What a tick does while the previous execution still runs.",
    )
    catch_up: CatchUpPolicy = strawberry.field(
        default=CatchUpPolicy.LATEST,
        description="What happens to ticks that were missed while nothing ran.",
    )

    jitter_ms: Jitter = strawberry.field(
        default=Milliseconds(0),
        description="Each execution is late by up to this, always by the same for the same tick, "
        "so that crons of one time spread: 0 to 86400000 (a day).",
    )
    start_at: datetime | None = strawberry.field(
        default=UNSET, description="No tick before this time; an interval counts from it."
    )
    end_at: datetime | None = strawberry.field(
        default=UNSET, description="No tick at this time or later; then the cron is paused."
    )

    def issues(self) -> Iterator[Issue]:
        yield from schedule_issues(self.interval_ms, self.cronspec, self.tz)
        start_at, end_at = present(self.start_at), present(self.end_at)
        if start_at and end_at and end_at <= start_at:
            message = "endAt must be later than startAt"
            yield Issue(path=("endAt",), message=message, code="too_small")

    def to_plain(self) -> NewCron:
        """Translate the checked input."""
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
        )


@strawberry.input(description="Which cron.")
class CronIdInput:
    cron_id: CronId = strawberry.field(description="The cron's id.")


@strawberry.input(
    description="A schedule to try out. Exactly one of `intervalMs` and `cronspec` is required."
)
class PreviewCronInput:
    interval_ms: Milliseconds | None = strawberry.field(
        default=UNSET, description="A tick every so often: 1000 (a second) to 5 years."
    )
    cronspec: str | None = strawberry.field(
        default=UNSET, description="Ticks at these times; as in `registerCron`."
    )
    tz: str = strawberry.field(
        default="UTC", description="The IANA time zone that `cronspec` is in, `Europe/Berlin`."
    )
    count: Count = strawberry.field(default=5, description="How many ticks, 1 to 100.")

    def issues(self) -> Iterator[Issue]:
        return schedule_issues(self.interval_ms, self.cronspec, self.tz)


@strawberry.input(description="Which crons; what is not given does not restrict.")
class CronFilter:
    enabled: bool | None = strawberry.field(
        default=UNSET, description="Only those that run, or only those that are paused."
    )
    function_name: Annotated[str | None, Field(max_length=MAX_NAME_CHARS)] = strawberry.field(
        default=UNSET, description="Only those of this function."
    )
