"""Use cases of calendars: everybody reads them, admins change them."""

from typing import Final

from ostinato.jobs.errors import BadRequest, require_range
from ostinato.jobs.exclusions import NewCalendar
from ostinato.jobs.functions import calendars as functions
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.time_rules import NO_DAYS, Calendar, ExcludedDays, Exclusions
from ostinato.resolvers.admin import require_admin
from ostinato.resolvers.context import RequestContext

MAX_CALENDARS: Final = 50  # per page: each may have 2,000 days
CHANGE: Final = "create, replace and delete calendars"


async def calendars(ctx: RequestContext, first: int, after: str) -> list[Calendar]:
    """Read up to `first` calendars with names after `after`, by name.

    Raises BadRequest for a `first` outside 1 to 50, or an `after` that is too long for a name.
    """
    ctx.require_viewer()
    require_range("first", first, 1, MAX_CALENDARS)
    if len(after) > MAX_NAME_CHARS:
        message = f"after must have at most {MAX_NAME_CHARS} characters, got {len(after)}"
        raise BadRequest.at("after", message=message, code="length")
    return await ctx.engine.reads.list_calendars(first, after)


async def create_calendar(ctx: RequestContext, new: NewCalendar) -> Calendar:
    """Create a calendar; raises BadRequest, and Conflict for a taken name."""
    require_admin(ctx, CHANGE)
    return await ctx.engine.transact(None, lambda context: functions.create_calendar(context, new))


async def replace_calendar(ctx: RequestContext, new: NewCalendar) -> Calendar:
    """Replace the days of a calendar; raises BadRequest and NotFound."""
    require_admin(ctx, CHANGE)
    return await ctx.engine.transact(None, lambda context: functions.replace_calendar(context, new))


async def delete_calendar(ctx: RequestContext, name: str) -> str:
    """Delete a calendar and return its name; raises NotFound, PreconditionFailed if it is used."""
    require_admin(ctx, CHANGE)
    await ctx.engine.transact(None, lambda context: functions.delete_calendar(context, name))
    return name


async def excluded_days(ctx: RequestContext, exclusions: Exclusions) -> ExcludedDays:
    """Return the days of stored exclusions; a calendar that does not exist has none."""
    name = exclusions.calendar
    calendar = None if name is None else await ctx.loaders.calendars.load(name)
    return ExcludedDays.of(exclusions, calendar) or NO_DAYS


async def require_calendar(ctx: RequestContext, exclusions: Exclusions) -> None:
    """Raise BadRequest if the calendar of new exclusions does not exist."""
    name = exclusions.calendar
    if name is not None and await ctx.loaders.calendars.load(name) is None:
        raise functions.unknown_calendar(name)
