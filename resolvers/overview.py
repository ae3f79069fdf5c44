"""Reads what concerns all of the viewer's own jobs, or all jobs for admins."""

from typing import Final

from ostinato.jobs.activity import Activity, ActivityRange
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.function_counters import MAX_FUNCTIONS, OTHER
from ostinato.jobs.job_totals import JobTotals
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.overview_reader import SeriesKey
from ostinato.jobs.registry import NAME_FORM
from ostinato.resolvers.context import RequestContext

MAX_AGE_S: Final = 1.0
FUNCTION_NAME: Final = "functionName"


async def activity(
    ctx: RequestContext, reach: ActivityRange, function_name: str | None = None
) -> Activity:
    """Read the series of a range, at most a second old; raises BadRequest at `functionName`."""
    return await ctx.engine.overview.read_activity(series_key(ctx, reach, function_name), MAX_AGE_S)


async def job_totals(ctx: RequestContext) -> JobTotals:
    """Count the jobs in each state, at most a second ago."""
    return await ctx.engine.overview.read_totals(ctx.scope, MAX_AGE_S)


def series_key(ctx: RequestContext, reach: ActivityRange, function_name: str | None) -> SeriesKey:
    """Return what a viewer's series shows; raises BadRequest at `functionName`."""
    owner = ctx.scope
    if function_name is not None:
        _require_counted(ctx, function_name, owner)
    return SeriesKey(reach=reach, function_name=function_name, owner=owner)


def _require_counted(ctx: RequestContext, name: str, owner: str | None) -> None:
    is_label = owner is None and name == OTHER
    if not is_label and not (len(name) <= MAX_NAME_CHARS and NAME_FORM.fullmatch(name)):
        message = f"{name!r:.200} is not the name of a function: write 'module.camelName'"
        raise BadRequest.at(FUNCTION_NAME, message=message, code="invalid_name")
    engine = ctx.engine
    if is_label or owner is not None or engine.registry.get(name) is None:
        return
    if engine.function_counters.label_of(name) == OTHER:
        message = (
            f"{name} is one of the functions beyond the first {MAX_FUNCTIONS:,}, which workers "
            f"count together: use {OTHER!r}"
        )
        raise BadRequest.at(FUNCTION_NAME, message=message, code="not_counted")
