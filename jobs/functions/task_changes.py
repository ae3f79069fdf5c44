"""Changes of recurring tasks, also while they run: their interval, function and arguments."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ostinato.jobs.context import Context
from ostinato.jobs.documents import recurring_task_from
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.functions.job_chain import (
    cancel_if_active,
    require_rights,
    require_version,
)
from ostinato.jobs.functions.new_cron import with_default_name
from ostinato.jobs.functions.tasks import change_task, find_task, schedule_tick
from ostinato.jobs.malformed import read_as
from ostinato.jobs.quotas.transaction_checks import require_tick_room
from ostinato.jobs.records import IntervalSchedule, JsonObject, RecurringTask
from ostinato.jobs.schedules import parse_schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPatch:
    """What to change of a recurring task; None keeps a value."""

    interval_ms: int | None = None
    function_name: str | None = None
    args: JsonObject | None = None
    """All arguments; None keeps them, also for another function."""

    def given(self) -> dict[str, str | int]:
        """Return what is to be changed, without arguments, in the names of the API."""
        named = {"intervalMs": self.interval_ms, "functionName": self.function_name}
        return {name: value for name, value in named.items() if value is not None}


async def update_task(
    ctx: Context, task_config_id: str, patch: TaskPatch, expected_version: int | None = None
) -> RecurringTask:
    """Change a task; if it is running, a new interval counts from its last tick.

    Runs that exist keep their arguments. Equal values change nothing. Raises NotFound,
    VersionConflict, Malformed, BadRequest with an issue for each wrong field, QuotaExceeded,
    OwnerSuspended, and PreconditionFailed if its owner has lost the function's role.
    """
    found = await find_task(ctx, None, task_config_id)
    require_version(found, expected_version)
    task = read_as(recurring_task_from, found)
    settings = _new_settings(ctx, task, patch)
    changed = {name: value for name, value in settings.items() if found[name] != value}
    if not changed:
        return task
    if task.enabled:
        await require_rights(ctx, settings["functionName"])
    if task.enabled and "intervalMs" in changed:
        changed |= await _move_tick(ctx, found, settings["intervalMs"])
    return await change_task(ctx, found, changed)


def _new_settings(ctx: Context, task: RecurringTask, patch: TaskPatch) -> dict[str, Any]:
    if patch == TaskPatch():
        message = "send one or more of intervalMs, functionName and args"
        raise BadRequest.at("intervalMs", message=message, code="missing")
    name = task.function_name if patch.function_name is None else patch.function_name
    args = task.args if patch.args is None else with_default_name(name, patch.args, task.task_id)
    if patch.interval_ms is not None:
        parse_schedule(patch.interval_ms, None)
    if (name, args) != (task.function_name, task.args):
        args = ctx.registry.resolve(name).bind(args)
    interval_ms = task.interval_ms if patch.interval_ms is None else patch.interval_ms
    return {"functionName": name, "args": args, "intervalMs": interval_ms}


async def _move_tick(ctx: Context, found: dict[str, Any], interval_ms: int) -> dict[str, Any]:
    """Schedule the next tick job at a new interval after the last tick; return what to write.

    A task that has not run yet keeps its first tick.
    """
    await require_tick_room(ctx, IntervalSchedule(ms=interval_ms), found["_id"])
    await cancel_if_active(ctx, found["schedulerJobId"])
    due = found["nextRunTime"]
    has_ticked = found.get("lastTickTime", due) is not None  # older documents do not contain it
    if has_ticked:
        due += timedelta(milliseconds=interval_ms - found["intervalMs"])
    fields = {"intervalMs": interval_ms, "nextRunTime": due}
    return fields | {"schedulerJobId": await schedule_tick(ctx, {**found, **fields})}
