"""Suspends and resumes an owner, and purges what belongs to one, slice by slice."""

from collections.abc import Awaitable
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import mutation
from ostinato.jobs.errors import OstinatoError, PreconditionFailed
from ostinato.jobs.functions.crons import pause_found, resume_cron
from ostinato.jobs.functions.first_ticks import compute_first_ticks
from ostinato.jobs.functions.job_chain import CHAIN_RETRY, read_owner, update_document
from ostinato.jobs.functions.tasks import pause_task, resume_task
from ostinato.jobs.records import JobState, PauseReason
from ostinato.jobs.rights import MAX_SUSPENDED, SUSPENSION_TTL_S, Owner, owner_from
from ostinato.jobs.settings import Settings

SLICE: Final = 50  # crons and tasks per transaction: each takes up to ten commands
PURGE_SLICE: Final = 500  # documents of a collection per transaction
PURGE_MARGIN_MS: Final = 5_000  # for the end of a request after its timeout
RUNNING_POLL_MS: Final = 1_000  # how often a purge checks for the end of running jobs
KEEP_STEPS_MS: Final = 60_000  # the steps of a purge are not part of the owner's history
PURGED_WITH_EVENT: Final = (
    *("crons", "taskConfigs", "batches", "requests", "failures", "bulkActions"),
)
"""Collections whose deletions subscribers receive: a delete event alone carries no owner."""
PURGED: Final = ("items", "cronTicks", "jobLogs", "alerts")


async def suspend(ctx: Context, by: str, reason: str | None) -> Owner:
    """Suspend the context's owner, and schedule the pausing of their crons and recurring tasks.

    Suspending a suspended owner replaces the reason. Raises PreconditionFailed if MAX_SUSPENDED
    owners are suspended.
    """
    found = await read_owner(ctx)
    if not found.is_suspended:
        await _require_room(ctx)
    await ctx.scheduler.run_after(0, pause_schedules)
    fields: dict[str, Any] = {"suspendedBy": by, "suspensionReason": reason}
    if not found.is_suspended:
        fields |= {"suspendedAt": await ctx.now(), "purgeRequestedAt": None, "purgedAt": None}
    return await _write(ctx, found, fields)


async def resume(ctx: Context) -> Owner:
    """End the suspension of the context's owner, and schedule the resumption of their schedules.

    Resuming an owner who is not suspended changes nothing. Raises PreconditionFailed during a
    purge.
    """
    found = await read_owner(ctx)
    if not found.is_suspended:
        return found
    if found.is_being_purged:
        raise PreconditionFailed(
            f"{found.id!r} is being purged: wait until `purgedAt` is set, then resume the owner"
        )
    await ctx.scheduler.run_after(0, resume_schedules)
    return await _write(ctx, found, {"suspendedAt": None})


async def request_purge(ctx: Context, owner_id: str) -> Owner:
    """Schedule the deletion of everything that a suspended owner has; may be repeated.

    The context has no owner: the steps of the purge must outlive it. Raises PreconditionFailed
    unless the owner is suspended.
    """
    found = await read_owner(ctx, owner_id)
    if not found.is_suspended:
        raise PreconditionFailed(
            f"{owner_id!r} is not suspended: suspend the owner first, so that no new work arrives "
            "during the purge"
        )
    await ctx.scheduler.run_after(purge_delay_ms(ctx.settings), purge, {"ownerId": owner_id})
    return await _write(ctx, found, {"purgeRequestedAt": await ctx.now(), "purgedAt": None})


def purge_delay_ms(settings: Settings) -> int:
    """Return the delay after which requests accepted before a suspension have ended.

    Another process may accept one until it notices the suspension.
    """
    return settings.request_timeout_ms + round(SUSPENSION_TTL_S * 1_000) + PURGE_MARGIN_MS


@mutation(internal=True, retry=CHAIN_RETRY)
async def pause_schedules(ctx: Context) -> None:
    """Pause some crons and recurring tasks of a suspended owner, and schedule the next slice."""
    if not (await read_owner(ctx)).is_suspended:
        return
    where = {"owner": ctx.owner, "enabled": True}
    crons = await ctx.db.ostinato("crons").find(where, limit=SLICE)
    for cron in crons:
        await pause_found(ctx, cron, PauseReason.OWNER_SUSPENDED)
    tasks = await ctx.db.ostinato("taskConfigs").find(where, limit=SLICE)
    for task in tasks:
        await pause_task(ctx, task, PauseReason.OWNER_SUSPENDED)
    if len(crons) == SLICE or len(tasks) == SLICE:
        await ctx.scheduler.run_after(0, pause_schedules)


