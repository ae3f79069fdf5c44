"""The pages of batches: each commits with its cursor; one that keeps failing is split.

Parts of a failing page get smaller until an item that may be the cause is alone. It gets a job of
its own, whose failure is that of the item, and the batch continues after it.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.documents import batch_from
from ostinato.jobs.functions.job_chain import (
    CHAIN_RETRY,
    cancel_if_active,
    is_active,
    update_document,
)
from ostinato.jobs.handler_decorators import BatchPage, Document, ItemRef
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.options import DEFAULT_MAX_FAILED_ITEMS
from ostinato.jobs.records import (
    Batch,
    BatchState,
    Cause,
    CauseKind,
    JobState,
)
from ostinato.jobs.retry import Retry

__ostinato_module__ = "batch"

PAGE_RETRY: Final = Retry(retries=4, base_ms=1_000, max_ms=4_000)
"""A page that raises is retried three times; its last attempt splits it instead."""
ITEM_RETRY: Final = Retry(retries=3, base_ms=1_000)


@mutation(internal=True, retry=PAGE_RETRY)
async def process_batch(
    ctx: Context,
    cursor: str | None,
    batch_id: str,
    batch_size: int = 100,
    delay_ms: int = 1000,
) -> int:
    """Process the page after `cursor` and schedule the next one; return the number of items.

    The items' effects, the new cursor and the next page's job are one transaction: an interrupted
    page has no effect, and a repeated page does nothing, since the cursor has advanced. The batch's
    own page size and delay count, which may have changed.
    """
    found = await _find_running(ctx, batch_id)
    if found is None or found["cursor"] != cursor:
        return 0
    if ctx.job.attempt == ctx.job.max_attempts and _max_failed_items(found) > 0:
        await _split(ctx, found, found["batchSize"])
        return 0
    return await _process(ctx, found, found["batchSize"])


@action(internal=True, retry=CHAIN_RETRY)
async def process_part(ctx: Context, batch_id: str) -> None:
    """Process the first half of a page that failed; if that fails, too, schedule half of it."""
    try:
        await ctx.run_mutation(try_part, {"batchId": batch_id})
    except Exception:
        if not await ctx.run_mutation(narrow, {"batchId": batch_id}):
            raise


@mutation(internal=True)
async def try_part(ctx: Context, batch_id: str) -> int:
    """Process half of the suspects; give a single one a job of its own."""
    found = await _find_running(ctx, batch_id)
    if found is None:
        return 0
    if found["suspects"] == 1:
        return await _set_apart(ctx, found)
    return await _process(ctx, found, found["suspects"] // 2)


@mutation(internal=True)
async def narrow(ctx: Context, batch_id: str) -> bool:
    """Note that half of the suspects failed; return False if there is only one."""
    found = await _find_running(ctx, batch_id)
    if found is None:
        return True
    if found["suspects"] == 1:
        return False
    await _split(ctx, found, found["suspects"] // 2)
    return True


@mutation(retry=ITEM_RETRY)
async def process_item(
    ctx: Context, batch_id: str, source: str, item: str | None, after: str | None
) -> bool:
    """Process an item that failed in a page; return False if it no longer matches the source."""
    batch_source = ctx.registry.batches[source]
    found = await batch_source.find_item(ctx, ItemRef(id=item, after=after))
    if found is not None:
        await batch_source.handle(ctx, [found])
    of_batch = {"_id": batch_id, "owner": ctx.owner, "failed": {"$gte": 1}}
    counts = {"failed": -1, "processed": int(found is not None), "version": 1}
    await ctx.db.internal_collection("batches").update_one(of_batch, {"$inc": counts})
    return found is not None


async def repair_batch(ctx: Context, batch_id: str) -> bool:
    """Schedule the missing page of a running batch, or fail the batch if its page has failed.

    Returns False if there is nothing to repair.
    """
    found = await _find_running(ctx, batch_id)
    if found is None:
        return False
    failed = {"_id": found["schedulerJobId"], "state": JobState.FAILED.value}
    if await ctx.db.ostinato("jobs").find_one(failed, {"_id": 1}):
        await finish(ctx, found, BatchState.FAILED)
    else:
        await change(ctx, found, await schedule_page(ctx, found, 0))
    return True


async def schedule_page(ctx: Context, document: Document, delay_ms: int) -> Document:
    """Schedule the next page or part of a batch; return the fields to write."""
    due = await ctx.now() + timedelta(milliseconds=delay_ms)
    return await _schedule_page_at(ctx, document, due)


async def _schedule_page_at(ctx: Context, document: Document, due: datetime) -> Document:
    cause = Cause(kind=CauseKind.BATCH, id=document["_id"])
    if document.get("suspects"):
        job_id = await ctx.scheduler.run_at(
            due, process_part, {"batchId": document["_id"]}, cause=cause
        )
    else:
        args = {
            "cursor": document["cursor"],
            "batchId": document["_id"],
            "batchSize": document["batchSize"],
            "delayMs": document["delayMs"],
        }
        job_id = await ctx.scheduler.run_at(due, process_batch, args, cause=cause)
    return {"schedulerJobId": job_id, "nextPageTime": due}


async def reschedule_page(ctx: Context, document: Document, later_ms: int) -> Document:
    """Move the pending page of a batch; return the fields to write, none if it is running."""
    pending = {"_id": document["schedulerJobId"], "state": JobState.PENDING.value}
    job = await ctx.db.ostinato("jobs").find_one(pending, {"scheduledTime": 1})
    if job is None:
        return {}
    await cancel_if_active(ctx, document["schedulerJobId"])
    due = job["scheduledTime"] + timedelta(milliseconds=later_ms)
    return await _schedule_page_at(ctx, document, due)


async def change(ctx: Context, found: Document, fields: Document) -> Batch:
    """Write fields of a batch and return it; `found` is its document in this transaction."""
    return batch_from(await update_document(ctx, "batches", found, fields))


async def finish(
    ctx: Context, found: Document, state: BatchState, fields: Document | None = None
) -> Batch:
    """Write the final state of a batch."""
    ended = {"state": state.value, "completedAt": await ctx.now(), "schedulerJobId": None}
    return await change(ctx, found, {**(fields or {}), **ended, "nextPageTime": None})


async def _find_running(ctx: Context, batch_id: str) -> Document | None:
    """Read a running batch, unless another job than the current one processes it."""
    found = await ctx.db.ostinato("batches").find_one(
        {"_id": batch_id, "owner": ctx.owner, "state": BatchState.RUNNING.value}
    )
    if found is None or await is_active(ctx, found["schedulerJobId"]):
        return None
    return found


async def _process(ctx: Context, found: Document, size: int) -> int:
    """Handle the next items, at most `size`, and advance the batch; return their number."""
    started_at = await ctx.now()
    source = ctx.registry.batches[found["source"]]
    page: BatchPage = await source.pages(ctx, found["cursor"], size)
    if page.items:
        await source.handle(ctx, page.items)
    fields = {
        "processed": found["processed"] + len(page.items),
        "busyMs": found.get("busyMs", 0) + (await ctx.now() - started_at) // MILLISECOND,
    }
    await _advance(ctx, found, page, fields)
    await ctx.progress(fields["processed"], found.get("total"))
    return len(page.items)


async def _set_apart(ctx: Context, found: Document) -> int:
    """Schedule a job for the next item alone, and continue after it; return the number of items.

    The batch fails instead if too many items have failed.
    """
    failed = found.get("failed", 0) + 1
    if failed > _max_failed_items(found):
        await finish(ctx, found, BatchState.FAILED)
        return 0
    page: BatchPage = await ctx.registry.batches[found["source"]].pages(ctx, found["cursor"], 1)
    for each in page.items:
        item = ItemRef.of(each, found["cursor"])
        args = {
            "batchId": found["_id"],
            "source": found["source"],
            "item": item.id,
            "after": item.after,
        }
        cause = Cause(kind=CauseKind.BATCH, id=found["_id"])
        await ctx.scheduler.run_after(0, process_item, args, cause=cause)
    await _advance(ctx, found, page, {"failed": failed} if page.items else {})
    return len(page.items)


async def _advance(ctx: Context, found: Document, page: BatchPage, fields: Document) -> None:
    """Write the cursor after a page, and end the batch or schedule its next page or part."""
    suspects = max((found.get("suspects") or 0) - max(len(page.items), 1), 0)
    fields = {**fields, "cursor": page.cursor, "suspects": suspects}
    if page.cursor is None:
        await finish(ctx, found, BatchState.DONE, fields)
        return
    delay_ms = 0 if suspects else found["delayMs"]
    scheduled = await schedule_page(ctx, {**found, **fields}, delay_ms)
    await change(ctx, found, {**fields, **scheduled})


async def _split(ctx: Context, found: Document, suspects: int) -> None:
    """Process the next items, some of which fail, in parts."""
    split = {"suspects": suspects}
    await change(ctx, found, {**split, **await schedule_page(ctx, {**found, **split}, 0)})


def _max_failed_items(found: Document) -> int:
    limit: Any = found.get("maxFailedItems", DEFAULT_MAX_FAILED_ITEMS)
    return int(limit)
