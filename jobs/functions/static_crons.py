"""Synchronizes the stored crons with the `@cron` declarations in code."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import TickReason
from ostinato.jobs.declarations import StaticCron
from ostinato.jobs.documents import cron_from, schedule_document
from ostinato.jobs.due_ticks import Timetable
from ostinato.jobs.errors import Malformed
from ostinato.jobs.functions.cron_ledger import settle_ticks
from ostinato.jobs.functions.cron_ticks import schedule_tick
from ostinato.jobs.functions.crons import change, insert_cron
from ostinato.jobs.functions.job_chain import cancel_if_active
from ostinato.jobs.functions.new_cron import STATIC, NewCron
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.time_rules import ExcludedDays, exclusions_document


async def sync_static_crons(ctx: Context, declared: Iterable[StaticCron]) -> None:
    """Add new crons, update changed ones, and disable those no longer declared.

    A cron paused by an admin stays paused. Crons that the application registers for the system are
    left alone, unless one of the same name is declared. `ctx.owner` must be None: static crons have
    no owner.
    """
    named = {"owner": None, "name": {"$type": "string"}}
    found = {one["name"]: one for one in await ctx.db.ostinato("crons").find(named)}
    for cron in declared:
        known = found.pop(cron.name, None)
        if known is not None and not _is_well_formed(known):
            tick = known.get("schedulerJobId")
            await cancel_if_active(ctx, tick if isinstance(tick, str) else None)
            # Nothing is lost: the cron is recreated from its declaration.
            await ctx.db.internal_collection("crons").delete_one({"_id": known["_id"]})
            known = None
        if known is None:
            await insert_cron(ctx, _definition_of(cron), cron.schedule, cron.args)
        elif _differs(known, cron):
            await _redeclare(ctx, known, cron)
        elif "managedBy" not in known:
            await change(ctx, known, {"managedBy": STATIC})
    # Crons stored by older versions have no `managedBy`: they count as declared.
    declared_before = [one for one in found.values() if one.get("managedBy", STATIC) == STATIC]
    for removed in filter(_is_well_formed, declared_before):
        if removed["enabled"] or not removed.get("retired"):
            await cancel_if_active(ctx, removed.get("schedulerJobId"))
            settled = await _settle(ctx, removed, await ctx.now())
            retired = {"enabled": False, "retired": True, "schedulerJobId": None}
            await change(ctx, removed, settled | retired)


def _is_well_formed(found: dict[str, Any]) -> bool:
    try:
        read_as(cron_from, found)
    except Malformed as error:
        report("crons", found["_id"], error)
        return False
    return True


def _definition_of(cron: StaticCron) -> NewCron:
    return NewCron(
        name=cron.name,
        function_name=cron.function_name,
        args=cron.args,
        tags=cron.tags,
        exclusions=cron.exclusions,
        managed_by=STATIC,
    )


def _differs(known: dict[str, Any], cron: StaticCron) -> bool:
    is_other = bool(known.get("retired")) or known.get("managedBy", STATIC) != STATIC
    stored = {"tags": [], "exclusions": {}, **known}  # older documents lack them
    return is_other or any(stored.get(name) != value for name, value in _fields(cron).items())


def _fields(cron: StaticCron) -> dict[str, Any]:
    return {
        "functionName": cron.function_name,
        "args": cron.args,
        "schedule": schedule_document(cron.schedule),
        "tags": list(cron.tags),
        "exclusions": exclusions_document(cron.exclusions),
    }


async def _redeclare(ctx: Context, known: dict[str, Any], cron: StaticCron) -> None:
    await cancel_if_active(ctx, known.get("schedulerJobId"))
    days = ExcludedDays.of(cron.exclusions).with_skipped(known.get("skippedTimes", ()))
    now = await ctx.now()
    first = Timetable(schedule=cron.schedule, own_exclusions=days).first_tick_fields(now)
    settled, due = await _settle(ctx, known, now), first["nextRunTime"]
    fields = {**settled, **_fields(cron), **first, "retired": False, "managedBy": STATIC}
    if known["enabled"] or known.get("retired"):
        tick = await schedule_tick(ctx, known["_id"], known["version"] + 1, due)
        fields |= {"enabled": True, "schedulerJobId": tick}
    await change(ctx, known, fields)


async def _settle(ctx: Context, known: dict[str, Any], until: datetime) -> dict[str, Any]:
    """Record the ticks up to now; those of a cron that was not declared were not planned."""
    if known.get("retired"):
        return {}
    return await settle_ticks(ctx, known, TickReason.CHANGED, drops_queue=False, until=until)
