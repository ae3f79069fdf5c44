"""Crons: registration, changes and ticks of schedules stored in MongoDB."""

from typing import Any

from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import TickReason
from ostinato.jobs.decorators import mutation
from ostinato.jobs.documents import cron_from
from ostinato.jobs.due_ticks import (
    TickDecision,
    Timetable,
    next_tick_fields,
)
from ostinato.jobs.errors import NotFound
from ostinato.jobs.functions.calendars import read_timetable, require_calendar
from ostinato.jobs.functions.cron_checks import (
    find_cron,
    now_after_ticks,
    require_free_name,
    require_run_left,
    require_runnable,
    within_end,
)
from ostinato.jobs.functions.cron_ledger import pause_reason, record_decision, settle_ticks
from ostinato.jobs.functions.cron_patch import definition_document
from ostinato.jobs.functions.cron_ticks import (
    EXECUTE_CRON,
    backfill_ticks,
    decide_due_ticks,
    read_reason_to_pause,
    read_run_history,
    schedule_release,
    schedule_start,
    schedule_tick,
    start_due_runs,
    used_up_fields,
)
from ostinato.jobs.functions.first_ticks import after_decided, compute_first_tick
from ostinato.jobs.functions.job_chain import (
    CHAIN_RETRY,
    MINUTE_MS,
    cancel_if_active,
    delete_document,
    effective_now,
    is_active,
    repair_due_time,
    require_rights,
    require_version,
    update_document,
)
from ostinato.jobs.functions.new_cron import STATIC, NewCron, validate_cron, with_default_name
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.quotas.transaction_checks import require_room, require_tick_room
from ostinato.jobs.records import Cron, JsonObject, PauseReason, Schedule
from ostinato.jobs.run_history import RELEASE_QUEUED
from ostinato.jobs.time_rules import ExcludedDays


async def register_cron(ctx: Context, new: NewCron) -> Cron:
    """Store a cron of the owner and schedule its first tick.

    Raises BadRequest with an issue for each wrong field, Conflict for a taken name, and
    QuotaExceeded. The function `tasks.runTask` gets the cron's name as its `name`, unless the
    arguments have one.
    """
    schedule = validate_cron(new)
    await require_calendar(ctx, new.exclusions)
    args = ctx.registry.resolve(new.function_name).bind(
        with_default_name(new.function_name, new.args, new.name)
    )
    await require_free_name(ctx, new.name)
    await require_room(ctx, QuotaKind.CRONS)
    await require_tick_room(ctx, schedule)
    return await insert_cron(ctx, new, schedule, args)


async def insert_cron(ctx: Context, new: NewCron, schedule: Schedule, args: JsonObject) -> Cron:
    """Store a validated cron and schedule its first tick job."""
    cron_id = ctx.new_id()
    definition = definition_document(new, schedule, args)
    table = Timetable(
        schedule=schedule,
        own_exclusions=ExcludedDays.of(new.exclusions),
        end_at=new.end_at,
        cron_id=cron_id,
        jitter_ms=new.jitter_ms,
    )
    now = await ctx.now()
    first = await compute_first_tick(ctx, table, definition["startAt"], now)
    if new.managed_by != STATIC:  # a deployment must start, also after the last day that is left
        require_runnable(first)
    due = within_end(first["nextRunTime"], definition["endAt"])
    document: dict[str, Any] = {
        "_id": cron_id,
        "owner": ctx.owner,
        **definition,
        "managedBy": new.managed_by,
        "enabled": True,
        **first,
        "decidedAt": now,
        "lastRunTime": None,
        "schedulerJobId": await schedule_tick(ctx, cron_id, 1, table.start_of(due)),
        "skippedTicks": 0,
        "executions": [],
        "queuedTicks": [],
        "backfillTicks": [],
        "version": 1,
    }
    await ctx.db.internal_collection("crons").insert_one(document)
    return cron_from(document)


async def pause_cron(ctx: Context, cron_id: str, expected_version: int | None = None) -> Cron:
    """Cancel the pending tick job, and drop queued ticks and what is left of a backfill; keep
    `nextRunTime`.

    Pausing a paused cron only drops its backfill. Raises NotFound and VersionConflict.
    """
    found = await find_cron(ctx, cron_id, expected_version)
    if found["enabled"]:
        return cron_from(await pause_found(ctx, found, None))
    if not backfill_ticks(found):
        return cron_from(found)
    await cancel_if_active(ctx, found.get("releaseJobId"))
    return await change(ctx, found, {"backfillTicks": [], "releaseJobId": None})


