"""Subscriptions to one job, crons, recurring tasks, requests and batches."""

from functools import partial

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.changes import Position
from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.jobs.functions.tasks import delete_task
from ostinato.jobs.ids import new_id
from ostinato.jobs.records import BatchState, Job, RequestState
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor
from ostinato.resolvers.live.messages import ChangeKind, LiveMessage, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import (
    batch_changed,
    crons_changed,
    job_changed,
    recurring_tasks_changed,
    request_changed,
)
from tests.live.fixtures import ContextFactory
from tests.live.reading import Client, first_message
from tests.live.writing import Writer

ROWS = SubscribeOptions(snapshot=True)


def seqs(changes: list[LiveMessage[Job]]) -> list[int | None]:
    return [change.event.seq if change.event else None for change in changes]


async def test_job_is_sent_as_a_snapshot_followed_by_each_event(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id = await writer.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        first, ready = await client.take(2)
        await writer.claim(job_id)
        await writer.progress(job_id, done=1)
        await writer.succeed(job_id)
        changes = await client.take(3)
    assert (first.kind, ready.kind) == (ChangeKind.SNAPSHOT, ChangeKind.READY)
    assert first.record is not None
    assert seqs(changes) == [2, None, 3]
    assert {change.id for change in changes} == {job_id}


async def test_timeline_is_replayed_from_any_event(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id = await writer.run()
    async with Client(job_changed(as_viewer(), job_id, from_seq=2)) as client:
        await client.ready()
        assert seqs(await client.take(2)) == [2, 3]


async def test_interrupted_replay_resumes_after_its_cursor(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id = await writer.run()
    async with Client(job_changed(as_viewer(), job_id, from_seq=1)) as client:
        await client.ready()
        cursor = (await client.next()).cursor
    async with Client(job_changed(as_viewer(), job_id, after=cursor, from_seq=1)) as client:
        await client.ready()
        assert seqs(await client.take(2)) == [2, 3]


async def test_subscription_to_one_job_resumes_with_missed_changes(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id = await writer.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        cursor = (await client.ready()).cursor
    await writer.claim(job_id)
    await writer.progress(job_id, done=1)
    async with Client(job_changed(as_viewer(), job_id, after=cursor)) as client:
        assert (await client.next()).kind is ChangeKind.READY
        missed = await client.next()
        await writer.succeed(job_id)
        assert seqs([missed, await client.next()]) == [2, 3]
    assert missed.record is not None
    assert missed.record.progress is not None


async def test_cursor_of_a_job_snapshot_resumes_with_a_snapshot_without_reset(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id = await writer.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        cursor = (await client.next()).cursor
    await writer.claim(job_id)
    async with Client(job_changed(as_viewer(), job_id, after=cursor)) as client:
        row, ready = await client.take(2)
    assert (row.kind, ready.kind) == (ChangeKind.SNAPSHOT, ChangeKind.READY)
    assert row.record is not None
    assert row.record.timeline[-1].seq == 2


async def test_cursor_of_one_job_is_valid_without_history(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id, ctx = await writer.job(), as_viewer()
    old = LiveCursor(position=Position("8200"), topic=f"job:{job_id}", seq=1, version=1)
    await writer.claim(job_id)
    after = CursorCodec(ctx.engine.settings).encode(old)
    async with Client(job_changed(ctx, job_id, after=after)) as client:
        assert (await client.next()).kind is ChangeKind.READY
        assert seqs([await client.next()]) == [2]


async def test_missed_progress_is_sent_once(as_viewer: ContextFactory, writer: Writer) -> None:
    job_id = await writer.job()
    await writer.claim(job_id)
    async with Client(job_changed(as_viewer(), job_id)) as client:
        cursor = (await client.ready()).cursor
    await writer.progress(job_id, done=1)
    await writer.progress(job_id, done=2)
    async with Client(job_changed(as_viewer(), job_id, after=cursor)) as client:
        await client.ready()
        missed = await client.next()
        await writer.succeed(job_id)
        assert seqs([missed, await client.next()]) == [None, 3]


async def test_cursor_of_another_job_is_rejected(as_viewer: ContextFactory, writer: Writer) -> None:
    job_id, other = await writer.job(), await writer.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        cursor = (await client.ready()).cursor
    with pytest.raises(BadRequest, match="another subscription"):
        await first_message(job_changed(as_viewer(), other, after=cursor))


async def test_from_seq_below_one_is_rejected(as_viewer: ContextFactory, writer: Writer) -> None:
    with pytest.raises(BadRequest, match="fromSeq must be at least 1"):
        await first_message(job_changed(as_viewer(), await writer.job(), from_seq=0))


async def test_job_of_another_owner_and_unknown_job_have_the_same_error(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    messages = set()
    for job_id in (await writer.job("bob"), new_id()):
        with pytest.raises(NotFound) as raised:
            await first_message(job_changed(as_viewer("ann"), job_id))
        messages.add(str(raised.value))
    assert len(messages) == 1


async def test_admin_can_subscribe_to_the_job_of_any_owner(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id = await writer.job("bob")
    async with Client(job_changed(as_viewer("root", "admin"), job_id)) as client:
        assert (await client.next()).id == job_id


async def test_crons_are_sent_until_they_are_deleted(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    cron_id = await writer.cron()
    await writer.cron("bob")
    async with Client(crons_changed(as_viewer(), ROWS)) as client:
        row, ready = await client.take(2)
        await writer.touch("crons", cron_id, enabled=False)
        paused = await client.next()
        await writer.delete_cron(cron_id)
        left = await client.next()
        again = await writer.cron()
        assert (await client.next()).id == again
    assert (row.id, ready.kind) == (cron_id, ChangeKind.READY)
    assert paused.record is not None
    assert not paused.record.enabled
    assert (left.kind, left.id, left.record) == (ChangeKind.LEFT, cron_id, None)


async def test_deletion_of_a_cron_is_sent_once_to_a_late_client(
    as_viewer: ContextFactory, writer: Writer, settings: Settings
) -> None:
    cron_id = await writer.cron()
    async with Client(crons_changed(as_viewer(), ROWS)) as client:
        cursor = (await client.take(2))[-1].cursor
    await writer.delete_cron(cron_id)
    again = await writer.cron()
    small = settings.model_copy(update={"ring_events": 100, "hub_history_ms": 0})
    async with (
        ChangeFeed(writer.mongo, small) as fresh,
        Client(crons_changed(as_viewer(at=fresh), SubscribeOptions(after=cursor))) as client,
    ):
        _, left, next_one = await client.take(3)
    assert (left.kind, left.id) == (ChangeKind.LEFT, cron_id)
    assert (next_one.kind, next_one.id) == (ChangeKind.CHANGED, again)


async def test_recurring_tasks_are_identified_by_task_id(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    document_id = await writer.task(task_id="poll")
    await writer.task("bob", task_id="theirs")
    async with Client(recurring_tasks_changed(as_viewer(), ROWS)) as client:
        row, _ = await client.take(2)
        await writer.touch("taskConfigs", document_id, enabled=False)
        stopped = await client.next()
        await writer.task(task_id="other")
        started = await client.next()
    assert [m.task_id for m in (row, stopped, started)] == ["poll", "poll", "other"]
    assert stopped.record is not None
    assert not stopped.record.enabled


async def test_deleted_recurring_task_is_named(as_viewer: ContextFactory, writer: Writer) -> None:
    document_id = await writer.task(task_id="poll")
    await writer.touch("taskConfigs", document_id, enabled=False)
    async with Client(recurring_tasks_changed(as_viewer(), ROWS)) as client:
        await client.take(2)
        await as_viewer().engine.transact("ann", partial(delete_task, document_id=document_id))
        left = await client.next()
    assert (left.kind, left.task_id, left.record) == (ChangeKind.LEFT, "poll", None)


async def test_changes_to_a_request_are_sent(as_viewer: ContextFactory, writer: Writer) -> None:
    request_id = await writer.request()
    async with Client(request_changed(as_viewer(), request_id)) as client:
        cursor = (await client.ready()).cursor
        await writer.touch("requests", request_id, state="completed")
        change = await client.next()
    assert change.record is not None
    assert change.record.state is RequestState.COMPLETED
    async with Client(request_changed(as_viewer(), request_id, after=cursor)) as client:
        await client.ready()
        assert (await client.next()).record == change.record


async def test_changes_to_a_batch_are_sent_to_its_owner(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    batch_id = await writer.batch()
    async with Client(batch_changed(as_viewer(), batch_id)) as client:
        await client.ready()
        await writer.touch("batches", batch_id, state="done")
        change = await client.next()
    assert change.record is not None
    assert change.record.state is BatchState.DONE
    with pytest.raises(NotFound):
        await first_message(batch_changed(as_viewer("bob"), batch_id))


async def test_deleted_request_ends_its_subscription(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    request_id = await writer.request()
    async with Client(request_changed(as_viewer(), request_id)) as client:
        await client.ready()
        await writer.touch("requests", request_id, state="timeout")
        await client.next()
        await writer.mongo["requests"].delete_one({"_id": request_id})
        assert (await client.next()).kind is ChangeKind.LEFT
        with pytest.raises(StopAsyncIteration):
            await client.next()
