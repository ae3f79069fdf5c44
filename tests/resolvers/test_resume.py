"""Resuming: missed changes are sent once and in order, from the ring or from MongoDB."""

import asyncio

import pytest

from ostinato.jobs.changefeed import ChangeFeed, replay
from ostinato.jobs.changes import Position
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import BadRequest, HistoryLost, Unavailable
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.settings import Settings
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import crons_changed, jobs_changed
from tests.live.breaking import wait_until_processed
from tests.live.fixtures import ContextFactory
from tests.live.reading import first_message, follow, ready_cursor, received
from tests.live.watching import SubscriptionRig
from tests.live.writing import Writer

ALL = JobFilter()


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"ring_events": 4, "subscription_buffer": 10})


async def test_missed_changes_come_from_the_ring(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    cursor = await ready_cursor(as_viewer())
    job_id = await writer.run()
    await wait_until_processed(feed)
    async with follow(as_viewer(), cursor) as client:
        assert (await client.next()).kind is ChangeKind.READY
        assert received(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]
    assert feed.stats.replays == 0


async def test_missed_changes_older_than_the_ring_come_from_a_catch_up_stream(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    cursor = await ready_cursor(as_viewer())
    ids = [await writer.run() for _ in range(5)]
    await wait_until_processed(feed)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        assert received(await client.take(15)) == [(i, seq) for i in ids for seq in (1, 2, 3)]
        live = await writer.job()
        assert (await client.next()).id == live
    assert feed.stats.replays == 1


async def fail(*_: object) -> None:
    raise RuntimeError("a bug")


async def test_failed_catch_up_ends_its_subscription_and_the_client_can_resume(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = await ready_cursor(as_viewer())
    ids = [await writer.run() for _ in range(5)]
    await wait_until_processed(feed)
    ended = pytest.raises(Unavailable, match="resume from your last cursor")
    with monkeypatch.context() as patch, ended:
        patch.setattr(replay, "decode_and_resolve", fail)
        await follow(as_viewer(), cursor).take(2)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        assert (await client.next()).id == ids[0]


async def test_changes_that_leave_the_ring_before_they_are_read_are_not_lost(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor, reader, pause = await ready_cursor(as_viewer()), asyncio.current_task(), asyncio.sleep
    job_id = await writer.run()

    async def sleep_while_the_ring_moves_on(delay: float) -> None:
        if not delay and asyncio.current_task() is reader:
            monkeypatch.undo()
            await writer.run()
            await wait_until_processed(feed)
        await pause(delay)

    await wait_until_processed(feed)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        monkeypatch.setattr(asyncio, "sleep", sleep_while_the_ring_moves_on)
        assert received(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]


async def test_concurrent_resumes_share_a_catch_up_stream(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    cursors = []
    for _ in range(20):
        cursors.append(await ready_cursor(as_viewer()))
        await writer.job()
    await wait_until_processed(feed)
    clients = [follow(as_viewer(), cursor) for cursor in cursors]
    for client in clients:
        await client.ready()
    counts = [20 - n for n in range(14)]
    taken = await asyncio.gather(*(c.take(n) for c, n in zip(clients[:14], counts, strict=True)))
    assert [len(set(received(t))) for t in taken] == counts
    assert feed.stats.replays == 1
    for client in clients:
        await client.__aexit__()


async def test_cursor_is_valid_at_another_api_process(
    as_viewer: ContextFactory, engine: Engine, writer: Writer
) -> None:
    cursor = await ready_cursor(as_viewer())
    job_id = await writer.run()
    async with (
        ChangeFeed(engine.mongo, engine.settings) as other,
        follow(as_viewer(at=other), cursor) as client,
    ):
        await client.ready()
        assert received(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]


async def test_cursor_ahead_of_this_process_skips_changes_already_sent(
    as_viewer: ContextFactory, engine: Engine, feed: ChangeFeed, writer: Writer
) -> None:
    """The other process was ahead: it has already sent the next changes of this process."""
    async with follow(as_viewer()) as client:
        await client.ready()
        received_job = await writer.job()
        cursor = (await client.next()).cursor
    behind = feed.position
    feed.position = Position("82" + "0" * 16)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        feed.position = behind
        next_job = await writer.job()
        assert (await client.next()).id == next_job != received_job


async def test_resuming_twice_with_one_cursor_sends_the_same_changes(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    cursor = await ready_cursor(as_viewer())
    await writer.run()
    runs = []
    for _ in range(2):
        async with follow(as_viewer(), cursor) as client:
            await client.ready()
            runs.append(received(await client.take(3)))
    assert runs[0] == runs[1]


async def test_cursor_inside_a_snapshot_restarts_the_snapshot(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    await writer.job()
    await writer.job()
    async with follow(as_viewer(), snapshot=True) as client:
        row = await client.next()
    async with follow(as_viewer(), row.cursor, snapshot=True) as client:
        kinds = [message.kind for message in await client.until(ChangeKind.READY)]
    assert kinds == [ChangeKind.RESET, ChangeKind.SNAPSHOT, ChangeKind.SNAPSHOT, ChangeKind.READY]


async def test_cursor_older_than_the_history_is_history_lost(
    as_viewer: ContextFactory, engine: Engine, feed: ChangeFeed, writer: Writer
) -> None:
    rolled = await rolled_back(as_viewer(), writer)
    lost = CursorCodec(engine.settings).encode(LiveCursor(position=rolled, topic="jobs"))
    await write_and_process(feed, writer, 1)
    alive = await ready_cursor(as_viewer())
    await write_and_process(feed, writer, 6)
    async with follow(as_viewer(), lost) as gone, follow(as_viewer(), alive) as client:
        await gone.ready()
        await client.ready()
        with pytest.raises(HistoryLost):
            await gone.next()
        assert len(await client.take(6)) == 6


async def test_lost_history_of_one_client_does_not_affect_others_of_its_catch_up(
    as_viewer: ContextFactory,
    engine: Engine,
    feed: ChangeFeed,
    writer: Writer,
    live_rig: SubscriptionRig,
) -> None:
    rolled = await rolled_back(as_viewer(), writer)
    lost = CursorCodec(engine.settings).encode(LiveCursor(position=rolled, topic="jobs"))
    await write_and_process(feed, writer, 1)
    alive = await ready_cursor(as_viewer())
    await write_and_process(feed, writer, 6)
    async with live_rig.watch(after=lost) as gone, live_rig.watch(after=alive) as watcher:
        await asyncio.gather(gone.ready(), watcher.ready())
        ended, received = await asyncio.gather(gone.next(), watcher.take(6), return_exceptions=True)
        assert isinstance(ended, HistoryLost)
        assert isinstance(received, list)
        assert len({message["jobId"] for message in received}) == 6


async def write_and_process(feed: ChangeFeed, writer: Writer, count: int) -> None:
    """Write jobs and wait until the feed has processed them."""
    for _ in range(count):
        await writer.job()
    await wait_until_processed(feed)


async def test_position_that_mongodb_rejects_is_history_lost(
    as_viewer: ContextFactory, engine: Engine
) -> None:
    cursor = LiveCursor(position=Position("8200"), topic="jobs")
    async with follow(as_viewer(), CursorCodec(engine.settings).encode(cursor)) as client:
        await client.ready()
        with pytest.raises(HistoryLost):
            await client.next()


async def rolled_back(ctx: RequestContext, writer: Writer) -> Position:
    """Return the position of an event that MongoDB does not have."""
    cursors = CursorCodec(ctx.engine.settings)
    async with follow(ctx) as client:
        await client.ready()
        await writer.job()
        position = cursors.decode((await client.next()).cursor, "jobs").position
    return Position(f"{position[:-8]}67{position[-6:]}")  # no id ends in this type


@pytest.mark.parametrize("at", [0, 3, 20, -3])
async def test_tampered_cursor_is_rejected_with_its_path(
    as_viewer: ContextFactory, at: int
) -> None:
    cursor = list(await ready_cursor(as_viewer()))
    cursor[at] = "a" if cursor[at] != "a" else "b"
    with pytest.raises(BadRequest, match="after is not a cursor") as raised:
        await first_message(jobs_changed(as_viewer(), ALL, SubscribeOptions(after="".join(cursor))))
    assert raised.value.issues[0].path == ("after",)


@pytest.mark.parametrize("text", ["", "ü", "a", "ab" * 600, "!!!!"])
async def test_text_that_is_not_a_cursor_is_rejected(as_viewer: ContextFactory, text: str) -> None:
    with pytest.raises(BadRequest, match="after is not a cursor"):
        await first_message(jobs_changed(as_viewer(), ALL, SubscribeOptions(after=text)))


async def test_cursor_of_another_subscription_is_rejected(as_viewer: ContextFactory) -> None:
    cursor = await ready_cursor(as_viewer())
    with pytest.raises(BadRequest, match="another subscription"):
        await first_message(crons_changed(as_viewer(), SubscribeOptions(after=cursor)))


async def test_cursors_sort_in_the_order_of_changes(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    async with follow(as_viewer()) as client:
        ready = await client.ready()
        await writer.run()
        await writer.run()
        cursors = [ready.cursor, *(change.cursor for change in await client.take(6))]
    assert cursors == sorted(set(cursors))
