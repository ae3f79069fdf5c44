"""Subscriptions to lists of requests, batches and failures, with their filters."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.filters import FailureFilter, FailureState
from ostinato.jobs.fingerprints import fingerprint_of
from ostinato.jobs.functions.answers import Answer, answer_request
from ostinato.jobs.functions.batch import (
    BatchPatch,
    NewBatch,
    cancel_batch,
    delete_batch,
    pause_batch,
    resume_batch,
    start_batch,
    update_batch,
)
from ostinato.jobs.functions.failures import record_failure
from ostinato.jobs.functions.requests import create_with_timeout, delete_request
from ostinato.jobs.functions.tasks import delete_task
from ostinato.jobs.mongo.client import Session
from ostinato.jobs.mongo.manual_changes import delete_failures
from ostinato.jobs.mongo.transaction import run_shielded_transaction
from ostinato.jobs.records import Batch, BatchState, Request, RequestState
from ostinato.jobs.settings import Settings
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.failures import resolve_failure
from ostinato.resolvers.live.messages import ChangeKind, LiveMessage, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import (
    batches_changed,
    failures_changed,
    recurring_tasks_changed,
    requests_changed,
)
from tests.live.fixtures import ContextFactory
from tests.live.reading import Client
from tests.live.writing import Writer
from tests.malformed import valid_document

ROWS = SubscribeOptions(snapshot=True)
LIVE = SubscribeOptions()
CHANGED, LEFT = ChangeKind.CHANGED, ChangeKind.LEFT
PENDING = (RequestState.PENDING,)
HOUR = timedelta(hours=1)
RESOLVED = (FailureState.RESOLVED,)
DONE = Answer(result=1, by="ann")


async def ask(ctx: RequestContext, owner: str = "ann") -> Request:
    body = partial(create_with_timeout, data=1, timeout_ms=60_000, run_handler=False)
    return await ctx.engine.transact(owner, body)


async def reply(ctx: RequestContext, request: Request) -> Request:
    return await ctx.engine.transact(
        "ann", partial(answer_request, request_id=request.id, given=DONE)
    )


async def start(ctx: RequestContext, owner: str = "ann") -> Batch:
    return await ctx.engine.transact(owner, partial(start_batch, new=NewBatch(source="items")))


async def fail(
    ctx: RequestContext, function_name: str = "tasks.runTask", message: str = "no luck"
) -> str:
    error = ValueError(message)
    return await ctx.engine.transact(
        "ann", lambda context: record_failure(context, function_name, error, {"n": 1})
    )


async def resolve_both(ctx: RequestContext, first: str, second: str) -> None:
    await resolve_failure(ctx, first)
    await resolve_failure(ctx, second)


def kinds(messages: list[LiveMessage[Any]]) -> list[tuple[ChangeKind, str | None]]:
    return [(message.kind, message.id) for message in messages]


async def test_requests_are_sent_until_they_are_deleted(as_viewer: ContextFactory) -> None:
    ctx = as_viewer()
    first = await ask(ctx)
    await ask(ctx, "bob")
    async with Client(requests_changed(ctx, None, ROWS)) as client:
        row, ready = await client.take(2)
        completed = await reply(ctx, first)
        changed = await client.next()
        await ctx.engine.transact("ann", partial(delete_request, request_id=first.id))
        left = await client.next()
        second = await ask(ctx)
        assert (await client.next()).id == second.id
    assert (row.record, ready.kind) == (first, ChangeKind.READY)
    assert (changed.kind, changed.record) == (ChangeKind.CHANGED, completed)
    assert (left.kind, left.id, left.record) == (ChangeKind.LEFT, first.id, None)


async def test_answered_request_leaves_the_list_of_pending_ones_once(
    as_viewer: ContextFactory,
) -> None:
    ctx = as_viewer()
    first = await ask(ctx)
    async with Client(requests_changed(ctx, PENDING, ROWS)) as client:
        row, _ = await client.take(2)
        second = await ask(ctx)
        await reply(ctx, first)
        third = await ask(ctx)
        changes = await client.take(3)
    assert row.id == first.id
    assert kinds(changes) == [(CHANGED, second.id), (LEFT, first.id), (CHANGED, third.id)]


@pytest.mark.parametrize("ring_events", [10_000, 1])
async def test_filtered_list_resumes_with_what_was_missed(
    as_viewer: ContextFactory, writer: Writer, settings: Settings, ring_events: int
) -> None:
    ctx = as_viewer()
    first, second = await ask(ctx), await ask(ctx)
    async with Client(requests_changed(ctx, PENDING, ROWS)) as client:
        cursor = (await client.ready()).cursor
    await reply(ctx, first)
    third = await ask(ctx)
    await reply(ctx, second)
    small = settings.model_copy(update={"ring_events": ring_events, "hub_history_ms": 0})
    async with ChangeFeed(writer.mongo, small) as fresh:
        resumed = requests_changed(as_viewer(at=fresh), PENDING, SubscribeOptions(after=cursor))
        async with Client(resumed) as client:
            missed = kinds(await client.take(4))[1:]
    assert missed == [(LEFT, first.id), (CHANGED, third.id), (LEFT, second.id)]


async def test_batches_are_filtered_by_their_current_state(as_viewer: ContextFactory) -> None:
    ctx = as_viewer("root", "admin")
    batch = await start(ctx)
    slow = partial(update_batch, patch=BatchPatch(batch_size=7))
    steps = (pause_batch, slow, resume_batch, slow, pause_batch, cancel_batch, delete_batch)
    async with Client(batches_changed(ctx, (BatchState.PAUSED,), LIVE)) as client:
        await client.ready()
        for step in steps:
            await ctx.engine.transact("ann", partial(step, batch_id=batch.id))
        changes = await client.take(6)
    assert [each.kind for each in changes] == [CHANGED, CHANGED, LEFT, CHANGED, LEFT, LEFT]
    assert {each.id for each in changes} == {batch.id}


async def test_failures_of_a_function_are_sent_until_they_are_resolved(
    as_viewer: ContextFactory,
) -> None:
    ctx = as_viewer()
    first = await fail(ctx)
    await fail(ctx, "tasks.other")
    which = FailureFilter(function_name="tasks.runTask")
    async with Client(failures_changed(ctx, which, ROWS)) as client:
        row, _ = await client.take(2)
        second = await fail(ctx)
        await resolve_failure(ctx, first)
        await fail(ctx, "tasks.other")
        third = await fail(ctx)
        changes = await client.take(3)
    assert row.id == first
    assert kinds(changes) == [(CHANGED, second), (LEFT, first), (CHANGED, third)]


@pytest.mark.parametrize("ring_events", [10_000, 1])
async def test_a_group_of_failures_is_followed_in_each_state(
    as_viewer: ContextFactory, writer: Writer, settings: Settings, ring_events: int
) -> None:
    settings = settings.model_copy(update={"ring_events": ring_events, "hub_history_ms": 0})
    mark = fingerprint_of("ValueError", "order 9 is late")
    async with ChangeFeed(writer.mongo, settings) as feed:
        ctx = as_viewer(at=feed)
        late, other = [await fail(ctx, message=text) for text in ("order 7 is late", "other")]
        done = FailureFilter(fingerprint=mark, states=RESOLVED)
        async with (
            Client(failures_changed(ctx, FailureFilter(fingerprint=mark), ROWS)) as live,
            Client(failures_changed(ctx, done, ROWS)) as resolved,
        ):
            assert kinds(await live.take(2))[0] == (ChangeKind.SNAPSHOT, late)
            await resolved.take(1)
            await resolve_both(ctx, other, late)
            assert kinds(await live.take(1)) == [(LEFT, late)]
            assert kinds(await resolved.take(1)) == [(CHANGED, late)]


async def test_only_failures_of_a_time_are_sent(as_viewer: ContextFactory, writer: Writer) -> None:
    ctx = as_viewer()
    start = await ctx.now() - HOUR
    old = valid_document("failures", "ann", at=start - HOUR)
    async with (
        Client(failures_changed(ctx, FailureFilter(failed_from=start), ROWS)) as live,
        Client(failures_changed(ctx, FailureFilter(failed_to=start), ROWS)) as earlier,
    ):
        await live.ready()
        await earlier.ready()
        recent = await fail(ctx)
        await writer.mongo["failures"].insert_one(old)
        await resolve_both(ctx, recent, old["_id"])
        assert kinds(await live.take(2)) == [(CHANGED, recent), (LEFT, recent)]
        assert kinds(await earlier.take(2)) == [(CHANGED, old["_id"]), (LEFT, old["_id"])]


async def test_failures_of_retried_jobs_leave_the_list_also_in_bulk(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    ctx = as_viewer()
    first, second = await fail(ctx), await fail(ctx)
    async with Client(failures_changed(ctx, FailureFilter(), ROWS)) as client:
        await client.ready()

        async def delete(session: Session) -> None:
            await delete_failures(writer.mongo, session, [first, second])

        await run_shielded_transaction(writer.mongo, delete)
        assert {kind for kind, _ in kinds(await client.take(2))} == {LEFT}


async def test_failures_of_others_are_not_sent(as_viewer: ContextFactory) -> None:
    ctx = as_viewer("bob")
    async with Client(failures_changed(ctx, FailureFilter(), LIVE)) as client:
        await client.ready()
        await fail(ctx)
        own = await ctx.engine.transact(
            "bob", lambda context: record_failure(context, "x", ValueError(), 1)
        )
        assert (await client.next()).id == own


async def test_deleted_task_of_any_owner_is_named_by_its_id(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    ids = [await writer.task(owner, task_id="poll") for owner in ("ann", "bob")]
    await writer.touch("taskConfigs", ids[1], enabled=False)
    ctx = as_viewer("root", "admin")
    async with Client(recurring_tasks_changed(ctx, ROWS)) as client:
        await client.ready()
        await ctx.engine.transact(None, partial(delete_task, document_id=ids[1]))
        left = await client.next()
    assert (left.kind, left.id) == (ChangeKind.LEFT, ids[1])
