"""Answers whether the job that carries a loop on is still there, in the caller's transaction."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from ostinato.jobs.context import Context
from ostinato.jobs.records import JobState
from ostinato.jobs.retry import Retry

MAX_HOP: Final = timedelta(days=4 * 365)  # jobs may lie five years ahead: a loop goes there in hops
REPAIR_AFTER: Final = timedelta(minutes=1)  # what failed for good is tried again at this pace

CHAIN_RETRY: Final = Retry(retries=4, base_ms=500)
"""How a step of a loop is retried: a loop must outlive a passing fault of the database."""

_ACTIVE: Final = [JobState.PENDING.value, JobState.IN_PROGRESS.value]


async def find_active_jobs(ctx: Context, job_ids: Iterable[str]) -> list[str]:
    """Find which of the jobs have not ended, in the order given."""
    wanted = list(job_ids)
    if not wanted:
        return []
    found = await ctx.db["jobs"].find(
        {"_id": {"$in": wanted}, "state": {"$in": _ACTIVE}}, {"_id": 1}
    )
    active = {document["_id"] for document in found}
    return [job_id for job_id in wanted if job_id in active]


async def is_active(ctx: Context, job_id: str | None) -> bool:
    """Tell whether a job that is not the running one will still do something."""
    if job_id is None or (ctx.job is not None and job_id == ctx.job.id):
        return False
    return bool(await find_active_jobs(ctx, [job_id]))


async def effective_now(ctx: Context) -> datetime:
    """Give due time, not before the running job's own: the server has seen that one pass."""
    now = await ctx.now()
    return max(now, ctx.job.scheduled_time) if ctx.job else now


async def repair_due_time(ctx: Context, job_id: str | None, due: datetime) -> datetime:
    """Decide when to try again after a loop's job was lost: later if it failed for good."""
    failed = {"_id": job_id, "state": JobState.FAILED.value}
    if job_id is not None and await ctx.db["jobs"].find_one(failed, {"_id": 1}):
        return max(due, await ctx.now() + REPAIR_AFTER)
    return due


async def cancel_if_active(ctx: Context, job_id: str | None) -> None:
    """Cancel a job, unless it is None, the running one, or has ended."""
    if await is_active(ctx, job_id):
        assert job_id is not None
        await ctx.scheduler.cancel(job_id)
