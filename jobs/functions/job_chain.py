"""Job chains, in which each job schedules the next: crons, recurring tasks, batches, requests.

Every function runs in the caller's transaction.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.documents import Document
from ostinato.jobs.errors import VersionConflict
from ostinato.jobs.lifecycle import ACTIVE_STATES
from ostinato.jobs.records import JobState, PauseReason
from ostinato.jobs.retry import Retry
from ostinato.jobs.rights import (
    Owner,
    find_pause_reason,
    has_role_for,
    owner_from,
    owner_suspended,
    role_lost,
)

TICK_HORIZON: Final = timedelta(
    days=4 * 365
)  # jobs are scheduled at most five years ahead; later ticks need intermediate ticks
REPAIR_AFTER: Final = timedelta(minutes=1)  # the delay before a failed job is replaced

CHAIN_RETRY: Final = Retry(retries=4, base_ms=500)
MINUTE_MS: Final = 60_000
"""Retry policy of a chain's jobs: a chain must survive a temporary database error."""


async def is_active(ctx: Context, job_id: str | None) -> bool:
    """Return whether a job other than the running one has not ended."""
    if job_id is None or (ctx.running_job is not None and job_id == ctx.running_job.id):
        return False
    active = {"_id": job_id, "state": {"$in": sorted(ACTIVE_STATES)}}
    return await ctx.db.ostinato("jobs").find_one(active, {"_id": 1}) is not None


async def effective_now(ctx: Context) -> datetime:
    """Return scheduler time, or the running job's due time if the local clock lags."""
    now = await ctx.now()
    return max(now, ctx.running_job.scheduled_time) if ctx.running_job else now


async def read_pause_reason(ctx: Context, function_name: str) -> PauseReason | None:
    """Return why the owner's crons and tasks must not run a function; None if they may."""
    if ctx.owner is None:
        return None
    return find_pause_reason(ctx.registry.get(function_name), await read_owner(ctx))


async def require_rights(ctx: Context, function_name: str) -> None:
    """Raise OwnerSuspended, or PreconditionFailed if the owner has lost the function's role."""
    if ctx.owner is None:
        return
    owner, function = await read_owner(ctx), ctx.registry.get(function_name)
    if owner.is_suspended:
        raise owner_suspended(owner)
    if function is not None and not has_role_for(function, owner):
        raise role_lost(function, ctx.owner)


async def read_owner(ctx: Context, owner_id: str | None = None) -> Owner:
    """Return what is known of an owner: the context's own, unless another is given."""
    name = owner_id or ctx.owner or ""
    return owner_from(name, await ctx.db.ostinato("owners").find_one({"_id": name}))


async def repair_due_time(ctx: Context, job_id: str | None, due: datetime) -> datetime:
    """Return the due time of the replacement of a lost job; delayed if the job failed."""
    failed = {"_id": job_id, "state": JobState.FAILED.value}
    if job_id is not None and await ctx.db.ostinato("jobs").find_one(failed, {"_id": 1}):
        return max(due, await ctx.now() + REPAIR_AFTER)
    return due


def require_version(found: Document, expected: int | None) -> None:
    """Raise VersionConflict unless a document has the expected version, if one is given."""
    current = found.get("version")
    if expected is not None and current != expected:
        raise VersionConflict(expected, current if isinstance(current, int) else 0)


async def update_document(
    ctx: Context, collection: str, found: Document, fields: Document
) -> dict[str, Any]:
    """Write fields of the chain's document and return the new one; `found` is the current one, as
    read in this transaction. A malformed version starts again."""
    version = found.get("version")
    written = {**fields, "version": version + 1 if isinstance(version, int | float) else 1}
    if (state := fields.get("state")) not in (None, found.get("state")):
        written["stateChange"] = f"{found.get('state')} {state}"  # for filters of changes
    await ctx.db.internal_collection(collection).update_one(
        {"_id": found["_id"]}, {"$set": written}
    )
    return {**found, **written}


async def delete_document(ctx: Context, collection: str, found: Document) -> None:
    """Delete the chain's document, as read in this transaction; its jobs are kept."""
    documents, by_id = ctx.db.internal_collection(collection), {"_id": found["_id"]}
    # A delete event carries no fields: this update adds those of its route to the change stream.
    route = {"owner": found.get("owner"), "taskId": found.get("taskId")}
    await documents.update_one(by_id, {"$set": {"deleted": route}})
    await documents.delete_one(by_id)


async def cancel_if_active(ctx: Context, job_id: str | None) -> None:
    """Cancel a job, also one that this transaction scheduled, unless it is None or malformed, is
    the running job, or has ended."""
    is_running = ctx.running_job is not None and job_id == ctx.running_job.id
    if type(job_id) is str and not is_running:  # bson.Code subclasses str
        await ctx.scheduler.cancel(job_id)
