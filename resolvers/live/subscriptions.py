"""Use cases of the subscriptions: whose changes a viewer may follow, each as an async iterator.

All raise NotFound, BadRequest naming `after`, HistoryLost for a cursor that is too old, and
SlowConsumer when the client does not keep up. Close an iterator to end it.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

from ostinato.jobs.changefeed import ChangeFilter
from ostinato.jobs.changes import WatchedCollection
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.mongo import reads
from ostinato.jobs.records import Batch, Cron, Job, RecurringTask, Request
from ostinato.resolvers.live.list_feed import ListFeed, ListSource
from ostinato.resolvers.live.messages import (
    BatchChange,
    CronChange,
    JobChange,
    RecurringTaskChange,
    RequestChange,
    SubscribeOptions,
)
from ostinato.resolvers.live.object_feed import ObjectFeed, ObjectSource
from ostinato.resolvers.request import RequestContext


async def job_changed(
    ctx: RequestContext,
    job_id: str,
    *,
    after: str | None = None,
    from_seq: int | None = None,
    wants_object: bool = True,
) -> AsyncIterator[JobChange]:
    """Follow one job: as it is, READY, then each event, on request from an earlier one on."""
    subject = ObjectSource(name="job", kind=Job, collection=WatchedCollection.JOBS, id=job_id)
    follower = ObjectFeed(ctx, subject, wants_object=wants_object)
    async with aclosing(follower.messages(after, from_seq)) as messages:
        async for m in messages:
            yield JobChange(
                cursor=m.cursor, kind=m.kind, place=m.place, job_id=m.id, event=m.event, job=m.found
            )


async def jobs_changed(
    ctx: RequestContext, job_filter: JobFilter, following: SubscribeOptions
) -> AsyncIterator[JobChange]:
    """Follow the viewer's jobs that match; LEFT tells of one that no longer does."""
    mongo, scope = ctx.engine.mongo, ctx.scope
    topic = ListSource(
        name="jobs",
        kind=Job,
        watch=ChangeFilter(collection=WatchedCollection.JOBS, owner=scope, job_filter=job_filter),
        read=lambda limit, behind: reads.find_newest_jobs(mongo, scope, job_filter, limit, behind),
    )
    async with aclosing(ListFeed(ctx, topic, following).messages()) as messages:
        async for m in messages:
            yield JobChange(
                cursor=m.cursor, kind=m.kind, place=m.place, job_id=m.id, event=m.event, job=m.found
            )


async def crons_changed(
    ctx: RequestContext, following: SubscribeOptions
) -> AsyncIterator[CronChange]:
    """Follow the viewer's crons; LEFT tells of a deleted one."""
    mongo, scope = ctx.engine.mongo, ctx.scope
    topic = ListSource(
        name="crons",
        kind=Cron,
        watch=ChangeFilter(collection=WatchedCollection.CRONS, owner=scope),
        read=lambda limit, behind: reads.find_newest(mongo, Cron, scope, limit, behind),
    )
    async with aclosing(ListFeed(ctx, topic, following).messages()) as messages:
        async for m in messages:
            yield CronChange(
                cursor=m.cursor, kind=m.kind, place=m.place, cron_id=m.id, cron=m.found
            )


async def recurring_tasks_changed(
    ctx: RequestContext, following: SubscribeOptions
) -> AsyncIterator[RecurringTaskChange]:
    """Follow the viewer's recurring tasks."""
    mongo, scope = ctx.engine.mongo, ctx.scope
    topic = ListSource(
        name="recurringTasks",
        kind=RecurringTask,
        watch=ChangeFilter(collection=WatchedCollection.TASK_CONFIGS, owner=scope),
        read=lambda limit, behind: reads.find_newest(mongo, RecurringTask, scope, limit, behind),
    )
    async with aclosing(ListFeed(ctx, topic, following).messages()) as messages:
        async for m in messages:
            yield RecurringTaskChange(
                cursor=m.cursor,
                kind=m.kind,
                place=m.place,
                task_id=m.task_id,
                recurring_task=m.found,
            )


async def request_changed(
    ctx: RequestContext, request_id: str, *, after: str | None = None, wants_object: bool = True
) -> AsyncIterator[RequestChange]:
    """Follow one request: as it is, READY, then each change."""
    subject = ObjectSource(
        name="request", kind=Request, collection=WatchedCollection.REQUESTS, id=request_id
    )
    follower = ObjectFeed(ctx, subject, wants_object=wants_object)
    async with aclosing(follower.messages(after)) as messages:
        async for m in messages:
            yield RequestChange(
                cursor=m.cursor, kind=m.kind, place=m.place, request_id=m.id, request=m.found
            )


async def batch_changed(
    ctx: RequestContext, batch_id: str, *, after: str | None = None, wants_object: bool = True
) -> AsyncIterator[BatchChange]:
    """Follow one batch: as it is, READY, then each change."""
    subject = ObjectSource(
        name="batch", kind=Batch, collection=WatchedCollection.BATCHES, id=batch_id
    )
    follower = ObjectFeed(ctx, subject, wants_object=wants_object)
    async with aclosing(follower.messages(after)) as messages:
        async for m in messages:
            yield BatchChange(
                cursor=m.cursor, kind=m.kind, place=m.place, batch_id=m.id, batch=m.found
            )
