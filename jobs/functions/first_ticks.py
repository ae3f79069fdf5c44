"""Computes the first ticks of new and resumed crons, in the thread: a rare date takes a while."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from ostinato.jobs.async_tools.cpu_thread import collect_in_cpu_thread, run_in_cpu_thread
from ostinato.jobs.context import Context
from ostinato.jobs.documents import cron_from
from ostinato.jobs.due_ticks import Timetable, last_decided
from ostinato.jobs.errors import Malformed
from ostinato.jobs.functions.calendars import read_timetable
from ostinato.jobs.malformed import read_as
from ostinato.jobs.records import Cron


async def compute_first_tick(
    ctx: Context, table: Timetable, start_at: datetime | None, now: datetime
) -> dict[str, Any]:
    """Compute the fields for the first tick later than `now`."""
    return await run_in_cpu_thread(ctx.owner, partial(table.first_tick_fields, now, start_at))


async def compute_first_ticks(
    ctx: Context, found: Sequence[dict[str, Any]]
) -> list[dict[str, Any] | None]:
    """Compute the fields for the first tick of each cron from now, in few turns of the thread.

    `found` are their documents. The fields of a malformed one are None.
    """
    tables = [await _timetable_of(ctx, each) for each in found]
    ticks = map(partial(_first_tick, await ctx.now()), tables, found)
    return await collect_in_cpu_thread(ctx.owner, ticks)


async def _timetable_of(ctx: Context, found: dict[str, Any]) -> Timetable | None:
    try:
        return await read_timetable(ctx, read_as(cron_from, found))
    except Malformed:
        return None


def _first_tick(
    now: datetime, table: Timetable | None, found: dict[str, Any]
) -> dict[str, Any] | None:
    try:
        if table is None:
            return None
        after = after_decided(found, cron_from(found), now)
        return table.first_tick_fields(after, found.get("startAt"))
    except Exception:  # a malformed schedule can raise anything
        return None


def after_decided(found: dict[str, Any], cron: Cron, now: datetime) -> datetime:
    """Return the later of `now` and the last decided tick; the clock of this host may be behind."""
    return max(now, last_decided(cron, found.get("undecided")))
