"""The client's verbs for crons and recurring tasks."""

from datetime import timedelta
from typing import TypedDict, Unpack

from ostinato.client.base_client import BaseClient, call, page_window
from ostinato.client.cron_options import CronOptions, new_cron
from ostinato.client.options import Args, require_name, to_ms
from ostinato.jobs.arguments import plain_arguments
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.errors import Malformed
from ostinato.jobs.functions.new_cron import DEFAULT_FUNCTION
from ostinato.jobs.functions.task_changes import TaskPatch
from ostinato.jobs.paging import Page
from ostinato.jobs.records import Cron, RecurringTask
from ostinato.jobs.registry import FunctionRef, name_of
from ostinato.resolvers import cron_ticks, crons, recurring
from ostinato.resolvers.cron_ticks import CronHealth


class TaskChanges(TypedDict, total=False):
    """What `update_recurring_task` can change."""

    every: timedelta
    """The interval, 1 s to 5 years; it counts from the last tick."""
    function: FunctionRef
    args: Args
    """All arguments; without them, the function keeps those it has."""


class PatternVerbs(BaseClient):
    """Registers, starts, reads and changes crons and recurring tasks.

    `owner` is the user for whom a verb acts, as for jobs; None creates objects of the system. A
    function must be imported in this process. Verbs with an `expected_version` raise
    VersionConflict, and change nothing, if the cron has another one. Errors name the fields as the
    GraphQL API does (`intervalMs`). Verbs that create raise BadRequest, OwnerSuspended and
    QuotaExceeded; verbs that take an id raise NotFound.
    """

    async def register_cron(
        self, name: str, *, owner: str | None = None, **options: Unpack[CronOptions]
    ) -> Cron:
        """Register a cron, which creates a job at each tick; raises Conflict for a taken name."""
        await crons.check_cronspec(self.context(owner), options.get("cronspec"))
        new = new_cron(name, **options)
        return await self.mutate(
            "registerCron", new, lambda context: crons.register_cron(context, new), owner
        )

    async def pause_cron(
        self, cron_id: str, *, owner: str | None = None, expected_version: int | None = None
    ) -> Cron:
        """Pause a cron until it is resumed."""
        return await self.mutate(
            "pauseCron",
            {"cronId": cron_id},
            lambda context: crons.pause_cron(context, cron_id, expected_version),
            owner,
        )

    async def resume_cron(
        self, cron_id: str, *, owner: str | None = None, expected_version: int | None = None
    ) -> Cron:
        """Resume a cron from now; raises OwnerSuspended, or PreconditionFailed after its end."""
        return await self.mutate(
            "resumeCron",
            {"cronId": cron_id},
            lambda context: crons.resume_cron(context, cron_id, expected_version),
            owner,
        )

    async def delete_cron(
        self, cron_id: str, *, owner: str | None = None, expected_version: int | None = None
    ) -> None:
        """Delete a cron; its jobs remain."""
        await self.mutate(
            "deleteCron",
            {"cronId": cron_id},
            lambda context: crons.delete_cron(context, cron_id, expected_version),
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

    async def cron_ticks(
        self,
        cron_id: str,
        *,
        owner: str | None = None,
        first: int = 100,
        after: CronTick | None = None,
    ) -> Page[CronTick]:
        """Read a page of up to 1,000 records of a cron's ticks, newest first.

        A deleted cron has them until they expire; that of another owner has none.
        """
        window = page_window(first, after)
        return await call(cron_ticks.cron_ticks(self.context(owner), cron_id, window))

    async def cron_health(self, cron_id: str, *, owner: str | None = None) -> CronHealth:
        """Read how a cron has done: failures in a row, its newest tick and its lateness.

        `health.cron.tick_counts` are its planned ticks by outcome.
        """
        context = self.context(owner)
        return await call(cron_ticks.cron_health(context, await crons.cron(context, cron_id)))

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

    async def update_recurring_task(
        self,
        task_id: str,
        *,
        owner: str | None = None,
        expected_version: int | None = None,
        **options: Unpack[TaskChanges],
    ) -> RecurringTask:
        """Change a task, also while it runs; a new interval counts from its last tick."""
        every, function, args = options.get("every"), options.get("function"), options.get("args")
        patch = TaskPatch(
            interval_ms=None if every is None else to_ms(every),
            function_name=None if function is None else name_of(function),
            args=None if args is None else plain_arguments(args),
        )
        ids = recurring.TaskIds(require_name("taskId", task_id))
        return await self.mutate(
            "updateRecurringTask",
            {"taskId": ids.task_id, **patch.given()},
            lambda context: recurring.update_recurring_task(context, ids, patch, expected_version),
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
