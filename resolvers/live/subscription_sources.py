"""Use cases of subscriptions: the live queries of the objects and lists in a viewer's scope.

Iteration raises NotFound, BadRequest at `after`, HistoryLost for an expired cursor, and
SlowConsumer if the client does not keep up.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Final, TypeVar

from ostinato.jobs.alerts import Alert, AlertState
from ostinato.jobs.bulk_actions import BulkAction
from ostinato.jobs.changefeed import ChangeFilter
from ostinato.jobs.changes import ClusterTime, WatchedCollection
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.filters import FailureFilter, JobFilter
from ostinato.jobs.paging import Page, Window
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
from ostinato.resolvers.context import RequestContext, in_states
from ostinato.resolvers.live.list_query import ListQuery, ListSource
from ostinato.resolvers.live.live_query import LiveQuery
from ostinato.resolvers.live.log_query import LogMessage, LogQuery
from ostinato.resolvers.live.messages import LiveMessage, SubscribeOptions
from ostinato.resolvers.live.object_query import ObjectQuery, ObjectSource
from ostinato.resolvers.scheduling import scope_of

R = TypeVar("R", Cron, RecurringTask, Batch, Request, Alert, BulkAction)


LISTS: Final[dict[type, tuple[str, WatchedCollection]]] = {
    Cron: ("crons", WatchedCollection.CRONS),
    RecurringTask: ("recurringTasks", WatchedCollection.TASK_CONFIGS),
    Batch: ("batches", WatchedCollection.BATCHES),
    Request: ("requests", WatchedCollection.REQUESTS),
    Alert: ("alerts", WatchedCollection.ALERTS),
    BulkAction: ("bulkActions", WatchedCollection.BULK_ACTIONS),
    Failure: ("failures", WatchedCollection.FAILURES),
}
"""The name of each list in cursors, and its collection."""


def job_changed(
    ctx: RequestContext,
    job_id: str,
    *,
    after: str | None = None,
    from_seq: int | None = None,
    wants_object: bool = True,
) -> LiveQuery[LiveMessage[Job]]:
    """Follow one job: its current state, READY, then each event, optionally from `from_seq`."""
    source = ObjectSource(
        kind=Job,
        id=job_id,
        after=after,
        from_seq=from_seq,
        wants_object=wants_object,
    )
    return ObjectQuery(ctx, source)


def jobs_changed(
    ctx: RequestContext, job_filter: JobFilter, options: SubscribeOptions
) -> LiveQuery[LiveMessage[Job]]:
    """Follow the viewer's matching jobs; LEFT reports a job that no longer matches."""
    reads, scope = ctx.engine.reads, scope_of(ctx, job_filter)
    source = ListSource(
        name="jobs",
        kind=Job,
        change_filter=ChangeFilter(
            collection=WatchedCollection.JOBS, owner=scope, job_filter=job_filter
        ),
        read=lambda window, time: reads.find_newest_jobs(scope, job_filter, window, time),
    )
    return ListQuery(ctx, source, options)


def job_tree_changed(
    ctx: RequestContext, root_id: str, options: SubscribeOptions
) -> LiveQuery[LiveMessage[Job]]:
    """Follow the viewer's jobs of one tree, including internal jobs and those to come."""
    reads, scope = ctx.engine.reads, ctx.scope
    tree = JobFilter(root_id=root_id, internal=None)
    source = ListSource(
        name=f"jobTree:{root_id}",
        kind=Job,
        change_filter=ChangeFilter(collection=WatchedCollection.JOBS, owner=scope, job_filter=tree),
        read=lambda window, time: reads.find_newest_jobs(scope, tree, window, time),
    )
    return ListQuery(ctx, source, options)


def jobs_with_ids_changed(
    ctx: RequestContext, ids: Collection[str], options: SubscribeOptions
) -> LiveQuery[LiveMessage[Job]]:
    """Follow those of the viewer's jobs that have these ids."""
    reads, scope, chosen = ctx.engine.reads, ctx.scope, frozenset(ids)

    async def read(window: Window, time: ClusterTime) -> Page[Job]:
        found = (await reads.find_by_ids(Job, sorted(chosen)[: window.limit], scope, time)).values()
        items = tuple(each for each in found if isinstance(each, Job))
        return Page(items=items, has_next=False, has_previous=False)

    source = ListSource(
        name="jobsWithIds",
        kind=Job,
        change_filter=ChangeFilter(
            collection=WatchedCollection.JOBS, owner=scope, job_filter=JobFilter(internal=None)
        ),
        ids=chosen,
        read=read,
    )
    return ListQuery(ctx, source, options)


def job_logs_changed(
    ctx: RequestContext, job_id: str, *, after: str | None = None
) -> LiveQuery[LogMessage]:
    """Follow the log of one job: the stored lines, READY, then new lines."""
    return LogQuery(ctx, job_id, after)


