"""Resuming: what a client missed comes once and in order, from wherever history is kept."""

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
from ostinato.resolvers.live.queries import crons_changed, jobs_changed
from tests.live.breaking import followed
from tests.live.fixtures import As
from tests.live.reading import disconnected, first_message, follow, told
from tests.live.watching import Station
from tests.live.writing import Writer

ALL = JobFilter()


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"ring_events": 4, "subscription_buffer": 10})


async def test_missed_changes_come_from_the_ring(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    cursor = await disconnected(as_viewer())
    job_id = await write.run()
    await followed(feed)
    async with follow(as_viewer(), cursor) as client:
        assert (await client.next()).kind is ChangeKind.READY
        assert told(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]
    assert feed.stats.replays == 0


async def test_missed_changes_older_than_the_ring_come_from_a_catch_up_stream(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    cursor = await disconnected(as_viewer())
    ids = [await write.run() for _ in range(5)]
    await followed(feed)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        assert told(await client.take(15)) == [(i, seq) for i in ids for seq in (1, 2, 3)]
        live = await write.job()
        assert (await client.next()).id == live
    assert feed.stats.replays == 1


async def fail(*_: object) -> None:
    raise RuntimeError("a mistake of ours")


async def test_failed_catch_up_ends_its_subscription_which_may_resume(
    as_viewer: As, feed: ChangeFeed, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = await disconnected(as_viewer())
    ids = [await write.run() for _ in range(5)]
    await followed(feed)
    ended = pytest.raises(Unavailable, match="resume from your last cursor")
    with monkeypatch.context() as patch, ended:
        patch.setattr(replay, "decode_and_resolve", fail)
        await follow(as_viewer(), cursor).take(2)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        assert (await client.next()).id == ids[0]


async def test_history_that_leaves_the_ring_while_its_reader_waits_is_not_lost(
    as_viewer: As, feed: ChangeFeed, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor, reader, pause = await disconnected(as_viewer()), asyncio.current_task(), asyncio.sleep
    job_id = await write.run()

    async def overtaken(delay: float) -> None:
        if not delay and asyncio.current_task() is reader:
            monkeypatch.undo()
            await write.run()
            await followed(feed)
        await pause(delay)

    await followed(feed)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        monkeypatch.setattr(asyncio, "sleep", overtaken)
        assert told(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]


async def test_many_resumes_at_once_share_a_stream(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    cursors = []
    for _ in range(20):
        cursors.append(await disconnected(as_viewer()))
        await write.job()
    await followed(feed)
    clients = [follow(as_viewer(), cursor) for cursor in cursors]
    for client in clients:
        await client.ready()
    counts = [20 - n for n in range(14)]
    taken = await asyncio.gather(*(c.take(n) for c, n in zip(clients[:14], counts, strict=True)))
    assert [len(set(told(t))) for t in taken] == counts
    assert feed.stats.replays == 1
    for client in clients:
        await client.__aexit__()


async def test_cursor_is_valid_at_another_api_process(
    as_viewer: As, engine: Engine, write: Writer
) -> None:
    cursor = await disconnected(as_viewer())
    job_id = await write.run()
    async with (
        ChangeFeed(engine.mongo, engine.settings) as other,
        follow(as_viewer(at=other), cursor) as client,
    ):
        await client.ready()
        assert told(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]


async def test_cursor_ahead_of_this_process_skips_what_was_told(
    as_viewer: As, engine: Engine, feed: ChangeFeed, write: Writer
) -> None:
    """The other process is further: what this one has yet to hand out was told already."""
    async with follow(as_viewer()) as client:
        await client.ready()
        told_job = await write.job()
        cursor = (await client.next()).cursor
    behind = feed.position
    feed.position = Position("82" + "0" * 16)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        feed.position = behind
        next_job = await write.job()
        assert (await client.next()).id == next_job != told_job


async def test_resuming_twice_at_one_cursor_tells_the_same(as_viewer: As, write: Writer) -> None:
    cursor = await disconnected(as_viewer())
    await write.run()
    runs = []
    for _ in range(2):
        async with follow(as_viewer(), cursor) as client:
            await client.ready()
            runs.append(told(await client.take(3)))
    assert runs[0] == runs[1]


async def test_cursor_inside_a_snapshot_starts_the_snapshot_again(
    as_viewer: As, write: Writer
) -> None:
    await write.job()
    await write.job()
    async with follow(as_viewer(), snapshot=True) as client:
        row = await client.next()
    async with follow(as_viewer(), row.cursor, snapshot=True) as client:
        kinds = [message.kind for message in await client.until(ChangeKind.READY)]
    assert kinds == [ChangeKind.RESET, ChangeKind.SNAPSHOT, ChangeKind.SNAPSHOT, ChangeKind.READY]


async def test_cursor_older_than_the_history_is_history_lost(
    as_viewer: As, engine: Engine, feed: ChangeFeed, write: Writer
) -> None:
    rolled = await rolled_back(as_viewer(), write)
    lost = CursorCodec(engine.settings).encode(LiveCursor(position=rolled, topic="jobs"))
    await followed_writes(feed, write, 1)
    alive = await disconnected(as_viewer())
    await followed_writes(feed, write, 6)
    async with follow(as_viewer(), lost) as gone, follow(as_viewer(), alive) as client:
        await gone.ready()
        await client.ready()
        with pytest.raises(HistoryLost):
            await gone.next()
        assert len(await client.take(6)) == 6


async def test_history_that_others_have_lost_is_not_lost_to_who_rides_with_them(
    as_viewer: As, engine: Engine, feed: ChangeFeed, write: Writer, station: Station
) -> None:
    rolled = await rolled_back(as_viewer(), write)
    lost = CursorCodec(engine.settings).encode(LiveCursor(position=rolled, topic="jobs"))
    await followed_writes(feed, write, 1)
    alive = await disconnected(as_viewer())
    await followed_writes(feed, write, 6)
    async with station.watch(after=lost) as gone, station.watch(after=alive) as watcher:
        await asyncio.gather(gone.ready(), watcher.ready())
        ended, told = await asyncio.gather(gone.next(), watcher.take(6), return_exceptions=True)
        assert isinstance(ended, HistoryLost)
        assert isinstance(told, list)
        assert len({message["jobId"] for message in told}) == 6


async def followed_writes(feed: ChangeFeed, write: Writer, count: int) -> None:
    """Write jobs and wait until the feed has seen them."""
    for _ in range(count):
        await write.job()
    await followed(feed)


async def test_position_that_mongodb_cannot_read_is_history_lost(
    as_viewer: As, engine: Engine
) -> None:
    cursor = LiveCursor(position=Position("8200"), topic="jobs")
    async with follow(as_viewer(), CursorCodec(engine.settings).encode(cursor)) as client:
        await client.ready()
        with pytest.raises(HistoryLost):
            await client.next()


async def rolled_back(ctx: RequestContext, write: Writer) -> Position:
    """Return the position of an event that MongoDB does not have."""
    cursors = CursorCodec(ctx.engine.settings)
    async with follow(ctx) as client:
        await client.ready()
        await write.job()
        position = cursors.decode((await client.next()).cursor, "jobs").position
    return Position(f"{position[:-8]}67{position[-6:]}")  # an id ends in no g


@pytest.mark.parametrize("at", [0, 3, 20, -3])
async def test_tampered_cursor_is_refused_by_name(as_viewer: As, at: int) -> None:
    cursor = list(await disconnected(as_viewer()))
    cursor[at] = "a" if cursor[at] != "a" else "b"
    with pytest.raises(BadRequest, match="after is not a cursor") as refused:
        await first_message(jobs_changed(as_viewer(), ALL, SubscribeOptions(after="".join(cursor))))
    assert refused.value.issues[0].path == ("after",)


@pytest.mark.parametrize("text", ["", "ü", "a", "ab" * 600, "!!!!"])
async def test_text_that_is_no_cursor_is_refused(as_viewer: As, text: str) -> None:
    with pytest.raises(BadRequest, match="after is not a cursor"):
        await first_message(jobs_changed(as_viewer(), ALL, SubscribeOptions(after=text)))


async def test_cursor_of_another_subscription_is_refused(as_viewer: As) -> None:
    cursor = await disconnected(as_viewer())
    with pytest.raises(BadRequest, match="another subscription"):
        await first_message(crons_changed(as_viewer(), SubscribeOptions(after=cursor)))


async def test_cursors_sort_as_the_changes_happened(as_viewer: As, write: Writer) -> None:
    async with follow(as_viewer()) as client:
        ready = await client.ready()
        await write.run()
        await write.run()
        cursors = [ready.cursor, *(change.cursor for change in await client.take(6))]
    assert cursors == sorted(set(cursors))
