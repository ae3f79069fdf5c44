"""Rate-limited batches: paged passes over `items`, or over any source declared with `@batch`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import mutation
from ostinato.jobs.documents import batch_from
from ostinato.jobs.errors import BadRequest, Issue, NotFound, PreconditionFailed, range_issues
from ostinato.jobs.functions.job_chain import (
    cancel_if_active,
    delete_document,
    is_active,
    update_document,
)
from ostinato.jobs.handler_decorators import BatchPage, Document, batch
from ostinato.jobs.ids import EPOCH, SAMPLE_ID
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.quotas.transaction_checks import require_room
from ostinato.jobs.records import Batch, BatchState, Cause, CauseKind, JobState, Json
from ostinato.jobs.retry import Retry

MAX_BATCH_SIZE: Final = 1_000  # a page's effects are one transaction
MAX_PAGE_DELAY_MS: Final = 86_400_000  # a day; use a cron for anything slower
MAX_ITEMS: Final = 1_000  # per call
OPEN_STATES: Final = frozenset({BatchState.RUNNING.value, BatchState.PAUSED.value})

PAGE_RETRY: Final = Retry(retries=3, base_ms=1_000)
"""A page that raises is retried; after its last attempt, its batch fails."""


@batch("items", where={"processed": False}, ostinato=True, public=True)
async def mark_processed(ctx: Context, items: list[Document]) -> None:
    """Mark each item as processed, and increment its `version`."""
    await ctx.db.ostinato("items").update_many(
        {"_id": {"$in": [item["_id"] for item in items]}},
        {"$set": {"processed": True, "processedAt": await ctx.now()}, "$inc": {"version": 1}},
    )


async def add_items(ctx: Context, items: Sequence[Json]) -> list[str]:
    """Store at most 1,000 items of the owner for processing; returns their ids in order.

    Raises BadRequest and QuotaExceeded.
    """
    if not 1 <= len(items) <= MAX_ITEMS:
        message = f"items must be 1 to {MAX_ITEMS} per call, got {len(items)}"
        raise BadRequest.at("items", message=message, code="length")
    await require_room(ctx, QuotaKind.ITEMS, len(items))
    now = await ctx.now()
    return await ctx.db.ostinato("items").insert_many(
        [item_document(ctx.owner, item, ctx.new_id(), now) for item in items]
    )


def item_document(
    owner: str | None, item: Json, item_id: str = SAMPLE_ID, created_at: datetime = EPOCH
) -> Document:
    """Build the document of an unprocessed item; without an id and a time, one of its size."""
    return {
        "_id": item_id,
        "owner": owner,
        "data": item,
        "processed": False,
        "createdAt": created_at,
        "version": 1,
    }


async def start_batch(
    ctx: Context,
    source: str,
    batch_size: int = 100,
    delay_ms: int = 1000,
    known: Collection[str] | None = None,
) -> Batch:
    """Start a batch over one of the `known` sources (default: all); its first page is due now.

    Raises BadRequest with an issue for each wrong field, PreconditionFailed if no document of the
    source has an owner, and QuotaExceeded.
    """
    _check(source, batch_size, delay_ms, ctx.registry.batches if known is None else known)
    await require_room(ctx, QuotaKind.BATCHES)
    found = ctx.registry.batches[source]
    total = await found.count(ctx)
    if total == 0:
        await found.require_owners(ctx)
    batch_id = ctx.new_id()
    document = {
        "_id": batch_id,
        "owner": ctx.owner,
        "source": source,
        "state": BatchState.RUNNING.value,
        "batchSize": batch_size,
        "delayMs": delay_ms,
        "processed": 0,
        "total": total,
        "cursor": None,
        "createdAt": await ctx.now(),
        "version": 1,
    }
    document["schedulerJobId"] = await _schedule_page(ctx, document, 0)
    await ctx.db.internal_collection("batches").insert_one(document)
    return batch_from(document)


async def cancel_batch(ctx: Context, batch_id: str) -> Batch:
    """Stop a batch and cancel its pending page; processed items stay processed.

    Raises NotFound, PreconditionFailed if it has ended.
    """
    found = await ctx.db.ostinato("batches").find_one({"_id": batch_id, "owner": ctx.owner})
    if found is None:
        raise NotFound("there is no such batch")
    if found["state"] not in OPEN_STATES:
        raise PreconditionFailed(f"the batch has already ended: it is {found['state']}")
    await cancel_if_active(ctx, found["schedulerJobId"])
    return await _finish(ctx, found, BatchState.CANCELED)


async def delete_batch(ctx: Context, batch_id: str) -> Batch:
    """Delete an ended batch and return it; its items and jobs are kept.

    Raises NotFound, PreconditionFailed if it has not ended.
    """
    found = await ctx.db.ostinato("batches").find_one({"_id": batch_id, "owner": ctx.owner})
    if found is None:
        raise NotFound("there is no such batch")
    if found["state"] in OPEN_STATES:
        raise PreconditionFailed(f"the batch has not ended: it is {found['state']}; cancel it")
    await delete_document(ctx, "batches", found)
    return batch_from(found)


async def delete_items(ctx: Context, item_ids: Sequence[str] | None) -> int:
    """Delete the owner's items with these ids, or 1,000 unprocessed ones; return their number."""
    items = ctx.db.ostinato("items")
    if item_ids is None:
        oldest = await items.find(
            {"owner": ctx.owner, "processed": False}, {"_id": 1}, sort=[("_id", 1)], limit=MAX_ITEMS
        )
        item_ids = [item["_id"] for item in oldest]
    return await items.delete_many({"_id": {"$in": list(item_ids)}, "owner": ctx.owner})


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
    page has no effect, and a repeated page does nothing, since the cursor has advanced.
    """
    found = await ctx.db.ostinato("batches").find_one(
        {"_id": batch_id, "owner": ctx.owner, "state": BatchState.RUNNING.value, "cursor": cursor}
    )
    if found is None or await is_active(ctx, found["schedulerJobId"]):
        return 0
    source = ctx.registry.batches[found["source"]]
    page: BatchPage = await source.pages(ctx, cursor, batch_size)
    if page.items:
        await source.handle(ctx, page.items)
    progress: dict[str, Any] = {
        "processed": found["processed"] + len(page.items),
        "cursor": page.cursor,
    }
    if page.cursor is None:
        await _finish(ctx, found, BatchState.DONE, progress)
    else:
        progress["schedulerJobId"] = await _schedule_page(ctx, {**found, **progress}, delay_ms)
        await _change(ctx, found, progress)
    await ctx.progress(progress["processed"], found.get("total"))
    return len(page.items)


async def repair_batch(ctx: Context, batch_id: str) -> bool:
    """Schedule the missing page of a running batch, or fail the batch if its page has failed.

    Returns False if there is nothing to repair.
    """
    found = await ctx.db.ostinato("batches").find_one(
        {"_id": batch_id, "owner": ctx.owner, "state": BatchState.RUNNING.value}
    )
    if found is None or await is_active(ctx, found["schedulerJobId"]):
        return False
    failed = {"_id": found["schedulerJobId"], "state": JobState.FAILED.value}
    if await ctx.db.ostinato("jobs").find_one(failed, {"_id": 1}):
        await _finish(ctx, found, BatchState.FAILED)
    else:
        await _change(ctx, found, {"schedulerJobId": await _schedule_page(ctx, found, 0)})
    return True


async def _schedule_page(ctx: Context, document: Document, delay_ms: int) -> str:
    return await ctx.scheduler.run_after(
        delay_ms,
        "batch.processBatch",
        {
            "cursor": document["cursor"],
            "batchId": document["_id"],
            "batchSize": document["batchSize"],
            "delayMs": document["delayMs"],
        },
        cause=Cause(kind=CauseKind.BATCH, id=document["_id"]),
    )


async def _finish(
    ctx: Context, found: Document, state: BatchState, fields: Document | None = None
) -> Batch:
    ended = {"state": state.value, "completedAt": await ctx.now(), "schedulerJobId": None}
    return await _change(ctx, found, {**(fields or {}), **ended})


async def _change(ctx: Context, found: Document, fields: Document) -> Batch:
    return batch_from(await update_document(ctx, "batches", found, fields))


def _check(source: str, batch_size: int, delay_ms: int, known: Collection[str]) -> None:
    issues = []
    if source not in known:
        message = (
            f"there is no batch source {source[:64]!r}; use one of: {', '.join(sorted(known))}"
        )
        issues.append(Issue(path=("source",), message=message, code="unknown_source"))
    issues += range_issues("batchSize", batch_size, 1, MAX_BATCH_SIZE)
    issues += range_issues("delayMs", delay_ms, 0, MAX_PAGE_DELAY_MS)
    if issues:
        raise BadRequest(issues[0].message, issues)
