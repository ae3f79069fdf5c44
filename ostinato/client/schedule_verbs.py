"""The client's verbs for schedules: previews of their ticks, and calendars of excluded days."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TypedDict, Unpack

from ostinato.client.base_client import BaseClient, call
from ostinato.client.options import optional_instant, to_ms
from ostinato.jobs.errors import require_range
from ostinato.jobs.exclusions import NewCalendar
from ostinato.jobs.functions.new_cron import NewCron, validate_cron
from ostinato.jobs.planned_ticks import PlannedTick
from ostinato.jobs.time_rules import (
    NO_EXCLUSIONS,
    Calendar,
    DateRange,
    Exclusions,
    FoldPolicy,
    GapPolicy,
)
from ostinato.resolvers import calendars, crons
from ostinato.resolvers.context import ApplicationContext
from ostinato.resolvers.crons import DEFAULT_RUNS, MAX_PREVIEW, Preview


class TimeRules(TypedDict, total=False):
    """The options of a schedule for local time."""

    tz: str
    """IANA time zone of the cronspec and the exclusions. Default: UTC."""
    on_gap: GapPolicy
    """What happens to fixed times that the clocks skip. Default: NEXT, the first instant after."""
    on_fold: FoldPolicy
    """In which pass of fixed times that the clocks repeat it runs. Default: FIRST."""
    exclusions: Exclusions
    """The days on which it does not run. Default: none."""


class PreviewOptions(TimeRules, total=False):
    """The options of `preview`: `every` instead of a cronspec, and others."""

    every: timedelta
    count: int
    """The number of ticks, 1 to 1,000. Default: 5."""
    start: datetime
    """Only ticks at this time or later; aware. Default: now."""


class ScheduleVerbs(BaseClient):
    """Previews schedules, and reads and changes calendars."""

    async def preview(
        self, cronspec: str | None = None, **options: Unpack[PreviewOptions]
    ) -> list[datetime]:
        """Return when a schedule would run, if it started now or at `start`.

        Raises BadRequest, and PayloadTooLarge for too many rare dates.
        """
        return await call(crons.preview_cron(*await self._preview(cronspec, options)))

    async def preview_ticks(
        self, cronspec: str | None = None, **options: Unpack[PreviewOptions]
    ) -> list[PlannedTick]:
        """Return the ticks of a schedule as `preview` does, also those that do not run.

        Their notes are what clock changes and exclusions do to them. Raises like `preview`.
        """
        return await call(crons.preview_ticks(*await self._preview(cronspec, options)))

    async def calendars(
        self, *, first: int = calendars.MAX_CALENDARS, after: str = ""
    ) -> list[Calendar]:
        """Read 1 to 50 calendars with names after `after`, by name; raises BadRequest."""
        return await call(calendars.calendars(self.context(), first, after))

    async def create_calendar(
        self,
        name: str,
        dates: Iterable[date] = (),
        ranges: Iterable[DateRange] = (),
        description: str | None = None,
    ) -> Calendar:
        """Create a calendar of days that crons can exclude; raises BadRequest, and Conflict for a
        taken name."""
        new = _calendar(name, dates, ranges, description)
        return await self.mutate(
            "createCalendar",
            {"name": name},
            lambda context: calendars.create_calendar(context, new),
        )

    async def replace_calendar(
        self,
        name: str,
        dates: Iterable[date] = (),
        ranges: Iterable[DateRange] = (),
        description: str | None = None,
    ) -> Calendar:
        """Replace the days and the description of a calendar; raises BadRequest and NotFound."""
        new = _calendar(name, dates, ranges, description)
        return await self.mutate(
            "replaceCalendar",
            {"name": name},
            lambda context: calendars.replace_calendar(context, new),
        )

    async def delete_calendar(self, name: str) -> None:
        """Delete a calendar; raises NotFound, or PreconditionFailed if a cron excludes its days."""
        await self.mutate(
            "deleteCalendar",
            {"name": name},
            lambda context: calendars.delete_calendar(context, name),
        )

    async def _preview(
        self, cronspec: str | None, options: PreviewOptions
    ) -> tuple[ApplicationContext, Preview]:
        count, start = (
            options.get("count", DEFAULT_RUNS),
            optional_instant("start", options.get("start")),
        )
        require_range("count", count, 1, MAX_PREVIEW)
        context = self.context()
        await crons.check_cronspec(context, cronspec)
        every = options.get("every")
        new = NewCron(
            name="preview",
            interval_ms=None if every is None else to_ms(every),
            cronspec=cronspec,
            tz=options.get("tz", "UTC"),
            args={},
            start_at=start,
            on_gap=options.get("on_gap", GapPolicy.NEXT),
            on_fold=options.get("on_fold", FoldPolicy.FIRST),
            exclusions=options.get("exclusions", NO_EXCLUSIONS),
        )
        schedule = validate_cron(new)
        return context, Preview(
            schedule=schedule, exclusions=new.exclusions, count=count, from_at=start
        )


def _calendar(
    name: str, dates: Iterable[date], ranges: Iterable[DateRange], description: str | None
) -> NewCalendar:
    return NewCalendar(name=name, dates=tuple(dates), ranges=tuple(ranges), description=description)
