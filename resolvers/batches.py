"""Use cases of batches and their items: read, add, start, cancel; and batch statistics."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ostinato.jobs.functions import batch as functions
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.queue_warnings import SchedulingWarning, WarningCode
from ostinato.jobs.records import Batch, BatchState, Json
from ostinato.resolvers.context import RequestContext

_SECOND = timedelta(seconds=1)
NOTHING_TO_PROCESS = SchedulingWarning(
    code=WarningCode.NOTHING_TO_PROCESS,
    message="the source contains none of your documents: the batch ends immediately",
)


async def batch(ctx: RequestContext, batch_id: str) -> Batch:
    """Read a batch; raises NotFound."""
    return await ctx.find(Batch, batch_id)


async def batches(ctx: RequestContext, window: Window) -> Page[Batch]:
    """Read a page of the viewer's batches, newest first."""
    reads = ctx.engine.reads.within(ctx.read_budget)
    return await reads.find_page(Batch, ctx.scope, window)


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


async def start_batch(ctx: RequestContext, source: str, batch_size: int, delay_ms: int) -> Batch:
    """Start a pass over the viewer's documents of a source.

    Raises OwnerSuspended, and BadRequest for a source that is unknown, or that the viewer cannot
    use.
    """
    sources = ctx.engine.registry.batches
    known = [name for name, each in sources.items() if ctx.may_use(each)]
    await ctx.require_active()
    return await ctx.engine.transact(
        ctx.owner,
        lambda context: functions.start_batch(
            context, source=source, batch_size=batch_size, delay_ms=delay_ms, known=known
        ),
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
    return None if record.total is None else max(record.total - record.processed, 0)


def items_per_second(record: Batch, now: datetime) -> float | None:
    """Return the average rate from the start to the end or now; None before the first page."""
    elapsed = (record.completed_at or now) - record.created_at
    if record.processed == 0 or elapsed <= timedelta(0):
        return None
    return record.processed / (elapsed / _SECOND)


def estimated_end(record: Batch, now: datetime) -> datetime | None:
    """Return the estimated end of a running batch, from its average rate."""
    left, rate = remaining(record), items_per_second(record, now)
    if record.state is not BatchState.RUNNING or left is None or rate is None:
        return None
    return now + timedelta(milliseconds=round(left / rate * 1000))
