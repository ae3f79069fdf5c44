"""Calendars: named lists of days that crons exclude. Admins keep them."""

from collections.abc import Mapping
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.due_ticks import Timetable
from ostinato.jobs.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from ostinato.jobs.exclusions import NewCalendar, calendar_issues
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.records import Cron
from ostinato.jobs.time_rules import (
    NO_DAYS,
    Calendar,
    ExcludedDays,
    Exclusions,
    calendar_from,
    range_document,
)

MAX_CALENDARS: Final = 500
NAMED_CRONS: Final = 5  # in the error of a calendar that is in use


async def create_calendar(ctx: Context, new: NewCalendar) -> Calendar:
    """Store a calendar; raises BadRequest, Conflict for a taken name, PreconditionFailed."""
    _require_valid(new)
    calendars = ctx.db.internal_collection("calendars")
    if await calendars.find_one({"_id": new.name}):
        raise Conflict(f"a calendar named {new.name!r} already exists: call replaceCalendar")
    if await calendars.count_documents({}) >= MAX_CALENDARS:
        raise PreconditionFailed(f"there are {MAX_CALENDARS} calendars, the maximum: delete some")
    now = await ctx.now()
    document = {"_id": new.name, **_days(new), "createdAt": now, "changedAt": now, "version": 1}
    await calendars.insert_one(document)
    return calendar_from(document)


async def replace_calendar(ctx: Context, new: NewCalendar) -> Calendar:
    """Replace the days and the description of a calendar; raises BadRequest and NotFound."""
    _require_valid(new)
    found = await _find(ctx, new.name)
    version = found.get("version")
    known = version if isinstance(version, int) else 0
    created_at = found.get("createdAt") or await ctx.now()
    fields = {
        **_days(new),
        "createdAt": created_at,
        "changedAt": await ctx.now(),
        "version": known + 1,
    }
    await ctx.db.internal_collection("calendars").update_one({"_id": new.name}, {"$set": fields})
    return calendar_from({**found, **fields})


async def delete_calendar(ctx: Context, name: str) -> None:
    """Delete a calendar; raises NotFound, and PreconditionFailed if a cron uses it."""
    await _find(ctx, name)
    users = {"exclusions.calendar": name}
    crons = await ctx.db.ostinato("crons").find(users, {"name": 1, "owner": 1}, limit=NAMED_CRONS)
    if crons:
        count = await ctx.db.ostinato("crons").count_documents(users)
        named = ", ".join(f"{cron.get('name')!r} of {_owner(cron)}" for cron in crons)
        more = f" and {count - len(crons):,} more" if count > len(crons) else ""
        raise PreconditionFailed(
            f"{count:,} cron{'s exclude' if count > 1 else ' excludes'} its days: {named}{more}; "
            "remove the calendar from their exclusions first, or empty it with replaceCalendar"
        )
    await ctx.db.internal_collection("calendars").delete_one({"_id": name})


async def require_calendar(ctx: Context, exclusions: Exclusions) -> None:
    """Raise BadRequest if the calendar of new exclusions does not exist.

    It cannot be deleted until this transaction ends, because this writes it.
    """
    if exclusions.calendar is None:
        return
    used, where = {"$set": {"usedAt": await ctx.now()}}, {"_id": exclusions.calendar}
    if not await ctx.db.internal_collection("calendars").update_one(where, used):
        raise unknown_calendar(exclusions.calendar)


def unknown_calendar(name: str) -> BadRequest:
    """Build the error for new exclusions whose calendar does not exist."""
    message = f"there is no calendar {name!r:.220}: `calendars` lists them"
    return BadRequest.at("exclusions", "calendar", message=message, code="unknown_calendar")


async def read_excluded_days(ctx: Context, exclusions: Exclusions) -> ExcludedDays:
    """Return the excluded days of a stored cron; a missing or malformed calendar has none."""
    if exclusions == Exclusions():
        return NO_DAYS
    found = None
    if exclusions.calendar is not None:
        found = await ctx.db.ostinato("calendars").find_one({"_id": exclusions.calendar})
    return ExcludedDays.of(exclusions, None if found is None else _read(found))


async def read_timetable(ctx: Context, cron: Cron) -> Timetable:
    """Return when the ticks of a stored cron are planned and when they run."""
    return Timetable.of(cron, await read_excluded_days(ctx, cron.exclusions))


def _read(found: Mapping[str, Any]) -> Calendar | None:
    try:
        return read_as(calendar_from, found)
    except Exception as error:  # a malformed document can raise anything
        report("calendars", found.get("_id"), error)
        return None


async def _find(ctx: Context, name: str) -> dict[str, Any]:
    found = await ctx.db.ostinato("calendars").find_one({"_id": name})
    if found is None:
        raise NotFound(f"there is no calendar {name!r}")
    return found


def _require_valid(new: NewCalendar) -> None:
    if issues := calendar_issues(new):
        raise BadRequest(issues[0].message, issues)


def _days(new: NewCalendar) -> dict[str, Any]:
    return {
        "dates": sorted({day.isoformat() for day in new.dates}),
        "ranges": [range_document(each) for each in new.ranges],
        "description": new.description,
    }


def _owner(cron: Mapping[str, Any]) -> str:
    owner = cron.get("owner")
    return "the system" if owner is None else repr(owner)
