"""Recurring tasks: loops that go on while their `taskConfigs` row is enabled; and the demo task."""

from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import mutation
from ostinato.jobs.documents import recurring_task_from
from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.jobs.functions.errors import record_failure
from ostinato.jobs.functions.job_chain import (
    CHAIN_RETRY,
    cancel_if_active,
    effective_now,
    is_active,
    repair_due_time,
)
from ostinato.jobs.functions.new_cron import MAX_NAME_CHARS, with_default_name
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.misfire import resolve_misfires
from ostinato.jobs.records import (
    CatchUpPolicy,
    Cause,
    CauseKind,
    IntervalSchedule,
    Json,
    JsonObject,
    RecurringTask,
)
from ostinato.jobs.schedules import parse_schedule

LOOP: Final = "tasks.startRecurringTask"


@mutation(public=True)
async def run_task(ctx: Context, name: str) -> Json:
    """Write a line to the log: the function that crons and recurring tasks run by default."""
    ctx.log.info("task.run", name=name)
    return {"name": name, "ranAt": format_instant(await ctx.now())}


async def start_task(
    ctx: Context, *, task_id: str, interval_ms: int, function_name: str, args: JsonObject
) -> RecurringTask:
    """Start a loop that runs the function now and then at every interval.

    Starting what runs already with the same settings changes nothing; with others, the loop
    starts anew. Raises BadRequest naming each wrong field.
    """
    bound = _checked(ctx, task_id, interval_ms, function_name, args)
    found = await ctx.db["taskConfigs"].find_one({"owner": ctx.owner, "taskId": task_id})
    wanted = {"functionName": function_name, "args": bound, "intervalMs": interval_ms}
    if found and found["enabled"] and all(found[key] == value for key, value in wanted.items()):
        return recurring_task_from(found)
    if found:
        await cancel_if_active(ctx, found["schedulerJobId"])
        return await _change(ctx, found, await _beginning(ctx, found, wanted))
    new = {
        "_id": ctx.new_id(),
        "owner": ctx.owner,
        "taskId": task_id,
        "generation": 0,
        "version": 0,
    }
    document = {**new, **await _beginning(ctx, new, wanted), "version": 1}
    await ctx.db.internal_collection("taskConfigs").insert_one(document)
    return recurring_task_from(document)


async def stop_task(ctx: Context, task_id: str) -> RecurringTask:
    """End a loop and cancel its pending run; stopping a stopped one changes nothing.

    Raises NotFound.
    """
    found = await ctx.db["taskConfigs"].find_one({"owner": ctx.owner, "taskId": task_id})
    if found is None:
        raise NotFound("there is no recurring task with this taskId")
    if not found["enabled"]:
        return recurring_task_from(found)
    await cancel_if_active(ctx, found["schedulerJobId"])
    return await _change(
        ctx, found, {"enabled": False, "nextRunTime": None, "schedulerJobId": None}
    )


@mutation(internal=True, retry=CHAIN_RETRY)
async def start_recurring_task(
    ctx: Context, task_id: str, interval_ms: int, generation: int
) -> None:
    """Run the task's function in a job of its own and plan the next run of the loop.

    Does nothing if the task was stopped, or started anew, since this run was planned.
    """
    found = await ctx.db["taskConfigs"].find_one(
        {"owner": ctx.owner, "taskId": task_id, "generation": generation, "enabled": True}
    )
    if found is None or await is_active(ctx, found["schedulerJobId"]):
        return
    now = max(await effective_now(ctx), found["nextRunTime"])
    decided = resolve_misfires(
        IntervalSchedule(ms=interval_ms), found["nextRunTime"], now, CatchUpPolicy.LATEST
    )
    await _work(ctx, found)
    fields = {"nextRunTime": decided.next_run}
    await _change(ctx, found, fields | {"schedulerJobId": await _plan(ctx, {**found, **fields})})


async def repair_task(ctx: Context, task_config_id: str) -> bool:
    """Plan the next run of an enabled loop that has none; False if it needs no repair."""
    found = await ctx.db["taskConfigs"].find_one({"_id": task_config_id, "owner": ctx.owner})
    if found is None or not found["enabled"]:
        return False
    if await is_active(ctx, found["schedulerJobId"]):
        return False
    due = await repair_due_time(ctx, found["schedulerJobId"], found["nextRunTime"])
    fields = {"nextRunTime": due}
    await _change(ctx, found, fields | {"schedulerJobId": await _plan(ctx, {**found, **fields})})
    return True


async def _beginning(
    ctx: Context, config: dict[str, Any], wanted: dict[str, Any]
) -> dict[str, Any]:
    """Plan the first run of a new generation, due now; returns the fields to write."""
    fields = {
        **wanted,
        "enabled": True,
        "generation": config["generation"] + 1,
        "nextRunTime": await ctx.now(),
    }
    return fields | {"schedulerJobId": await _plan(ctx, {**config, **fields})}


async def _plan(ctx: Context, config: dict[str, Any]) -> str:
    return await ctx.scheduler.run_at(
        config["nextRunTime"],
        LOOP,
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


async def _work(ctx: Context, config: dict[str, Any]) -> None:
    """Schedule the work; a function that is gone leaves a failure and the loop goes on."""
    cause = Cause(kind=CauseKind.RECURRING, id=config["_id"])
    try:
        await ctx.scheduler.run_after(0, config["functionName"], config["args"], cause=cause)
    except BadRequest as error:
        await record_failure(ctx, config["functionName"], error, config["args"])


async def _change(ctx: Context, found: dict[str, Any], fields: dict[str, Any]) -> RecurringTask:
    await ctx.db.internal_collection("taskConfigs").update_one(
        {"_id": found["_id"]}, {"$set": fields, "$inc": {"version": 1}}
    )
    return recurring_task_from({**found, **fields, "version": found["version"] + 1})


def _checked(
    ctx: Context, task_id: str, interval_ms: int, function_name: str, args: JsonObject
) -> JsonObject:
    if not 1 <= len(task_id) <= MAX_NAME_CHARS:
        message = f"taskId must have 1 to {MAX_NAME_CHARS} characters, it has {len(task_id)}"
        raise BadRequest.at("taskId", message=message, code="length")
    parse_schedule(interval_ms, None)
    return ctx.registry.resolve(function_name).bind(with_default_name(function_name, args, task_id))
