"""Rate-limited batches: paged passes over `items`, or over any source declared with `@batch`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostinato.jobs.context import Context
from ostinato.jobs.documents import batch_from
from ostinato.jobs.errors import BadRequest, Issue, NotFound, PreconditionFailed, range_issues
from ostinato.jobs.functions.batch_pages import change, finish, reschedule_page, schedule_page
from ostinato.jobs.functions.job_chain import (
    cancel_if_active,
    delete_document,
    read_owner,
    require_version,
)
from ostinato.jobs.handler_decorators import Document, batch
from ostinato.jobs.ids import EPOCH, SAMPLE_ID
from ostinato.jobs.options import DEFAULT_MAX_FAILED_ITEMS
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.quotas.transaction_checks import require_room
from ostinato.jobs.records import Batch, BatchState, Json
from ostinato.jobs.rights import owner_suspended

MAX_BATCH_SIZE: Final = 1_000  # a page's effects are one transaction
MAX_PAGE_DELAY_MS: Final = 86_400_000  # a day; use a cron for anything slower
MAX_ITEMS: Final = 1_000  # per call
MAX_FAILED_ITEMS: Final = 100_000
LIMITS: Final = {
    "batchSize": (1, MAX_BATCH_SIZE),
    "delayMs": (0, MAX_PAGE_DELAY_MS),
    "maxFailedItems": (0, MAX_FAILED_ITEMS),
}
OPEN_STATES: Final = frozenset({BatchState.RUNNING.value, BatchState.PAUSED.value})


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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch to start."""

    source: str
    batch_size: int = 100
    delay_ms: int = 1_000
    max_failed_items: int = DEFAULT_MAX_FAILED_ITEMS


async def start_batch(ctx: Context, new: NewBatch, known: Collection[str] | None = None) -> Batch:
    """Start a batch over one of the `known` sources (default: all); its first page is due now.

    Raises BadRequest with an issue for each wrong field, PreconditionFailed if no document of the
    source has an owner, and QuotaExceeded.
    """
    _check(new, ctx.registry.batches if known is None else known)
    await require_room(ctx, QuotaKind.BATCHES)
    found = ctx.registry.batches[new.source]
    total = await found.count(ctx)
    if total == 0:
        await found.require_owners(ctx)
    document = {
        "_id": ctx.new_id(),
        "owner": ctx.owner,
        "source": new.source,
        "state": BatchState.RUNNING.value,
        "batchSize": new.batch_size,
        "delayMs": new.delay_ms,
        "maxFailedItems": new.max_failed_items,
        "processed": 0,
        "failed": 0,
        "busyMs": 0,
        "total": total,
        "cursor": None,
        "createdAt": await ctx.now(),
        "version": 1,
    }
    document |= await schedule_page(ctx, document, 0)
    await ctx.db.internal_collection("batches").insert_one(document)
    return batch_from(document)


def _check(new: NewBatch, known: Collection[str]) -> None:
    issues = []
    if new.source not in known:
        names = ", ".join(sorted(known))
        message = f"there is no batch source {new.source[:64]!r}; use one of: {names}"
        issues.append(Issue(path=("source",), message=message, code="unknown_source"))
    numbers = {
        "batchSize": new.batch_size,
        "delayMs": new.delay_ms,
        "maxFailedItems": new.max_failed_items,
    }
    _require_valid([*issues, *_limit_issues(numbers)])


def _limit_issues(numbers: Mapping[str, float]) -> Iterator[Issue]:
    for name, number in numbers.items():
        yield from range_issues(name, int(number), *LIMITS[name])


