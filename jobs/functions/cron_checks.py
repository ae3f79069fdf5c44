"""Finds stored crons that a client wants to change, and checks what must hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import tick_counts_from
from ostinato.jobs.documents import cron_from
from ostinato.jobs.errors import (
    Conflict,
    Malformed,
    NotFound,
    PreconditionFailed,
)
from ostinato.jobs.exclusions import never_runs
from ostinato.jobs.functions.job_chain import require_version
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.malformed import read_as
from ostinato.jobs.passed_ticks import is_never
from ostinato.jobs.records import Cron


async def find_cron(
    ctx: Context, cron_id: str, expected_version: int | None = None
) -> dict[str, Any]:
    """Read the document of a cron of the owner, to change it.

    Raises NotFound, Malformed, and VersionConflict unless it has the expected version, if given.
    """
    found = await ctx.db.ostinato("crons").find_one({"_id": cron_id, "owner": ctx.owner})
    if found is None:
        raise NotFound("there is no such cron")
    read_as(cron_from, found)
    require_version(found, expected_version)
    return {
        "queuedTicks": [],
        "backfillTicks": [],
        "skippedTicks": 0,
        "schedulerJobId": None,
        **found,
    }


async def now_after_ticks(ctx: Context, found: Mapping[str, Any]) -> datetime:
    """Return the later of scheduler time and the time at which the newest tick was decided.

    The clock of this host may be behind that of the host that decided it. `found` is the cron's
    document. A caller that plans the next tick stores the returned time in `decidedAt`.
    """
    now, decided_at = await ctx.now(), found.get("decidedAt")
    return max(now, decided_at) if isinstance(decided_at, datetime) else now


async def require_free_name(ctx: Context, name: str) -> None:
    """Raise Conflict if the owner has a cron with this name."""
    # A duplicate key would abort the transaction, so check first.
    if taken := await ctx.db.ostinato("crons").find_one({"owner": ctx.owner, "name": name}):
        raise Conflict(f"a cron named {name!r} already exists: {_remedy(taken)}")


def _remedy(taken: dict[str, Any]) -> str:
    try:
        read_as(cron_from, taken)
    except Malformed:
        return "it is malformed; choose another name, or ask the operator to delete it in MongoDB"
    return "delete it, or choose another name"


def require_runnable(first: Mapping[str, Any]) -> None:
    """Raise BadRequest if the exclusions leave no day for the first tick, given its fields."""
    if is_never(first["undecided"]["after"], first["nextRunTime"]):
        raise never_runs()


def within_end(due: datetime, end_at: datetime | None) -> datetime:
    """Return the next tick; raises PreconditionFailed unless it is before the end."""
    if end_at is not None and due >= end_at:
        raise PreconditionFailed(f"the cron has no run before its end at {format_instant(end_at)}")
    return due


def require_run_left(found: dict[str, Any]) -> None:
    """Raise PreconditionFailed if as many ticks of a cron have run as may run."""
    require_run_after(cron_from(found), tick_counts_from(found).ran)


def require_run_after(cron: Cron, ran: int) -> None:
    """Raise PreconditionFailed if no tick may run after `ran` of them."""
    if cron.max_runs is not None and ran >= cron.max_runs:
        raise PreconditionFailed(
            f"{ran:,} ticks of the cron have run, and maxRuns is {cron.max_runs:,}: raise maxRuns"
        )
