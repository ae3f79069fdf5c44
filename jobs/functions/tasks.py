"""Recurring tasks, which run while their `taskConfigs` document is enabled; the demo task."""

from datetime import timedelta
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import mutation
from ostinato.jobs.documents import recurring_task_from
from ostinato.jobs.due_ticks import Timetable, decide_ticks
from ostinato.jobs.errors import BadRequest, Malformed, NotFound, PreconditionFailed, QuotaExceeded
from ostinato.jobs.functions.failures import record_refusal
from ostinato.jobs.functions.job_chain import (
    CHAIN_RETRY,
    cancel_if_active,
    delete_document,
    effective_now,
    is_active,
    read_pause_reason,
    repair_due_time,
    require_rights,
    update_document,
)
from ostinato.jobs.functions.new_cron import with_default_name
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.malformed import read_as
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.quotas.transaction_checks import require_room, require_tick_room
from ostinato.jobs.records import (
    CatchUpPolicy,
    Cause,
    CauseKind,
    IntervalSchedule,
    Json,
    JsonObject,
    PauseReason,
    RecurringTask,
)
from ostinato.jobs.schedules import parse_schedule

EXECUTE_RECURRING_TASK: Final = "tasks.startRecurringTask"
STOPPED: Final = {"enabled": False, "nextRunTime": None, "schedulerJobId": None}


@mutation(public=True)
async def run_task(ctx: Context, name: str) -> Json:
    """Log a line; crons and recurring tasks run this function by default."""
    ctx.log.info("task.run", name=name)
    return {"name": name, "ranAt": format_instant(await ctx.now())}


async def start_task(
    ctx: Context, *, task_id: str, interval_ms: int, function_name: str, args: JsonObject
) -> RecurringTask:
    """Start a recurring task: its function runs now, and again after every interval.

    Starting a running task with the same settings changes nothing; with different settings, it
    restarts the task. Raises BadRequest with an issue for each wrong field, and QuotaExceeded.
    """
    bound = _validate(ctx, task_id, interval_ms, function_name, args)
    found = await ctx.db.ostinato("taskConfigs").find_one({"owner": ctx.owner, "taskId": task_id})
    settings = {"functionName": function_name, "args": bound, "intervalMs": interval_ms}
    if found and found["enabled"] and all(found[key] == value for key, value in settings.items()):
        return recurring_task_from(found)
    schedule = IntervalSchedule(ms=interval_ms)
    if found:
        await require_tick_room(ctx, schedule, found["_id"])
        await cancel_if_active(ctx, found["schedulerJobId"])
        return await change_task(ctx, found, await _start_generation(ctx, found, settings))
    await require_room(ctx, QuotaKind.RECURRING_TASKS)
    await require_tick_room(ctx, schedule)
    new = {
        "_id": ctx.new_id(),
        "owner": ctx.owner,
        "taskId": task_id,
        "generation": 0,
        "version": 0,
    }
    document = {**new, **await _start_generation(ctx, new, settings), "version": 1}
    await ctx.db.internal_collection("taskConfigs").insert_one(document)
    return recurring_task_from(document)


async def stop_task(
    ctx: Context, task_id: str | None = None, document_id: str | None = None
) -> RecurringTask | Malformed:
    """Stop a task and cancel its pending tick job; stopping a stopped task changes nothing.

    It is found by one of its ids. A context without an owner can stop the tasks of all
    owners. A malformed task is stopped, too, and its error is returned. Raises NotFound.
    """
    found = await find_task(ctx, task_id, document_id)
    if found.get("enabled") is not False:
        await cancel_if_active(ctx, found.get("schedulerJobId"))
        stopped = {**STOPPED, "stoppedAt": await ctx.now()}
        found = await update_document(ctx, "taskConfigs", found, stopped)
    try:
        return read_as(recurring_task_from, found)
    except Malformed as error:
        return error


async def delete_task(
    ctx: Context, task_id: str | None = None, document_id: str | None = None
) -> RecurringTask | Malformed:
    """Delete a stopped task, found by one of its ids, and return it; its jobs are kept.

    A malformed task is deleted, too, if it is stopped. Raises NotFound, and PreconditionFailed if
    it is running.
    """
    found = await find_task(ctx, task_id, document_id)
    if found.get("enabled") is not False:
        raise PreconditionFailed("the recurring task is running: stop it with stopRecurringTask")
    await delete_document(ctx, "taskConfigs", found)
    try:
        return read_as(recurring_task_from, found)
    except Malformed as error:
        return error


async def pause_task(ctx: Context, found: dict[str, Any], reason: PauseReason) -> None:
    """Stop a task, even a malformed one, for a reason; `found` is its document."""
    await cancel_if_active(ctx, found.get("schedulerJobId"))
    fields = {**STOPPED, "pausedBecause": reason.value}
    await update_document(ctx, "taskConfigs", found, fields)


async def resume_task(ctx: Context, found: dict[str, Any]) -> RecurringTask:
    """Start a task again that was stopped for a reason; its first tick is now.

    Raises OwnerSuspended, QuotaExceeded, Malformed, and PreconditionFailed if its owner has lost
    the function's role.
    """
    task = read_as(recurring_task_from, found)
    await require_rights(ctx, task.function_name)
    await require_tick_room(ctx, IntervalSchedule(ms=task.interval_ms), task.id)
    return await change_task(ctx, found, await _start_generation(ctx, found, {}))


