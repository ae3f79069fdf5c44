"""The other subscriptions: one job, crons, recurring tasks, requests, batches."""

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.changes import Position
from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.jobs.ids import new_id
from ostinato.jobs.records import BatchState, Job, RequestState
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor
from ostinato.resolvers.live.messages import Change, ChangeKind, SubscribeOptions
from ostinato.resolvers.live.queries import (
    batch_changed,
    crons_changed,
    job_changed,
    recurring_tasks_changed,
    request_changed,
)
from tests.live.fixtures import As
from tests.live.reading import Client, first_message
from tests.live.writing import Writer

ROWS = SubscribeOptions(snapshot=True)


def seqs(changes: list[Change[Job]]) -> list[int | None]:
    return [change.event.seq if change.event else None for change in changes]


async def test_job_is_shown_as_it_is_then_each_event(as_viewer: As, write: Writer) -> None:
    job_id = await write.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        first, ready = await client.take(2)
        await write.claim(job_id)
        await write.progress(job_id, done=1)
        await write.succeed(job_id)
        changes = await client.take(3)
    assert (first.kind, ready.kind) == (ChangeKind.SNAPSHOT, ChangeKind.READY)
    assert first.record is not None
    assert seqs(changes) == [2, None, 3]
    assert {change.id for change in changes} == {job_id}


async def test_timeline_is_replayed_from_any_event(as_viewer: As, write: Writer) -> None:
    job_id = await write.run()
    async with Client(job_changed(as_viewer(), job_id, from_seq=2)) as client:
        await client.ready()
        assert seqs(await client.take(2)) == [2, 3]


async def test_replay_that_was_cut_off_goes_on_at_its_cursor(as_viewer: As, write: Writer) -> None:
    job_id = await write.run()
    async with Client(job_changed(as_viewer(), job_id, from_seq=1)) as client:
        await client.ready()
        cursor = (await client.next()).cursor
    async with Client(job_changed(as_viewer(), job_id, after=cursor, from_seq=1)) as client:
        await client.ready()
        assert seqs(await client.take(2)) == [2, 3]


async def test_one_job_resumes_with_what_it_missed(as_viewer: As, write: Writer) -> None:
    job_id = await write.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        cursor = (await client.ready()).cursor
    await write.claim(job_id)
    await write.progress(job_id, done=1)
    async with Client(job_changed(as_viewer(), job_id, after=cursor)) as client:
        assert (await client.next()).kind is ChangeKind.READY
        missed = await client.next()
        await write.succeed(job_id)
        assert seqs([missed, await client.next()]) == [2, 3]
    assert missed.record is not None
    assert missed.record.progress is not None


async def test_cursor_of_its_snapshot_begins_with_a_snapshot_and_no_reset(
    as_viewer: As, write: Writer
) -> None:
    job_id = await write.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        cursor = (await client.next()).cursor
    await write.claim(job_id)
    async with Client(job_changed(as_viewer(), job_id, after=cursor)) as client:
        row, ready = await client.take(2)
    assert (row.kind, ready.kind) == (ChangeKind.SNAPSHOT, ChangeKind.READY)
    assert row.record is not None
    assert row.record.timeline[-1].seq == 2


async def test_its_cursor_is_good_when_history_is_gone(as_viewer: As, write: Writer) -> None:
    job_id, ctx = await write.job(), as_viewer()
    old = LiveCursor(position=Position("8200"), topic=f"job:{job_id}", seq=1, version=1)
    await write.claim(job_id)
    after = CursorCodec(ctx.engine.settings).encode(old)
    async with Client(job_changed(ctx, job_id, after=after)) as client:
        assert (await client.next()).kind is ChangeKind.READY
        assert seqs([await client.next()]) == [2]


async def test_progress_missed_is_told_once(as_viewer: As, write: Writer) -> None:
    job_id = await write.job()
    await write.claim(job_id)
    async with Client(job_changed(as_viewer(), job_id)) as client:
        cursor = (await client.ready()).cursor
    await write.progress(job_id, done=1)
    await write.progress(job_id, done=2)
    async with Client(job_changed(as_viewer(), job_id, after=cursor)) as client:
        await client.ready()
        missed = await client.next()
        await write.succeed(job_id)
        assert seqs([missed, await client.next()]) == [None, 3]


async def test_cursor_of_another_job_is_refused(as_viewer: As, write: Writer) -> None:
    one, other = await write.job(), await write.job()
    async with Client(job_changed(as_viewer(), one)) as client:
        cursor = (await client.ready()).cursor
    with pytest.raises(BadRequest, match="another subscription"):
        await first_message(job_changed(as_viewer(), other, after=cursor))