def crons_changed(ctx: RequestContext, options: SubscribeOptions) -> LiveQuery[LiveMessage[Cron]]:
    """Follow the viewer's crons; LEFT reports a deleted cron."""
    return _list_query(ctx, options, Cron)


def cron_ticks_changed(
    ctx: RequestContext, cron_id: str | None, options: SubscribeOptions
) -> LiveQuery[LiveMessage[CronTick]]:
    """Follow what becomes of the ticks of the viewer's crons, or of one of them."""
    reads, scope = ctx.engine.reads, ctx.scope
    fields = {} if cron_id is None else {"cronId": cron_id}
    of_cron = JobFilter(cause_id=cron_id, internal=None)
    source = ListSource(
        name="cronTicks" if cron_id is None else f"cronTicks:{cron_id}",
        kind=CronTick,
        change_filter=ChangeFilter(
            collection=WatchedCollection.CRON_TICKS, owner=scope, job_filter=of_cron
        ),
        read=lambda window, time: reads.find_newest(CronTick, scope, window, time, **fields),
    )
    return ListQuery(ctx, source, options)


def alerts_changed(
    ctx: RequestContext, states: tuple[AlertState, ...] | None, options: SubscribeOptions
) -> LiveQuery[LiveMessage[Alert]]:
    """Follow the alerts about the viewer's crons and jobs, or all for an admin, in some states;
    LEFT reports one that is in no such state."""
    return _list_query(ctx, options, Alert, _in_states(states))


def recurring_tasks_changed(
    ctx: RequestContext, options: SubscribeOptions
) -> LiveQuery[LiveMessage[RecurringTask]]:
    """Follow the viewer's recurring tasks."""
    return _list_query(ctx, options, RecurringTask)


def requests_changed(
    ctx: RequestContext, states: tuple[RequestState, ...] | None, options: SubscribeOptions
) -> LiveQuery[LiveMessage[Request]]:
    """Follow the viewer's requests in some states; LEFT reports one that is in no such state."""
    which = _in_states(states)
    return _list_query(ctx, options, Request, which)


def batches_changed(
    ctx: RequestContext, states: tuple[BatchState, ...] | None, options: SubscribeOptions
) -> LiveQuery[LiveMessage[Batch]]:
    """Follow the viewer's batches in some states; LEFT reports one that is in no such state."""
    return _list_query(ctx, options, Batch, _in_states(states))


def failures_changed(
    ctx: RequestContext, which: FailureFilter, options: SubscribeOptions
) -> LiveQuery[LiveMessage[Failure]]:
    """Follow the viewer's matching failures; LEFT reports one that no longer matches."""
    reads, scope = ctx.engine.reads, scope_of(ctx, which)
    name, collection = LISTS[Failure]
    as_of_jobs = JobFilter(
        states=which.states,
        function_name=which.function_name,
        key=which.fingerprint,
        created_from=which.failed_from,
        created_to=which.failed_to,
        internal=None,
    )
    source = ListSource(
        name=name,
        kind=Failure,
        change_filter=ChangeFilter(collection=collection, owner=scope, job_filter=as_of_jobs),
        read=lambda window, time: reads.find_newest_failures(scope, which, window, time),
    )
    return ListQuery(ctx, source, options)


def _in_states(states: tuple[StrEnum, ...] | None) -> JobFilter | None:
    return None if states is None else JobFilter(states=states, internal=None)


def bulk_actions_changed(
    ctx: RequestContext, options: SubscribeOptions
) -> LiveQuery[LiveMessage[BulkAction]]:
    """Follow the viewer's bulk actions."""
    return _list_query(ctx, options, BulkAction)


def request_changed(
    ctx: RequestContext, request_id: str, *, after: str | None = None, wants_object: bool = True
) -> LiveQuery[LiveMessage[Request]]:
    """Follow one request: its current state, READY, then each change."""
    source = ObjectSource(kind=Request, id=request_id, after=after, wants_object=wants_object)
    return ObjectQuery(ctx, source)


def batch_changed(
    ctx: RequestContext, batch_id: str, *, after: str | None = None, wants_object: bool = True
) -> LiveQuery[LiveMessage[Batch]]:
    """Follow one batch: its current state, READY, then each change."""
    source = ObjectSource(kind=Batch, id=batch_id, after=after, wants_object=wants_object)
    return ObjectQuery(ctx, source)


def _list_query(
    ctx: RequestContext, options: SubscribeOptions, kind: type[R], which: JobFilter | None = None
) -> LiveQuery[LiveMessage[R]]:
    """Follow the viewer's objects of one kind, all or those in some states."""
    reads, scope = ctx.engine.reads, ctx.scope
    fields = in_states(None if which is None else which.states)
    name, collection = LISTS[kind]
    source = ListSource(
        name=name,
        kind=kind,
        change_filter=ChangeFilter(collection=collection, owner=scope, job_filter=which),
        read=lambda window, time: reads.find_newest(kind, scope, window, time, **fields),
    )
    return ListQuery(ctx, source, options)
