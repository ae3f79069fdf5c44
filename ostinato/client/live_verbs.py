"""The client's verbs that follow changes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import TypeVar

from ostinato.client.base_client import BaseClient
from ostinato.client.options import job_filter, to_ms
from ostinato.jobs.activity import Activity, ActivityRange
from ostinato.jobs.alerts import Alert, AlertState
from ostinato.jobs.bulk_actions import BulkAction
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.filters import FailureFilter, JobFilter
from ostinato.jobs.records import (
    Batch,
    BatchState,
    Cron,
    Failure,
    Job,
    RecurringTask,
    Request,
    RequestState,
)
from ostinato.jobs.registry import FunctionRef, name_of
from ostinato.jobs.worker_records import JobCounts
from ostinato.resolvers.context import ApplicationContext
from ostinato.resolvers.live import subscription_sources as sources
from ostinato.resolvers.live.activity_query import ActivityQuery
from ostinato.resolvers.live.live_query import LiveQuery
from ostinato.resolvers.live.log_query import LogMessage
from ostinato.resolvers.live.messages import LiveMessage, SubscribeOptions
from ostinato.resolvers.live.stats_query import stats_changed

M = TypeVar("M")
Changes = AsyncGenerator[M, None]


class LiveVerbs(BaseClient):
    """Follows jobs, crons, recurring tasks, batches, requests, failures, alerts and bulk actions.

    The verbs yield the messages of the GraphQL subscriptions: SNAPSHOT, READY, CHANGED, LEFT,
    CHECKPOINT and RESET. Each has a cursor; `after=` resumes after it, once and in order. Close the
    iterators (`contextlib.aclosing`). They raise BadRequest at `after`, NotFound for an unknown id,
    HistoryLost for a cursor that is too old, SlowConsumer and Unavailable. The first one opens a
    change stream, which all of them share.
    """

    async def changes(
        self,
        which: JobFilter | None = None,
        *,
        owner: str | None = None,
        after: str | None = None,
        snapshot: bool = False,
    ) -> Changes[LiveMessage[Job]]:
        """Follow matching jobs; with `snapshot`, first the newest ones that exist."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        chosen = job_filter(which)
        async for message in self._follow(
            owner, lambda context: sources.jobs_changed(context, chosen, options)
        ):
            yield message

    async def job_changes(
        self, job_id: str, *, owner: str | None = None, after: str | None = None
    ) -> Changes[LiveMessage[Job]]:
        """Follow one job: its current state, then each event."""
        async for message in self._follow(
            owner, lambda context: sources.job_changed(context, job_id, after=after)
        ):
            yield message

    async def tree_changes(
        self,
        root_id: str,
        *,
        owner: str | None = None,
        after: str | None = None,
        snapshot: bool = False,
    ) -> Changes[LiveMessage[Job]]:
        """Follow the jobs of a tree, also those that are scheduled later."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        async for message in self._follow(
            owner, lambda context: sources.job_tree_changed(context, root_id, options)
        ):
            yield message

    async def log_changes(
        self, job_id: str, *, owner: str | None = None, after: str | None = None
    ) -> Changes[LogMessage]:
        """Follow the log of a job: the stored lines, then new ones."""
        async for message in self._follow(
            owner, lambda context: sources.job_logs_changed(context, job_id, after=after)
        ):
            yield message

    async def cron_changes(
        self, *, owner: str | None = None, after: str | None = None, snapshot: bool = False
    ) -> Changes[LiveMessage[Cron]]:
        """Follow crons; LEFT reports a deleted one."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        async for message in self._follow(
            owner, lambda context: sources.crons_changed(context, options)
        ):
            yield message

    async def cron_tick_changes(
        self,
        cron_id: str | None = None,
        *,
        owner: str | None = None,
        after: str | None = None,
        snapshot: bool = False,
    ) -> Changes[LiveMessage[CronTick]]:
        """Follow what becomes of the ticks of all crons, or of one."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        async for message in self._follow(
            owner, lambda context: sources.cron_ticks_changed(context, cron_id, options)
        ):
            yield message

    async def alert_changes(
        self,
        *states: AlertState,
        owner: str | None = None,
        after: str | None = None,
        snapshot: bool = False,
    ) -> Changes[LiveMessage[Alert]]:
        """Follow all alerts or those about an owner's crons and jobs, of some states if given; LEFT
        reports one that is in no such state."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        async for message in self._follow(
            owner, lambda context: sources.alerts_changed(context, states or None, options)
        ):
            yield message

    async def recurring_task_changes(
        self, *, owner: str | None = None, after: str | None = None, snapshot: bool = False
    ) -> Changes[LiveMessage[RecurringTask]]:
        """Follow recurring tasks."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        async for message in self._follow(
            owner, lambda context: sources.recurring_tasks_changed(context, options)
        ):
            yield message

    async def batch_changes(
        self, batch_id: str, *, owner: str | None = None, after: str | None = None
    ) -> Changes[LiveMessage[Batch]]:
        """Follow one batch: its current state, then each change."""
        async for message in self._follow(
            owner, lambda context: sources.batch_changed(context, batch_id, after=after)
        ):
            yield message

    async def request_changes(
        self, request_id: str, *, owner: str | None = None, after: str | None = None
    ) -> Changes[LiveMessage[Request]]:
        """Follow one request: its current state, then each change."""
        async for message in self._follow(
            owner, lambda context: sources.request_changed(context, request_id, after=after)
        ):
            yield message

    async def batch_list_changes(
        self,
        *states: BatchState,
        owner: str | None = None,
        after: str | None = None,
        snapshot: bool = False,
    ) -> Changes[LiveMessage[Batch]]:
        """Follow batches, of some states if given; LEFT reports one that is in no such state."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        async for message in self._follow(
            owner, lambda context: sources.batches_changed(context, states or None, options)
        ):
            yield message

    async def request_list_changes(
        self,
        *states: RequestState,
        owner: str | None = None,
        after: str | None = None,
        snapshot: bool = False,
    ) -> Changes[LiveMessage[Request]]:
        """Follow requests, of some states if given; LEFT reports one that is in no such state."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        async for message in self._follow(
            owner, lambda context: sources.requests_changed(context, states or None, options)
        ):
            yield message

    async def bulk_action_changes(
        self, *, owner: str | None = None, after: str | None = None, snapshot: bool = False
    ) -> Changes[LiveMessage[BulkAction]]:
        """Follow bulk actions."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        async for message in self._follow(
            owner, lambda context: sources.bulk_actions_changed(context, options)
        ):
            yield message

    async def failure_changes(
        self,
        which: FailureFilter | None = None,
        *,
        owner: str | None = None,
        after: str | None = None,
        snapshot: bool = False,
    ) -> Changes[LiveMessage[Failure]]:
        """Follow failures, without a filter the open ones; LEFT reports one that is resolved, or
        whose job is retried."""
        options = SubscribeOptions(after=after, snapshot=snapshot)
        chosen = which or FailureFilter()
        async for message in self._follow(
            owner, lambda context: sources.failures_changed(context, chosen, options)
        ):
            yield message

    async def count_changes(
        self, every: timedelta = timedelta(seconds=1), *, owner: str | None = None
    ) -> Changes[JobCounts]:
        """Yield the numbers of jobs by state: the current ones, then at every interval of at least
        500 ms."""
        follow = self._follow(owner, lambda context: stats_changed(context, to_ms(every)))
        async with aclosing(follow) as messages:
            async for stats in messages:
                yield stats.counts

    async def activity_changes(
        self,
        reach: ActivityRange,
        every: timedelta = timedelta(seconds=5),
        *,
        function: FunctionRef | None = None,
        owner: str | None = None,
    ) -> Changes[Activity]:
        """Yield the whole series, then its newest points at every interval of at least a second."""
        name = None if function is None else name_of(function)
        follow = self._follow(
            owner, lambda context: ActivityQuery(context, reach, name, to_ms(every))
        )
        async with aclosing(follow) as messages:
            async for message in messages:
                yield message.activity

    async def _follow(
        self, owner: str | None, start: Callable[[ApplicationContext], LiveQuery[M]]
    ) -> Changes[M]:
        messages = aiter(start(await self.following(owner)))
        async with aclosing(messages):  # type: ignore[type-var]  # it is a generator
            async for message in messages:
                yield message
