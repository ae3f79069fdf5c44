"""Job chains, in which each job schedules the next: crons, recurring tasks, batches, requests.

Every function runs in the caller's transaction.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.documents import Document
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.lifecycle import ACTIVE_STATES
from ostinato.jobs.records import JobState, PauseReason
from ostinato.jobs.retry import Retry
from ostinato.jobs.rights import describe_role_lost, find_pause_reason, owner_from, requires_role

TICK_HORIZON: Final = timedelta(
    days=4 * 365
)  # jobs are scheduled at most five years ahead; later ticks need intermediate ticks
REPAIR_AFTER: Final = timedelta(minutes=1)  # the delay before a failed job is replaced

CHAIN_RETRY: Final = Retry(retries=4, base_ms=500)
"""Retry policy of a chain's jobs: a chain must survive a temporary database error."""


async def find_active_jobs(ctx: Context, job_ids: Iterable[str]) -> list[str]:
    """Return the jobs that have not ended, in the given order."""
    wanted = list(job_ids)
    if not wanted:
        return []
    found = await ctx.db["jobs"].find(
        {"_id": {"$in": wanted}, "state": {"$in": sorted(ACTIVE_STATES)}}, {"_id": 1}
    )
    active = {document["_id"] for document in found}
    return [job_id for job_id in wanted if job_id in active]


async def is_active(ctx: Context, job_id: str | None) -> bool:
    """Return whether a job other than the running one has not ended."""
    if job_id is None or (ctx.running_job is not None and job_id == ctx.running_job.id):
        return False
    return bool(await find_active_jobs(ctx, [job_id]))


async def effective_now(ctx: Context) -> datetime:
    """Return scheduler time, or the running job's due time if the local clock lags."""
    now = await ctx.now()
    return max(now, ctx.running_job.scheduled_time) if ctx.running_job else now


async def read_pause_reason(ctx: Context, function_name: str) -> PauseReason | None:
    """Return why the owner's crons and tasks must not run a function; None if they may."""
    function = ctx.registry.get(function_name)
    if ctx.owner is None or function is None or not requires_role(function):
        return None
    stored = await ctx.db["owners"].find_one({"_id": ctx.owner})
    return find_pause_reason(function, owner_from(ctx.owner, stored))


async def require_rights(ctx: Context, function_name: str) -> None:
    """Raise PreconditionFailed if the owner has lost the role that a function requires."""
    function = ctx.registry.get(function_name)
    if function is not None and await read_pause_reason(ctx, function_name) is not None:
        lost = describe_role_lost(function, ctx.owner)
        raise PreconditionFailed(f"{lost}: first sign in as that user with the role")


async def repair_due_time(ctx: Context, job_id: str | None, due: datetime) -> datetime:
    """Return the due time of the replacement of a lost job; delayed if the job failed."""
    failed = {"_id": job_id, "state": JobState.FAILED.value}
    if job_id is not None and await ctx.db["jobs"].find_one(failed, {"_id": 1}):
        return max(due, await ctx.now() + REPAIR_AFTER)
    return due


async def update_document(
    ctx: Context, collection: str, found: Document, fields: Document
) -> dict[str, Any]:
    """Write fields of the chain's document and return the new one; `found` is the current one, as
    read in this transaction. A malformed version starts again."""
    version = found.get("version")
    written = {**fields, "version": version + 1 if isinstance(version, int | float) else 1}
    await ctx.db.internal_collection(collection).update_one(
        {"_id": found["_id"]}, {"$set": written}
    )
    return {**found, **written}


async def cancel_if_active(ctx: Context, job_id: str | None) -> None:
    """Cancel a job, unless it is None or malformed, is the running job, or has ended."""
    if type(job_id) is str and await is_active(ctx, job_id):  # bson.Code subclasses str
        await ctx.scheduler.cancel(job_id)
