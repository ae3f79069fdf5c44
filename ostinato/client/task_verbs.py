"""The client's verbs for recurring tasks."""

from datetime import timedelta
from typing import TypedDict, Unpack

from ostinato.client.base_client import BaseClient, call, page_window
from ostinato.client.options import Args, require_name, to_ms
from ostinato.jobs.arguments import plain_arguments
from ostinato.jobs.errors import Malformed
from ostinato.jobs.functions.new_cron import DEFAULT_FUNCTION
from ostinato.jobs.functions.task_changes import TaskPatch
from ostinato.jobs.paging import Page
from ostinato.jobs.records import RecurringTask
from ostinato.jobs.registry import FunctionRef, name_of
from ostinato.resolvers import recurring


class TaskChanges(TypedDict, total=False):
    """What `update_recurring_task` can change."""

    every: timedelta
    """The interval, 1 s to 5 years; it counts from the last tick."""
    function: FunctionRef
    args: Args
    """All arguments; without them, the function keeps those it has."""


class TaskVerbs(BaseClient):
    """Starts, changes, stops and reads recurring tasks.

    `owner` and the errors are as in `CronVerbs`.
    """

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
