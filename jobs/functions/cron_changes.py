"""Changes stored crons: their definitions, and the tick that runs next.

Each function runs in the caller's transaction, on behalf of the cron's owner. Ticks that are due
before a change run as they were planned; the change counts for those after it.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from ostinato.jobs.async_tools.cpu_thread import run_in_cpu_thread
from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import LedgerEntry, TickOutcome, TickReason
from ostinato.jobs.documents import cron_from
from ostinato.jobs.due_ticks import Timetable, last_decided, next_tick_fields
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.functions.calendars import (
    read_excluded_days,
    read_timetable,
    require_calendar,
)
from ostinato.jobs.functions.cron_checks import (
    find_cron,
    now_after_ticks,
    require_free_name,
    require_run_left,
    require_runnable,
    within_end,
)
from ostinato.jobs.functions.cron_ledger import record_ticks, settle_ticks
from ostinato.jobs.functions.cron_patch import (
    LIMIT_FIELDS,
    SCHEDULE_FIELDS,
    CronPatch,
    apply_patch,
    changed_fields,
    definition_document,
    first_tick_after_change,
)
from ostinato.jobs.functions.cron_ticks import schedule_start
from ostinato.jobs.functions.crons import change, execute_cron, pause_found, resume_cron
from ostinato.jobs.functions.job_chain import cancel_if_active, require_rights, update_document
from ostinato.jobs.functions.new_cron import STATIC, NewCron, validate_cron
from ostinato.jobs.passed_ticks import next_runnable
from ostinato.jobs.quotas.transaction_checks import require_tick_room
from ostinato.jobs.records import Cron

MAX_SKIPPED: Final = 100  # runs of a cron that are skipped ahead of time; its document stores them


async def update_cron(
    ctx: Context, cron_id: str, patch: CronPatch, expected_version: int | None = None
) -> Cron:
    """Change the given fields of a cron; an equal definition changes nothing.

    Raises NotFound, VersionConflict, BadRequest with an issue for each wrong field, Conflict for a
    taken name, OwnerSuspended, QuotaExceeded, and PreconditionFailed for a cron that is declared in
    code, for one without a run before its end, or if its owner has lost the function's role.
    """
    found = await find_cron(ctx, cron_id, expected_version)
    require_editable(found)
    return await redefine(ctx, found, apply_patch(cron_from(found), patch), patch.get("enabled"))


def require_editable(found: dict[str, Any]) -> None:
    """Raise PreconditionFailed for a cron that is declared in code."""
    if found.get("managedBy") == STATIC:
        raise PreconditionFailed(
            f"the cron {found['name']!r} is declared in code with @cron: change its declaration, "
            "and restart the workers"
        )


async def redefine(
    ctx: Context, found: dict[str, Any], new: NewCron, enabled: bool | None = None
) -> Cron:
    """Write another definition of a cron, and pause or resume it unless `enabled` is None.

    `found` is its document. Raises like `update_cron`.
    """
    schedule = validate_cron(new)
    args = ctx.registry.resolve(new.function_name).bind(new.args)
    changed = changed_fields(found, definition_document(new, schedule, args))
    if changed:
        if "exclusions" in changed:
            await require_calendar(ctx, new.exclusions)
        await require_rights(ctx, new.function_name)
        if "name" in changed:
            await require_free_name(ctx, new.name)
        found = await _run_due_ticks(ctx, found)
    if enabled is False and found["enabled"]:
        found = await pause_found(ctx, found, None)
    if changed:
        fields = await _reschedule(ctx, found, changed)
        found = await update_document(ctx, "crons", found, changed | fields)
    if enabled and not found["enabled"]:
        return await resume_cron(ctx, found["_id"])
    return cron_from(found)


async def skip_next_run(ctx: Context, cron_id: str, expected_version: int | None = None) -> Cron:
    """Skip the next tick of an enabled cron that runs, even if it is overdue.

    The tick stays skipped when the cron is paused, resumed or changed before its time. The cron
    ends if no tick is left before its end. Raises NotFound, VersionConflict, and PreconditionFailed
    for a paused cron, or if too many later ticks are skipped.
    """
    found = await find_cron(ctx, cron_id, expected_version)
    if not found["enabled"]:
        raise PreconditionFailed("the cron is paused, so it has no next run to skip")
    cron = cron_from(found)
    after = last_decided(cron, found.get("undecided"))
    times = _skipped_later(cron, min(after, await ctx.now()))
    plan = partial(_skip_next, cron, await read_timetable(ctx, cron), after)
    skipped, following = await run_in_cpu_thread(ctx.owner, plan)
    requested = LedgerEntry(outcome=TickOutcome.SKIPPED, first=skipped, reason=TickReason.REQUESTED)
    await cancel_if_active(ctx, cron.scheduler_job_id)
    ended = cron.end_at is not None and following >= cron.end_at
    fields = {
        **await record_ticks(ctx, found, [requested]),
        **next_tick_fields(following, after),
        "enabled": not ended,
        "schedulerJobId": None if ended else await schedule_start(ctx, cron, following),
        "skippedTimes": [*times, skipped],
    }
    return await change(ctx, found, fields)


def _skip_next(cron: Cron, table: Timetable, after: datetime) -> tuple[datetime, datetime]:
    """Return the first tick later than `after` that runs, and the next tick without it.

    The latter may be on an excluded day of the calendar, which is decided only when it is due.
    """
    skipped = next_runnable(cron.schedule, after, table.excluded)
    left = replace(cron, skipped_times=(*cron.skipped_times, skipped))
    return skipped, Timetable.of(left).next_tick(after)


def _skipped_later(cron: Cron, decided_until: datetime) -> list[datetime]:
    """Return the skipped ticks later than `decided_until`.

    Raises PreconditionFailed for MAX_SKIPPED or more.
    """
    later = [each for each in cron.skipped_times if each > decided_until]
    if len(later) >= MAX_SKIPPED:
        raise PreconditionFailed(
            f"{len(later):,} runs of the cron are skipped already: pause it, or set its exclusions"
        )
    return later


async def _run_due_ticks(ctx: Context, found: dict[str, Any]) -> dict[str, Any]:
    """Run the ticks that are due by the old definition, as their tick job would."""
    if not found["enabled"] or await now_after_ticks(ctx, found) < found["nextRunTime"]:
        return found
    await execute_cron(ctx, found["_id"])
    return await find_cron(ctx, found["_id"])


async def _reschedule(
    ctx: Context, found: dict[str, Any], changed: dict[str, Any]
) -> dict[str, Any]:
    """Plan the next tick of a changed cron, and replace its job; return the fields to write.

    A tick whose random delay has not passed is canceled if the schedule changes.
    """
    before, after = cron_from(found), cron_from(found | changed)
    fields: dict[str, Any] = {}
    if SCHEDULE_FIELDS & changed.keys():
        undecided, now = found.get("undecided"), await now_after_ticks(ctx, found)
        fields = await settle_ticks(ctx, found, TickReason.CHANGED, drops_queue=False, until=now)
        excluded = await read_excluded_days(ctx, after.exclusions)
        plan = partial(first_tick_after_change, before, undecided, after, now, excluded)
        first = next_tick_fields(*await run_in_cpu_thread(ctx.owner, plan))
        require_runnable(first)
        fields |= {**first, "decidedAt": now}
    elif not LIMIT_FIELDS & changed.keys():
        return {}
    if not before.enabled:
        return fields
    require_run_left(found | changed)
    due = within_end(fields.get("nextRunTime", before.next_run_time), after.end_at)
    await require_tick_room(ctx, after.schedule, replaced_id=after.id)
    await cancel_if_active(ctx, before.scheduler_job_id)
    return {**fields, "schedulerJobId": await schedule_start(ctx, after, due)}