async def pause_found(
    ctx: Context, found: dict[str, Any], reason: PauseReason | None
) -> dict[str, Any]:
    """Disable a cron, even a malformed one, cancel its tick and drop its queued ticks.

    `found` is its document; returns the new one. `reason` is None for a client's own pause.
    """
    await _cancel_jobs(ctx, found)
    dropped, skipped = found.get("queuedTicks"), found.get("skippedTicks")
    fields: dict[str, Any] = {
        **await settle_ticks(ctx, found, pause_reason(reason)),
        "enabled": False,
        "schedulerJobId": None,
        "pausedBecause": reason and reason.value,
    }
    if isinstance(dropped, list) and isinstance(skipped, int):
        fields["skippedTicks"] = skipped + len(dropped)
    return await update_document(ctx, "crons", found, fields)


async def resume_cron(
    ctx: Context,
    cron_id: str,
    first_tick: dict[str, Any] | None = None,
    expected_version: int | None = None,
) -> Cron:
    """Resume the ticks of a paused cron; its next run is computed from the current time.

    `first_tick` are the fields that `compute_first_ticks` has returned, if any. Resuming an enabled
    cron changes nothing. Raises NotFound, VersionConflict, QuotaExceeded, OwnerSuspended, and
    PreconditionFailed after its end or if its owner has lost the function's role.
    """
    found = await find_cron(ctx, cron_id, expected_version)
    if found["enabled"]:
        return cron_from(found)
    cron = cron_from(found)
    await require_rights(ctx, cron.function_name)
    require_run_left(found)
    decided_at = await now_after_ticks(ctx, found)
    now = after_decided(found, cron, decided_at)
    if first_tick is None:
        table = await read_timetable(ctx, cron)
        first_tick = await compute_first_tick(ctx, table, cron.start_at, now)
    due = within_end(first_tick["nextRunTime"], cron.end_at)
    await require_tick_room(ctx, cron.schedule)
    tick = await schedule_start(ctx, cron, due)
    fields: dict[str, Any] = {
        **first_tick,
        "enabled": True,
        "schedulerJobId": tick,
        "pausedBecause": None,
        "decidedAt": decided_at,
    }
    if cron.pause_after_failures is not None:
        history = await read_run_history(ctx, found)
        fields |= {"executions": list(history.active), "failuresInARow": 0}
    planned_after = min(now, first_tick["undecided"]["after"])
    settled = await settle_ticks(
        ctx, found, TickReason.PAUSED, drops_queue=False, until=planned_after
    )
    return await change(ctx, found, settled | fields)


async def delete_cron(ctx: Context, cron_id: str, expected_version: int | None = None) -> None:
    """Delete a cron, even a malformed one, and cancel its pending tick job; its runs are kept.

    A context without an owner can delete the crons of all owners. Raises NotFound and
    VersionConflict.
    """
    owned = {} if ctx.owner is None else {"owner": ctx.owner}
    found = await ctx.db.ostinato("crons").find_one({"_id": cron_id, **owned})
    if found is None:
        raise NotFound("you have no cron with this id")
    require_version(found, expected_version)
    await _cancel_jobs(ctx, found)
    await settle_ticks(ctx, found, TickReason.DELETED)
    await delete_document(ctx, "crons", found)


@mutation(name=EXECUTE_CRON, internal=True, retry=CHAIN_RETRY)
async def execute_cron(ctx: Context, cron_id: str) -> None:
    """Schedule a run for each due tick that the policies allow, then the next tick job.

    Pauses the cron instead if its owner has lost the right to run the function.
    """
    found = await ctx.db.ostinato("crons").find_one({"_id": cron_id, "owner": ctx.owner})
    if found is None or not found["enabled"]:
        return
    cron, now = cron_from(found), await effective_now(ctx)
    table = await read_timetable(ctx, cron)
    decided = await decide_due_ticks(ctx, table, cron, found, now)
    if not decided.has_ticks:
        await _ensure_tick(ctx, cron, found, decided)
        return
    if await pause_if_needed(ctx, cron, found):
        return
    done = await start_due_runs(ctx, cron, found, decided.runs)
    used_up = used_up_fields(cron, found, done)
    ended = bool(used_up) or (cron.end_at is not None and decided.next_run >= cron.end_at)
    # If the sweeper replaced this tick job after it had failed, and it was then retried, the
    # replacement is still pending.
    await cancel_if_active(ctx, cron.scheduler_job_id)
    fields = {
        "enabled": not ended,
        **next_tick_fields(decided.next_run, decided.decided_until),
        "decidedAt": now,
        "schedulerJobId": None if ended else await schedule_start(ctx, cron, decided.next_run),
        **done.fields,
        "lastRunTime": now if done.started else cron.last_run_time,
        **await record_decision(ctx, found, cron, done, decided),
        **used_up,
    }
    if not await is_active(ctx, found.get("releaseJobId")):
        fields["releaseJobId"] = await schedule_release(ctx, cron, done.queued + done.backfill)
    await update_document(ctx, "crons", found, fields)


