"""Use cases of batches and their items: read, add, start, change; and batch statistics."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from math import ceil

from ostinato.jobs.functions import batch as functions
from ostinato.jobs.functions.batch import BatchPatch, NewBatch
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.queue_warnings import SchedulingWarning, WarningCode
from ostinato.jobs.records import Batch, BatchState, Json
from ostinato.resolvers.context import RequestContext, in_states

_SECOND = timedelta(seconds=1)
NOTHING_TO_PROCESS = SchedulingWarning(
    code=WarningCode.NOTHING_TO_PROCESS,
    message="the source contains none of your documents: the batch ends immediately",
)


async def batch(ctx: RequestContext, batch_id: str) -> Batch:
    """Read a batch; raises NotFound."""
    return await ctx.find(Batch, batch_id)


async def batches(
    ctx: RequestContext, window: Window, states: Collection[BatchState] | None = None
) -> Page[Batch]:
    """Read a page of the viewer's batches, newest first; of some states, if given."""
    reads = ctx.engine.reads.within(ctx.read_budget)
    return await reads.find_page(Batch, ctx.scope, window, **in_states(states))


async def add_items(ctx: RequestContext, items: Sequence[Json]) -> list[str]:
    """Store items of the viewer for batches over `items`; returns their ids in order.

    Raises BadRequest, QuotaExceeded and OwnerSuspended.
    """
    await ctx.require_active()
    with ctx.engine.quotas.reserve(ctx.owner) as reservation:
        await reservation.add_documents(functions.item_document(ctx.owner, one) for one in items)
        return await ctx.engine.transact(
            ctx.owner, lambda context: functions.add_items(context, items=items)
        )


async def start_batch(ctx: RequestContext, new: NewBatch) -> Batch:
    """Start a pass over the viewer's documents of a source.

    Raises OwnerSuspended, and BadRequest for a source that is unknown, or that the viewer cannot
    use.
    """
    sources = ctx.engine.registry.batches
    known = [name for name, each in sources.items() if ctx.may_use(each)]
    await ctx.require_active()
    return await ctx.engine.transact(
        ctx.owner, lambda context: functions.start_batch(context, new, known)
    )


async def update_batch(
    ctx: RequestContext, batch_id: str, patch: BatchPatch, expected_version: int | None
) -> Batch:
    """Change the page size, delay, rate or limit of a batch that has not ended.

    Raises NotFound, VersionConflict, BadRequest, and PreconditionFailed if it has ended.
    """
    return await ctx.transact_as_owner(
        Batch,
        batch_id,
        lambda context: functions.update_batch(context, batch_id, patch, expected_version),
    )


async def pause_batch(ctx: RequestContext, batch_id: str) -> Batch:
    """Pause a batch after its last complete page; raises NotFound and PreconditionFailed."""
    return await ctx.transact_as_owner(
        Batch, batch_id, lambda context: functions.pause_batch(context, batch_id)
    )


async def resume_batch(ctx: RequestContext, batch_id: str) -> Batch:
    """Resume a batch now; raises NotFound, OwnerSuspended and PreconditionFailed."""
    return await ctx.transact_as_owner(
        Batch, batch_id, lambda context: functions.resume_batch(context, batch_id)
    )


async def cancel_batch(ctx: RequestContext, batch_id: str) -> Batch:
    """Stop a batch after its current page.

    Raises NotFound, or PreconditionFailed if it has ended.
    """
    return await ctx.transact_as_owner(
        Batch, batch_id, lambda context: functions.cancel_batch(context, batch_id=batch_id)
    )


async def delete_batch(ctx: RequestContext, batch_id: str) -> Batch:
    """Delete an ended batch and return it.

    Raises NotFound, or PreconditionFailed if it has not ended.
    """
    return await ctx.transact_as_owner(
        Batch, batch_id, lambda context: functions.delete_batch(context, batch_id=batch_id)
    )


async def delete_items(ctx: RequestContext, item_ids: Sequence[str] | None) -> int:
    """Delete the viewer's own items with these ids, or 1,000 unprocessed ones; return their number.

    Ids that are unknown or of another owner are ignored.
    """
    return await ctx.engine.transact(
        ctx.owner, lambda context: functions.delete_items(context, item_ids)
    )


def remaining(record: Batch) -> int | None:
    """Return the number of unprocessed documents; None if the source does not count them."""
    if record.total is None:
        return None
    return max(record.total - record.processed - record.failed, 0)


def items_per_second(record: Batch, now: datetime) -> float | None:
    """Return the average rate from the start to the end or now; None before the first page."""
    elapsed = (record.completed_at or now) - record.created_at
    if record.processed == 0 or elapsed <= timedelta(0):
        return None
    return record.processed / (elapsed / _SECOND)


def estimated_end(record: Batch, now: datetime) -> datetime | None:
    """Return the estimated end of a running batch: its delays, and its pages at their pace."""
    left = remaining(record)
    if record.state is not BatchState.RUNNING or left is None:
        return None
    delays = timedelta(milliseconds=record.delay_ms) * max(ceil(left / record.batch_size) - 1, 0)
    if record.next_page_time is not None:
        busy_ms = record.busy_ms * left / record.processed if record.processed else 0
        return max(record.next_page_time, now) + delays + timedelta(milliseconds=round(busy_ms))
    rate = items_per_second(record, now)  # of a document of an older version
    if rate is None:
        return None
    return now + max(timedelta(milliseconds=round(left / rate * 1000)), delays)