@mutation(internal=True, retry=CHAIN_RETRY)
async def resume_schedules(ctx: Context) -> None:
    """Resume some crons and tasks that the suspension paused, and schedule the next slice."""
    if (await read_owner(ctx)).is_suspended:
        return
    where = {"owner": ctx.owner, "pausedBecause": PauseReason.OWNER_SUSPENDED.value}
    crons = await ctx.db.ostinato("crons").find(where, limit=SLICE)
    tasks = await ctx.db.ostinato("taskConfigs").find(where, limit=SLICE)
    for cron, tick in zip(crons, await compute_first_ticks(ctx, crons), strict=True):
        resuming = resume_cron(ctx, cron["_id"], tick)
        await _finish_resuming(ctx, "crons", cron, resuming)
    for task in tasks:
        await _finish_resuming(ctx, "taskConfigs", task, resume_task(ctx, task))
    if len(crons) == SLICE or len(tasks) == SLICE:
        await ctx.scheduler.run_after(0, resume_schedules)


@mutation(internal=True, retry=CHAIN_RETRY, result_ttl_ms=KEEP_STEPS_MS)
async def purge(ctx: Context, owner_id: str) -> None:
    """Delete some of what a suspended owner has, and schedule the next slice."""
    found = await read_owner(ctx, owner_id)
    if not found.is_suspended or not found.is_being_purged:
        return
    running = {"owner": owner_id, "state": JobState.IN_PROGRESS.value}
    still_running = await ctx.db.ostinato("jobs").find(running, {"_id": 1}, limit=SLICE)
    for job in still_running:
        await ctx.scheduler.cancel(job["_id"])
    if await _delete_slices(ctx, owner_id):
        await ctx.scheduler.run_after(0, purge, {"ownerId": owner_id})
    elif still_running:
        await ctx.scheduler.run_after(RUNNING_POLL_MS, purge, {"ownerId": owner_id})
    else:
        await _write(ctx, found, {"purgedAt": await ctx.now()})


async def _delete_slices(ctx: Context, owner_id: str) -> int:
    """Delete up to PURGE_SLICE documents of each collection, without running jobs."""
    owned = {"owner": owner_id}
    deleted = 0
    for name in (*PURGED_WITH_EVENT, *PURGED):
        deleted += await _delete_slice(ctx, name, owned)
    ended_or_pending = {**owned, "state": {"$ne": JobState.IN_PROGRESS.value}}
    return deleted + await _delete_slice(ctx, "jobs", ended_or_pending)


async def _delete_slice(ctx: Context, name: str, where: dict[str, Any]) -> int:
    collection = ctx.db.internal_collection(name) if name != "items" else ctx.db.ostinato(name)
    found = await collection.find(where, {"_id": 1}, limit=PURGE_SLICE)
    if not found:
        return 0
    these = {"_id": {"$in": [document["_id"] for document in found]}}
    if name in PURGED_WITH_EVENT:
        await collection.update_many(these, {"$set": {"deleted": {"owner": where["owner"]}}})
    return await collection.delete_many(these)


async def _finish_resuming(
    ctx: Context, collection: str, found: dict[str, Any], resuming: Awaitable[object]
) -> None:
    """Resume a cron or task; one that cannot be resumed stays paused, without the reason."""
    try:
        await resuming
    except OstinatoError as error:  # it has ended or is malformed, or a role or a quota is missing
        ctx.log.warning("schedule.not_resumed", document_id=found["_id"], reason=str(error))
        await update_document(ctx, collection, found, {"pausedBecause": None})


async def _require_room(ctx: Context) -> None:
    suspended = ctx.db.ostinato("owners").count_documents({"suspendedAt": {"$type": "date"}})
    if await suspended >= MAX_SUSPENDED:
        raise PreconditionFailed(
            f"{MAX_SUSPENDED:,} users are suspended, the maximum: resume some, or revoke the "
            "tokens of this user"
        )


async def _write(ctx: Context, found: Owner, fields: dict[str, Any]) -> Owner:
    where = {"_id": found.id}
    update = {"$set": fields, "$inc": {"version": 1}}
    collection = ctx.db.internal_collection("owners")
    await collection.update_one(where, update, upsert=True)
    return owner_from(found.id, await collection.find_one(where))