@mutation(name=RELEASE_QUEUED, internal=True, retry=CHAIN_RETRY, result_ttl_ms=MINUTE_MS)
async def release_queued(ctx: Context, cron_id: str) -> None:
    """Start the oldest queued tick, or the next of a backfill, if the previous run has ended."""
    found = await ctx.db.ostinato("crons").find_one({"_id": cron_id, "owner": ctx.owner})
    if found is None or not (found["queuedTicks"] or backfill_ticks(found)):
        return
    cron = cron_from(found)
    if await pause_if_needed(ctx, cron, found):
        return
    await cancel_if_active(ctx, found.get("releaseJobId"))  # a run has ended before it was due
    done = await start_due_runs(ctx, cron, found, [])
    used_up = used_up_fields(cron, found, done)
    if used_up:
        await cancel_if_active(ctx, cron.scheduler_job_id)
    await change(
        ctx,
        found,
        {
            **done.fields,
            **await record_decision(ctx, found, cron, done),
            "releaseJobId": await schedule_release(ctx, cron, done.queued + done.backfill),
            "lastRunTime": await effective_now(ctx) if done.started else cron.last_run_time,
            **used_up,
        },
    )


async def repair_cron(ctx: Context, cron_id: str) -> bool:
    """Schedule the missing tick job of an enabled cron; returns False if it has one."""
    found = await ctx.db.ostinato("crons").find_one({"_id": cron_id, "owner": ctx.owner})
    if found is None or not found["enabled"]:
        return False
    cron = cron_from(found)
    if await is_active(ctx, cron.scheduler_job_id):
        return False
    due = await repair_due_time(ctx, cron.scheduler_job_id, cron.next_run_time)
    tick = await schedule_tick(ctx, cron.id, cron.version + 1, due)
    await change(ctx, found, {"schedulerJobId": tick})
    return True


async def change(ctx: Context, found: dict[str, Any], fields: dict[str, Any]) -> Cron:
    """Write fields of a cron and return the new cron; `found` is its current document."""
    return cron_from(await update_document(ctx, "crons", found, fields))


async def pause_if_needed(ctx: Context, cron: Cron, found: dict[str, Any]) -> bool:
    """Pause a cron whose owner has lost the right to run its function, or whose runs have failed
    too often; return whether it is paused."""
    reason = await read_reason_to_pause(ctx, cron, found)
    if reason is None:
        return False
    ctx.log.warning("cron.paused", cron_id=cron.id, reason=reason.value)
    await pause_found(ctx, found, reason)
    return True


async def _ensure_tick(
    ctx: Context, cron: Cron, found: dict[str, Any], decided: TickDecision
) -> None:
    """Schedule a tick job for the cron's next tick, unless one is pending.

    If the stored time is no tick, because the rules of its time zone were changed, it moves.
    """
    is_moved = decided.next_run > cron.next_run_time
    if not is_moved and await is_active(ctx, cron.scheduler_job_id):
        return
    await cancel_if_active(ctx, cron.scheduler_job_id)
    next_run = max(decided.next_run, cron.next_run_time)
    ended = cron.end_at is not None and next_run >= cron.end_at
    fields: dict[str, Any] = {
        "enabled": not ended,
        "schedulerJobId": None if ended else await schedule_start(ctx, cron, next_run),
    }
    if is_moved:
        fields |= next_tick_fields(next_run, decided.decided_until)
    await change(ctx, found, fields)


async def _cancel_jobs(ctx: Context, found: dict[str, Any]) -> None:
    await cancel_if_active(ctx, found.get("schedulerJobId"))
    await cancel_if_active(ctx, found.get("releaseJobId"))