async def test_from_seq_below_one_is_refused(as_viewer: As, write: Writer) -> None:
    with pytest.raises(BadRequest, match="fromSeq must be at least 1"):
        await first_message(job_changed(as_viewer(), await write.job(), from_seq=0))


async def test_someone_elses_job_is_as_unknown_as_one_that_does_not_exist(
    as_viewer: As, write: Writer
) -> None:
    messages = set()
    for job_id in (await write.job("bob"), new_id()):
        with pytest.raises(NotFound) as refused:
            await first_message(job_changed(as_viewer("ann"), job_id))
        messages.add(str(refused.value))
    assert len(messages) == 1


async def test_admin_follows_anybodys_job(as_viewer: As, write: Writer) -> None:
    job_id = await write.job("bob")
    async with Client(job_changed(as_viewer("root", "admin"), job_id)) as client:
        assert (await client.next()).id == job_id


async def test_crons_are_shown_and_followed_until_they_are_deleted(
    as_viewer: As, write: Writer
) -> None:
    cron_id = await write.cron()
    await write.cron("bob")
    async with Client(crons_changed(as_viewer(), ROWS)) as client:
        row, ready = await client.take(2)
        await write.touch("crons", cron_id, enabled=False)
        paused = await client.next()
        await write.delete_cron(cron_id)
        left = await client.next()
        again = await write.cron()
        assert (await client.next()).id == again
    assert (row.id, ready.kind) == (cron_id, ChangeKind.READY)
    assert paused.record is not None
    assert not paused.record.enabled
    assert (left.kind, left.id, left.record) == (ChangeKind.LEFT, cron_id, None)


async def test_deletion_of_a_cron_is_told_once_even_long_after(
    as_viewer: As, write: Writer, settings: Settings
) -> None:
    cron_id = await write.cron()
    async with Client(crons_changed(as_viewer(), ROWS)) as client:
        cursor = (await client.take(2))[-1].cursor
    await write.delete_cron(cron_id)
    again = await write.cron()
    small = settings.model_copy(update={"ring_events": 100, "hub_history_ms": 0})
    async with (
        ChangeFeed(write.mongo, small) as fresh,
        Client(crons_changed(as_viewer(at=fresh), SubscribeOptions(after=cursor))) as client,
    ):
        _, left, next_one = await client.take(3)
    assert (left.kind, left.id) == (ChangeKind.LEFT, cron_id)
    assert (next_one.kind, next_one.id) == (ChangeKind.CHANGED, again)


async def test_recurring_tasks_go_by_their_own_names(as_viewer: As, write: Writer) -> None:
    document_id = await write.task(task_id="poll")
    await write.task("bob", task_id="theirs")
    async with Client(recurring_tasks_changed(as_viewer(), ROWS)) as client:
        row, _ = await client.take(2)
        await write.touch("taskConfigs", document_id, enabled=False)
        stopped = await client.next()
        await write.task(task_id="other")
        started = await client.next()
    assert [m.task_id for m in (row, stopped, started)] == ["poll", "poll", "other"]
    assert stopped.record is not None
    assert not stopped.record.enabled


async def test_request_is_followed(as_viewer: As, write: Writer) -> None:
    request_id = await write.request()
    async with Client(request_changed(as_viewer(), request_id)) as client:
        cursor = (await client.ready()).cursor
        await write.touch("requests", request_id, state="completed")
        change = await client.next()
    assert change.record is not None
    assert change.record.state is RequestState.COMPLETED
    async with Client(request_changed(as_viewer(), request_id, after=cursor)) as client:
        await client.ready()
        assert (await client.next()).record == change.record


async def test_batch_is_followed(as_viewer: As, write: Writer) -> None:
    batch_id = await write.batch()
    async with Client(batch_changed(as_viewer(), batch_id)) as client:
        await client.ready()
        await write.touch("batches", batch_id, state="done")
        change = await client.next()
    assert change.record is not None
    assert change.record.state is BatchState.DONE
    with pytest.raises(NotFound):
        await first_message(batch_changed(as_viewer("bob"), batch_id))


async def test_request_that_is_deleted_ends_its_subscription(as_viewer: As, write: Writer) -> None:
    request_id = await write.request()
    async with Client(request_changed(as_viewer(), request_id)) as client:
        await client.ready()
        await write.touch("requests", request_id, state="timeout")
        await client.next()
        await write.mongo["requests"].delete_one({"_id": request_id})
        assert (await client.next()).kind is ChangeKind.LEFT
        with pytest.raises(StopAsyncIteration):
            await client.next()
