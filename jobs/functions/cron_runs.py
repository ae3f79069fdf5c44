"""Runs of a cron outside its schedule, which a client asks for.

Each function runs in the caller's transaction, on behalf of the cron's owner.
"""

from typing import Any

from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import LedgerEntry, TickOrigin, TickOutcome
from ostinato.jobs.documents import cron_from
from ostinato.jobs.errors import BadRequest, PreconditionFailed
from ostinato.jobs.functions.cron_checks import find_cron
from ostinato.jobs.functions.cron_ledger import record_ticks
from ostinato.jobs.functions.cron_ticks import read_run_history
from ostinato.jobs.functions.crons import change
from ostinato.jobs.functions.job_chain import require_rights
from ostinato.jobs.records import Cause, CauseKind, Cron, OverlapPolicy
from ostinato.jobs.run_history import RunHistory


async def trigger_cron(
    ctx: Context, cron_id: str, key: str | None = None, expected_version: int | None = None
) -> tuple[Cron, str]:
    """Run a cron's function now, also if the cron is paused; return the cron and the job's id.

    The schedule does not change. Unless runs may overlap, later ticks wait for this run as for any
    other. With a `key`, a repeated call returns the job of the first one, while that is retained.
    Raises NotFound, VersionConflict, OwnerSuspended, QuotaExceeded, and PreconditionFailed if a run
    has not ended, or if the owner has lost the function's role.
    """
    tick = None if key is None else {"cronId": cron_id, "trigger": key}
    used = tick and await ctx.db.ostinato("jobs").find_one({"tick": tick}, {"_id": 1})
    found = await find_cron(ctx, cron_id, None if used else expected_version)
    cron = cron_from(found)
    if used:
        return cron, used["_id"]
    await require_rights(ctx, cron.function_name)
    history = await read_run_history(ctx, found)
    _require_no_run(cron, found, history)
    cause = Cause(kind=CauseKind.CRON, id=cron.id)
    options: dict[str, Any] = {"cause": cause, "tags": cron.tags}
    if tick is not None:
        options["tick"] = tick
    try:
        run = await ctx.scheduler.run_after(0, cron.function_name, cron.args, **options)
    except BadRequest as error:
        raise PreconditionFailed(str(error)) from error
    entry = LedgerEntry(
        outcome=TickOutcome.RAN,
        first=await ctx.now(),
        job_id=run,
        origin=TickOrigin.TRIGGER,
    )
    recorded = await record_ticks(ctx, found, [entry])
    runs = {"executions": [*history.tracked, run], "failuresInARow": history.failures}
    return await change(ctx, found, recorded | runs), run


def _require_no_run(cron: Cron, found: dict[str, Any], history: RunHistory) -> None:
    """Raise PreconditionFailed if a run has not ended, unless runs may overlap."""
    if cron.overlap is not OverlapPolicy.ALLOW and (history.active or found["queuedTicks"]):
        raise PreconditionFailed(
            f"a run of the cron has not ended, and its overlap is {cron.overlap.name}: wait for "
            "its end, or set overlap to ALLOW"
        )