@mutation(name=EXECUTE_RECURRING_TASK, internal=True, retry=CHAIN_RETRY)
async def execute_recurring_task(
    ctx: Context, task_id: str, interval_ms: int, generation: int
) -> None:
    """Schedule a run of the task's function, and the next tick job.

    Does nothing if the task was stopped or restarted since this job was scheduled. Stops the task
    instead if its owner has lost the right to run the function.
    """
    found = await ctx.db.ostinato("taskConfigs").find_one(
        {"owner": ctx.owner, "taskId": task_id, "generation": generation, "enabled": True}
    )
    if found is None or await is_active(ctx, found["schedulerJobId"]):
        return
    if (reason := await read_pause_reason(ctx, found["functionName"])) is not None:
        ctx.log.warning("recurring_task.stopped", task_config_id=found["_id"], reason=reason.value)
        await pause_task(ctx, found, reason)
        return
    now = max(await effective_now(ctx), found["nextRunTime"])
    table = Timetable(schedule=IntervalSchedule(ms=found["intervalMs"]))
    decided_until = found["nextRunTime"] - timedelta(milliseconds=found["intervalMs"])
    decided = decide_ticks(table, decided_until, now, CatchUpPolicy.LATEST)
    fields: dict[str, Any] = {
        "nextRunTime": decided.next_run,
        "lastTickTime": decided.decided_until,
        "skippedTicks": found.get("skippedTicks", 0) + decided.skipped,
    }
    if await _run_function(ctx, found):
        late = now - decided.decided_until
        fields["runCount"] = found.get("runCount", 0) + 1
        fields |= {"lastRunTime": now, "lastLatenessMs": late // timedelta(milliseconds=1)}
    await change_task(
        ctx, found, fields | {"schedulerJobId": await schedule_tick(ctx, {**found, **fields})}
    )


async def repair_task(ctx: Context, task_config_id: str) -> bool:
    """Schedule the missing tick job of an enabled task; returns False if it has one."""
    owned = {"_id": task_config_id, "owner": ctx.owner}
    found = await ctx.db.ostinato("taskConfigs").find_one(owned)
    if found is None or not found["enabled"]:
        return False
    if await is_active(ctx, found["schedulerJobId"]):
        return False
    due = await repair_due_time(ctx, found["schedulerJobId"], found["nextRunTime"])
    fields = {"nextRunTime": due}
    await change_task(
        ctx, found, fields | {"schedulerJobId": await schedule_tick(ctx, {**found, **fields})}
    )
    return True


async def find_task(ctx: Context, task_id: str | None, document_id: str | None) -> dict[str, Any]:
    """Read the owner's own task by its `task_id`, or one by the id of its document.

    Without an owner, that of any owner. Raises NotFound.
    """
    if task_id is not None:
        by_id = {"owner": ctx.owner, "taskId": task_id}
    else:
        by_id = {"_id": document_id} | ({} if ctx.owner is None else {"owner": ctx.owner})
    found = await ctx.db.ostinato("taskConfigs").find_one(by_id)
    if found is None:
        name = "id" if task_id is None else "taskId"
        raise NotFound(f"you have no recurring task with this {name}")
    return found


async def _start_generation(
    ctx: Context, config: dict[str, Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """Schedule the first tick job of a new generation, due now; return the fields to write."""
    fields = {
        **settings,
        "enabled": True,
        "pausedBecause": None,
        "stoppedAt": None,
        "generation": config["generation"] + 1,
        "nextRunTime": await ctx.now(),
        "lastTickTime": None,
    }
    return fields | {"schedulerJobId": await schedule_tick(ctx, {**config, **fields})}


async def schedule_tick(ctx: Context, config: dict[str, Any]) -> str:
    """Schedule the tick job of a task at its `nextRunTime`, and return its id."""
    return await ctx.scheduler.run_at(
        config["nextRunTime"],
        EXECUTE_RECURRING_TASK,
        {
            "taskId": config["taskId"],
            "intervalMs": config["intervalMs"],
            "generation": config["generation"],
        },
        cause=Cause(kind=CauseKind.RECURRING, id=config["_id"]),
        tick={
            "recurringTaskId": config["_id"],
            "generation": config["generation"],
            "version": config["version"] + 1,
            "due": config["nextRunTime"],
        },
    )


async def _run_function(ctx: Context, config: dict[str, Any]) -> bool:
    """Schedule a run; if that is not possible, record a failure and return False."""
    cause = Cause(kind=CauseKind.RECURRING, id=config["_id"])
    try:
        await ctx.scheduler.run_after(0, config["functionName"], config["args"], cause=cause)
    except (BadRequest, QuotaExceeded) as error:
        await record_refusal(ctx, config["_id"], config["functionName"], error, config["args"])
        return False
    return True


async def change_task(ctx: Context, found: dict[str, Any], fields: dict[str, Any]) -> RecurringTask:
    """Write fields of a task and return it; `found` is its document in this transaction."""
    return recurring_task_from(await update_document(ctx, "taskConfigs", found, fields))


def _validate(
    ctx: Context, task_id: str, interval_ms: int, function_name: str, args: JsonObject
) -> JsonObject:
    if not 1 <= len(task_id) <= MAX_NAME_CHARS:
        message = f"taskId must have 1 to {MAX_NAME_CHARS} characters, got {len(task_id)}"
        raise BadRequest.at("taskId", message=message, code="length")
    parse_schedule(interval_ms, None)
    return ctx.registry.resolve(function_name).bind(with_default_name(function_name, args, task_id))
