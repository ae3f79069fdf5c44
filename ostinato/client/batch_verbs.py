"""The client's verbs for batches and their items."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypedDict, Unpack

from ostinato.client.base_client import BaseClient, call, page_window
from ostinato.client.options import plain_json, to_ms
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.functions.batch import MAX_ITEMS, BatchPatch, NewBatch
from ostinato.jobs.options import DEFAULT_MAX_FAILED_ITEMS
from ostinato.jobs.paging import Page
from ostinato.jobs.records import Batch, BatchState, Json
from ostinato.resolvers import batches


class BatchChanges(TypedDict, total=False):
    """What `update_batch` can change."""

    batch_size: int
    """1 to 1,000 items per page."""
    delay: timedelta
    """Between two pages, at most a day. Not together with `items_per_second`."""
    items_per_second: float
    """Sets the delay to that of a page at this rate."""
    max_failed_items: int
    """0 to 100,000."""


class BatchVerbs(BaseClient):
    """Adds and deletes items; starts, reads and changes batches.

    `owner` is the user for whom a verb acts, as in `CronVerbs`.
    """

    async def add_items(self, items: Sequence[object], *, owner: str | None = None) -> list[str]:
        """Store 1 to 1,000 JSON values for batches over `items`; return their ids in order."""
        plain: list[Json] = [plain_json(item, "items", n) for n, item in enumerate(items)]
        return await self.mutate(
            "addItems",
            {"count": len(plain)},
            lambda context: batches.add_items(context, plain),
            owner,
        )

    async def delete_items(
        self, item_ids: Sequence[str] | None = None, *, owner: str | None = None
    ) -> int:
        """Delete 1 to 1,000 items of the owner, or the oldest 1,000 unprocessed ones; return their
        number. Other ids are ignored."""
        if item_ids is not None and not 1 <= len(item_ids) <= MAX_ITEMS:
            message = f"itemIds must be 1 to {MAX_ITEMS:,}, got {len(item_ids):,}"
            raise BadRequest.at("itemIds", message=message, code="length")
        given = {} if item_ids is None else {"itemIds": list(item_ids)}
        return await self.mutate(
            "deleteItems", given, lambda context: batches.delete_items(context, item_ids), owner
        )

    async def start_batch(
        self,
        source: str = "items",
        *,
        owner: str | None = None,
        batch_size: int = 100,
        delay: timedelta = timedelta(seconds=1),
        max_failed_items: int = DEFAULT_MAX_FAILED_ITEMS,
    ) -> Batch:
        """Start a batch over the owner's documents of a source, with a delay between pages.

        It fails when more than `max_failed_items` have failed; with 0, when a page has failed.
        """
        new = NewBatch(
            source=source,
            batch_size=batch_size,
            delay_ms=to_ms(delay),
            max_failed_items=max_failed_items,
        )
        return await self.mutate(
            "startBatch", new, lambda context: batches.start_batch(context, new), owner
        )

    async def update_batch(
        self,
        batch_id: str,
        *,
        owner: str | None = None,
        expected_version: int | None = None,
        **options: Unpack[BatchChanges],
    ) -> Batch:
        """Change a batch that has not ended; raises VersionConflict and PreconditionFailed.

        The delay counts from the end of the previous page.
        """
        delay = options.get("delay")
        patch = BatchPatch(
            batch_size=options.get("batch_size"),
            delay_ms=None if delay is None else to_ms(delay),
            items_per_second=options.get("items_per_second"),
            max_failed_items=options.get("max_failed_items"),
        )
        return await self.mutate(
            "updateBatch",
            {"batchId": batch_id, **patch.given()},
            lambda context: batches.update_batch(context, batch_id, patch, expected_version),
            owner,
        )

    async def pause_batch(self, batch_id: str, *, owner: str | None = None) -> Batch:
        """Pause a batch after its last complete page; raises PreconditionFailed if it has ended."""
        return await self.mutate(
            "pauseBatch",
            {"batchId": batch_id},
            lambda context: batches.pause_batch(context, batch_id),
            owner,
        )

    async def resume_batch(self, batch_id: str, *, owner: str | None = None) -> Batch:
        """Resume a batch now; raises OwnerSuspended, or PreconditionFailed if it has ended."""
        return await self.mutate(
            "resumeBatch",
            {"batchId": batch_id},
            lambda context: batches.resume_batch(context, batch_id),
            owner,
        )

    async def cancel_batch(self, batch_id: str, *, owner: str | None = None) -> Batch:
        """Stop a batch after its current page; raises PreconditionFailed if it has ended."""
        return await self.mutate(
            "cancelBatch",
            {"batchId": batch_id},
            lambda context: batches.cancel_batch(context, batch_id),
            owner,
        )

    async def delete_batch(self, batch_id: str, *, owner: str | None = None) -> Batch:
        """Delete an ended batch; raises PreconditionFailed if it has not ended."""
        return await self.mutate(
            "deleteBatch",
            {"batchId": batch_id},
            lambda context: batches.delete_batch(context, batch_id),
            owner,
        )

    async def batch(self, batch_id: str, *, owner: str | None = None) -> Batch:
        """Read a batch."""
        return await call(batches.batch(self.context(owner), batch_id))

    async def batches(
        self,
        *states: BatchState,
        owner: str | None = None,
        first: int = 100,
        after: Batch | None = None,
    ) -> Page[Batch]:
        """Read a page of up to 1,000 batches, newest first; of some states, if given."""
        window = page_window(first, after)
        return await call(batches.batches(self.context(owner), window, states or None))
