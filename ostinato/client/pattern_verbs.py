"""The client's verbs for crons, recurring tasks, batches and requests."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from ostinato.client.base_client import BaseClient, call, page_window
from ostinato.client.options import Args, plain_json, require_name, to_ms
from ostinato.jobs.arguments import plain_arguments
from ostinato.jobs.errors import BadRequest, Malformed, require_range
from ostinato.jobs.functions.batch import MAX_ITEMS
from ostinato.jobs.functions.new_cron import DEFAULT_FUNCTION, NewCron
from ostinato.jobs.paging import Page
from ostinato.jobs.records import (
    Batch,
    CatchUpPolicy,
    Cron,
    Json,
    OverlapPolicy,
    RecurringTask,
    Request,
)
from ostinato.jobs.registry import FunctionRef, name_of
from ostinato.jobs.schedules import parse_schedule
from ostinato.resolvers import batches, crons, recurring, requests
from ostinato.resolvers.crons import DEFAULT_RUNS, MAX_RUNS


class CronOptions(TypedDict, total=False):
    """The options of `register_cron`: exactly one of `every` and `cronspec`, and others."""

    every: timedelta
    """The interval, 1 s to 5 years."""
    cronspec: str
    tz: str
    """IANA time zone of `cronspec`. Default: UTC."""
    function: FunctionRef
    """Default: `tasks.runTask`, which gets the cron's name."""
    args: Args
    overlap: OverlapPolicy
    """What a tick does while the previous run has not ended. Default: SKIP."""
    catch_up: CatchUpPolicy
    """What happens to ticks missed while no worker ran. Default: LATEST."""
    jitter: timedelta
    """Maximum delay of each run, at most a day. Default: 0."""
    start_at: datetime
    end_at: datetime


