"""Tools for a chain of jobs, each of which schedules the next: crons, loops, batches, requests.

All run in the caller's transaction.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from ostinato.jobs.context import Context
from ostinato.jobs.records import JobState
from ostinato.jobs.retry import Retry

MAX_HOP: Final = timedelta(
    days=4 * 365
)  # jobs can be five years ahead at most; later ones are reached in hops
REPAIR_AFTER: Final = timedelta(minutes=1)  # how often a job that has failed is retried

CHAIN_RETRY: Final = Retry(retries=4, base_ms=500)
"""How a step of a chain is retried: a chain must survive a temporary database error."""

_ACTIVE: Final = [JobState.PENDING.value, JobState.IN_PROGRESS.value]


async def find_active_jobs(ctx: Context, job_ids: Iterable[str]) -> list[str]:
    """Return which of the jobs have not ended, in the given order."""
    wanted = list(job_ids)
    if not wanted:
        return []
    found = await ctx.db["jobs"].find(
        {"_id": {"$in": wanted}, "state": {"$in": _ACTIVE}}, {"_id": 1}
    )
    active = {document["_id"] for document in found}
    return [job_id for job_id in wanted if job_id in active]


async def is_active(ctx: Context, job_id: str | None) -> bool:
    """Return whether a job other than the running one has not ended."""
    if job_id is None or (ctx.job is not None and job_id == ctx.job.id):
        return False
    return bool(await find_active_jobs(ctx, [job_id]))


async def effective_now(ctx: Context) -> datetime:
    """Return due time, but not before the running job's: the server has seen that pass."""
    now = await ctx.now()
    return max(now, ctx.job.scheduled_time) if ctx.job else now


async def repair_due_time(ctx: Context, job_id: str | None, due: datetime) -> datetime:
    """Return when to schedule a lost job again: later if it has failed."""
    failed = {"_id": job_id, "state": JobState.FAILED.value}
    if job_id is not None and await ctx.db["jobs"].find_one(failed, {"_id": 1}):
        return max(due, await ctx.now() + REPAIR_AFTER)
    return due


async def cancel_if_active(ctx: Context, job_id: str | None) -> None:
    """Cancel a job, unless it is None, is the running job, or has ended."""
    if await is_active(ctx, job_id):
        assert job_id is not None
        await ctx.scheduler.cancel(job_id)