def _require_valid(issues: Iterable[Issue]) -> None:
    if found := list(issues):
        raise BadRequest(found[0].message, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPatch:
    """What to change of a batch; None keeps a value. The rate sets the delay."""

    batch_size: int | None = None
    delay_ms: int | None = None
    items_per_second: float | None = None
    max_failed_items: int | None = None

    def given(self) -> dict[str, float]:
        """Return what is to be changed, in the names of the API."""
        named = {
            "batchSize": self.batch_size,
            "delayMs": self.delay_ms,
            "itemsPerSecond": self.items_per_second,
            "maxFailedItems": self.max_failed_items,
        }
        return {name: value for name, value in named.items() if value is not None}

    def apply(self, found: Document) -> Document:
        """Return the fields to write; raises BadRequest with an issue for each wrong field."""
        given = self.given()
        if not given or given.keys() >= {"delayMs", "itemsPerSecond"}:
            message = (
                "send one or more of batchSize, delayMs, itemsPerSecond and maxFailedItems, but "
                "not both delayMs and itemsPerSecond"
            )
            raise BadRequest.at("delayMs", message=message, code="exclusive")
        rate = given.pop("itemsPerSecond", None)
        if rate is not None:
            given["delayMs"] = _delay_for(self.batch_size or found["batchSize"], rate)
        _require_valid(_limit_issues(given))
        return dict(given)


def _delay_for(batch_size: int, items_per_second: float) -> int:
    slowest = batch_size * 1_000 / MAX_PAGE_DELAY_MS
    if not items_per_second >= slowest:  # also for NaN
        message = (
            f"itemsPerSecond must be at least {slowest:g}, a page of {batch_size} items a day, got "
            f"{items_per_second:g}"
        )
        raise BadRequest.at("itemsPerSecond", message=message, code="out_of_range")
    return round(batch_size * 1_000 / items_per_second)


async def update_batch(
    ctx: Context, batch_id: str, patch: BatchPatch, expected_version: int | None = None
) -> Batch:
    """Change the page size, delay, rate or limit of a batch that has not ended.

    The delay counts from the end of the previous page: a pending page is due sooner or later.
    Raises NotFound, VersionConflict, BadRequest, and PreconditionFailed if it has ended.
    """
    found = await _find_open(ctx, batch_id)
    require_version(found, expected_version)
    fields = patch.apply(found)
    if found["state"] == BatchState.RUNNING and not found.get("suspects"):
        later_ms = fields.get("delayMs", found["delayMs"]) - found["delayMs"]
        fields |= await reschedule_page(ctx, {**found, **fields}, later_ms)
    return await change(ctx, found, fields)


async def pause_batch(ctx: Context, batch_id: str) -> Batch:
    """Cancel the pending page of a batch until it is resumed; pausing a paused one does nothing.

    A page that is being processed is stopped, and processed again after the pause. Raises NotFound,
    PreconditionFailed if it has ended.
    """
    found = await _find_open(ctx, batch_id)
    if found["state"] == BatchState.PAUSED:
        return batch_from(found)
    await cancel_if_active(ctx, found["schedulerJobId"])
    paused = {"state": BatchState.PAUSED.value, "schedulerJobId": None, "nextPageTime": None}
    return await change(ctx, found, paused)


async def resume_batch(ctx: Context, batch_id: str) -> Batch:
    """Continue a paused batch after its last complete page, now; no effect if it is running.

    Raises NotFound, OwnerSuspended, PreconditionFailed if it has ended.
    """
    found = await _find_open(ctx, batch_id)
    if found["state"] == BatchState.RUNNING:
        return batch_from(found)
    if ctx.owner is not None and (owner := await read_owner(ctx)).is_suspended:
        raise owner_suspended(owner)
    fields = {"state": BatchState.RUNNING.value, **await schedule_page(ctx, found, 0)}
    return await change(ctx, found, fields)


async def cancel_batch(ctx: Context, batch_id: str) -> Batch:
    """Stop a batch and cancel its pending page; processed items stay processed.

    Raises NotFound, PreconditionFailed if it has ended.
    """
    found = await _find_open(ctx, batch_id)
    await cancel_if_active(ctx, found["schedulerJobId"])
    return await finish(ctx, found, BatchState.CANCELED)


async def _find_open(ctx: Context, batch_id: str) -> Document:
    found = await _find(ctx, batch_id)
    if found["state"] not in OPEN_STATES:
        raise PreconditionFailed(f"the batch has already ended: it is {found['state']}")
    return found


async def delete_batch(ctx: Context, batch_id: str) -> Batch:
    """Delete an ended batch and return it; its items and jobs are kept.

    Raises NotFound, PreconditionFailed if it has not ended.
    """
    found = await _find(ctx, batch_id)
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


async def _find(ctx: Context, batch_id: str) -> Document:
    found = await ctx.db.ostinato("batches").find_one({"_id": batch_id, "owner": ctx.owner})
    if found is None:
        raise NotFound("there is no such batch")
    return found