class PatternVerbs(BaseClient):
    """Registers, starts, reads and changes crons, recurring tasks, batches and requests.

    `owner` is the user for whom a verb acts, as for jobs; None creates objects of the system. A
    function must be imported in this process. Errors name the fields as the GraphQL API does
    (`intervalMs`). Verbs that create raise BadRequest, OwnerSuspended and QuotaExceeded; verbs that
    take an id raise NotFound.
    """

    async def register_cron(
        self, name: str, *, owner: str | None = None, **options: Unpack[CronOptions]
    ) -> Cron:
        """Register a cron, which creates a job at each tick; raises Conflict for a taken name."""
        await crons.check_cronspec(self.context(owner), options.get("cronspec"))
        every = options.get("every")
        new = NewCron(
            name=require_name("name", name),
            interval_ms=None if every is None else to_ms(every),
            cronspec=options.get("cronspec"),
            tz=options.get("tz", "UTC"),
            function_name=name_of(options.get("function", DEFAULT_FUNCTION)),
            args=plain_arguments(options.get("args", {})),
            overlap=options.get("overlap", OverlapPolicy.SKIP),
            catch_up=options.get("catch_up", CatchUpPolicy.LATEST),
            jitter_ms=to_ms(options.get("jitter", timedelta(0))),
            start_at=options.get("start_at"),
            end_at=options.get("end_at"),
        )
        return await self.mutate(
            "registerCron", new, lambda context: crons.register_cron(context, new), owner
        )

    async def pause_cron(self, cron_id: str, *, owner: str | None = None) -> Cron:
        """Pause a cron until it is resumed."""
        return await self.mutate(
            "pauseCron",
            {"cronId": cron_id},
            lambda context: crons.pause_cron(context, cron_id),
            owner,
        )

    async def resume_cron(self, cron_id: str, *, owner: str | None = None) -> Cron:
        """Resume a cron from now; raises OwnerSuspended, or PreconditionFailed after its end."""
        return await self.mutate(
            "resumeCron",
            {"cronId": cron_id},
            lambda context: crons.resume_cron(context, cron_id),
            owner,
        )

    async def delete_cron(self, cron_id: str, *, owner: str | None = None) -> None:
        """Delete a cron; its jobs remain."""
        await self.mutate(
            "deleteCron",
            {"cronId": cron_id},
            lambda context: crons.delete_cron(context, cron_id),
            owner,
        )

    async def cron(self, cron_id: str, *, owner: str | None = None) -> Cron:
        """Read a cron."""
        return await call(crons.cron(self.context(owner), cron_id))

    async def cron_named(self, name: str, *, owner: str | None = None) -> Cron:
        """Read the cron of an owner, or of the system, with this name."""
        found = crons.cron_named(self.context(owner), require_name("name", name))
        return await call(found)

    async def crons(
        self,
        *,
        owner: str | None = None,
        enabled: bool | None = None,
        first: int = 100,
        after: Cron | None = None,
    ) -> Page[Cron]:
        """Read a page of up to 1,000 crons, newest first."""
        window = page_window(first, after)
        return await call(crons.crons(self.context(owner), window, enabled, None))

    async def preview(
        self,
        cronspec: str | None = None,
        *,
        every: timedelta | None = None,
        tz: str = "UTC",
        count: int = DEFAULT_RUNS,
    ) -> list[datetime]:
        """Return the next 1 to 100 ticks of a schedule that starts now."""
        require_range("count", count, 1, MAX_RUNS)
        context = self.context()
        await crons.check_cronspec(context, cronspec)
        schedule = parse_schedule(None if every is None else to_ms(every), cronspec, tz)
        return await call(crons.preview_cron(context, schedule, count))

    async def start_recurring_task(
        self,
        task_id: str,
        every: timedelta,
        function: FunctionRef = DEFAULT_FUNCTION,
        args: Args | None = None,
        *,
        owner: str | None = None,
    ) -> RecurringTask:
        """Start a recurring task, or update the running one with this `task_id`."""
        new = recurring.NewTask(
            task_id=require_name("taskId", task_id),
            interval_ms=to_ms(every),
            function_name=name_of(function),
            args=plain_arguments(args or {}),
        )
        return await self.mutate(
            "startRecurringTask",
            new,
            lambda context: recurring.start_recurring_task(context, new),
            owner,
        )

    async def stop_recurring_task(
        self, task_id: str, *, owner: str | None = None
    ) -> RecurringTask | Malformed:
        """Stop the task of an owner, or of the system; no effect if it is stopped."""
        name = require_name("taskId", task_id)
        return await self.mutate(
            "stopRecurringTask",
            {"taskId": name},
            lambda context: recurring.stop_recurring_task(context, name, None),
            owner,
        )

    async def delete_recurring_task(
        self, task_id: str, *, owner: str | None = None
    ) -> RecurringTask | Malformed:
        """Delete a stopped task; raises PreconditionFailed if it is running."""
        name = require_name("taskId", task_id)
        return await self.mutate(
            "deleteRecurringTask",
            {"taskId": name},
            lambda context: recurring.delete_recurring_task(context, name, None),
            owner,
        )

    async def recurring_task(self, task_id: str, *, owner: str | None = None) -> RecurringTask:
        """Read the task of an owner, or of the system."""
        name = require_name("taskId", task_id)
        return await call(recurring.recurring_task(self.context(owner), name))

    async def recurring_tasks(
        self, *, owner: str | None = None, first: int = 100, after: RecurringTask | None = None
    ) -> Page[RecurringTask]:
        """Read a page of up to 1,000 recurring tasks, newest first."""
        window = page_window(first, after)
        return await call(recurring.recurring_tasks(self.context(owner), window))

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
    ) -> Batch:
        """Start a batch over the owner's documents of a source, with a delay between pages."""
        delay_ms = to_ms(delay)
        return await self.mutate(
            "startBatch",
            {"source": source, "batchSize": batch_size, "delayMs": delay_ms},
            lambda context: batches.start_batch(context, source, batch_size, delay_ms),
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
        self, *, owner: str | None = None, first: int = 100, after: Batch | None = None
    ) -> Page[Batch]:
        """Read a page of up to 1,000 batches, newest first."""
        return await call(batches.batches(self.context(owner), page_window(first, after)))

    async def create_with_timeout(
        self,
        data: object,
        *,
        owner: str | None = None,
        timeout: timedelta = timedelta(seconds=30),
    ) -> Request:
        """Create a request of JSON data, which ends once: completed, failed or timed out."""
        plain = plain_json(data, "data")
        timeout_ms = to_ms(timeout)
        return await self.mutate(
            "createWithTimeout",
            {"timeoutMs": timeout_ms},
            lambda context: requests.create_with_timeout(context, plain, timeout_ms),
            owner,
        )

    async def delete_request(self, request_id: str, *, owner: str | None = None) -> Request:
        """Delete an ended request; raises PreconditionFailed if it is pending."""
        return await self.mutate(
            "deleteRequest",
            {"requestId": request_id},
            lambda context: requests.delete_request(context, request_id),
            owner,
        )

    async def request(self, request_id: str, *, owner: str | None = None) -> Request:
        """Read a request."""
        return await call(requests.request(self.context(owner), request_id))

    async def requests(
        self, *, owner: str | None = None, first: int = 100, after: Request | None = None
    ) -> Page[Request]:
        """Read a page of up to 1,000 requests, newest first."""
        return await call(requests.requests(self.context(owner), page_window(first, after)))
