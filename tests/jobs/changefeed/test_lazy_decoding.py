"""Changes without listeners: they are decoded when a subscription needs them, and none is lost."""

import asyncio
from collections.abc import Iterable

import bson
from bson.raw_bson import RawBSONDocument
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.changefeed import ChangeFeed, ChangeFilter
from ostinato.jobs.changefeed.matching import MatchedChange
from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changes import DocumentChange, Position, WatchedCollection, WriteType
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.mongo.change_stream import StreamBatch
from ostinato.jobs.mongo.decoding import DecodedBatch
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import jobs_changed
from tests.live.breaking import lose_history, unknown_position, wait_until_processed
from tests.live.fixtures import ContextFactory
from tests.live.reading import Client, follow, ready_cursor, received
from tests.live.writing import Writer
from tests.processes import eventually

CAPACITY = 10
WATCH = ChangeFilter(collection=WatchedCollection.JOBS, owner="ann")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 12)),
        st.tuples(st.just("put while reading"), st.integers(0, 12)),
        st.tuples(st.just("lose while reading"), st.integers(1, 12)),
        st.tuples(st.sampled_from(["read", "leave"]), st.just(0)),
    ),
    max_size=30,
)


async def next_turn() -> None:
    """Wait for one turn of the event loop."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_soon(passed.set)
    await passed.wait()


async def run_without_listeners(feed: ChangeFeed, writer: Writer) -> str:
    """Run a job (three changes), and wait until the feed has processed it."""
    job_id = await writer.run()
    await wait_until_processed(feed)
    return job_id


async def test_changes_without_listeners_are_not_decoded(feed: ChangeFeed, writer: Writer) -> None:
    await wait_until_processed(feed)  # history of earlier tests
    before = feed.stats.ring
    await run_without_listeners(feed, writer)
    assert feed.stats.ring == before + 3
    assert not feed.ring.decoded_changes


async def test_resumed_subscription_gets_changes_from_before_it_connected(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    cursor = await ready_cursor(as_viewer())
    job_id = await run_without_listeners(feed, writer)
    await writer.progress(job_id, done=1)
    await wait_until_processed(feed)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        assert received(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]
        assert (await client.next()).id == job_id
    assert feed.stats.replays == 0


async def test_a_new_subscription_gets_no_earlier_changes(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    await run_without_listeners(feed, writer)
    async with follow(as_viewer()) as client:
        await client.ready()
        job_id = await writer.job()
        assert received([await client.next()]) == [(job_id, 1)]


async def test_a_dropped_collection_resets_only_subscriptions_with_older_cursors(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    cursor = await ready_cursor(as_viewer())
    await writer.mongo["jobs"].drop()
    await wait_until_processed(feed)
    await ensure_collections(writer.mongo)
    async with (
        Client(jobs_changed(as_viewer(), JobFilter(), SubscribeOptions())) as fresh,
        follow(as_viewer(), cursor) as old,
    ):
        assert (await fresh.next()).kind is ChangeKind.READY
        assert ChangeKind.RESET in [message.kind for message in await old.take(2)]
        job_id = await writer.job()
        assert received([await fresh.next()]) == [(job_id, 1)]


async def test_a_reset_is_delivered_before_later_changes(feed: ChangeFeed, writer: Writer) -> None:
    await wait_until_processed(feed)
    after = feed.position
    await writer.mongo["jobs"].drop()
    await wait_until_processed(feed)
    await ensure_collections(writer.mongo)
    await run_without_listeners(feed, writer)
    async with feed.subscribe(WATCH, after) as changes:
        while not (delivery := await changes.next(0)).reset:
            assert delivery.position == after
        assert len((await changes.next(5)).matched) == 3


async def test_undecoded_changes_lost_by_the_feed_are_replayed_from_mongodb(
    feed: ChangeFeed, writer: Writer
) -> None:
    unknown = await unknown_position(feed, writer)
    await wait_until_processed(feed)
    after = feed.position
    await run_without_listeners(feed, writer)
    before = feed.stats.resets  # an earlier test may have dropped a collection
    await lose_history(feed, writer.mongo, unknown)
    await eventually(lambda: feed.stats.resets > before)
    async with feed.subscribe(WATCH, after) as changes:
        missed: list[MatchedChange] = []
        while len(missed) < 3:
            missed += (await changes.next(5)).matched
    assert feed.stats.replays == 1


async def test_a_reader_canceled_during_decoding_leaves_all_changes_to_the_next(
    feed: ChangeFeed, writer: Writer
) -> None:
    await feed.ensure_decoded(asyncio.get_running_loop().time() + 30)  # history of earlier tests
    after, before = feed.position, feed.ring.decoded_changes
    for _ in range(3):
        await run_without_listeners(feed, writer)
    async with feed.subscribe(WATCH, after) as changes:
        leaving = asyncio.create_task(changes.next(5))
        while feed.ring.decoded_changes == before:
            await next_turn()
        leaving.cancel()
        await asyncio.wait([leaving])
    assert feed.ring.decoded_changes < before + 9
    async with feed.subscribe(WATCH, after) as changes:
        assert len((await changes.next(5)).matched) == 9


@given(steps=STEPS)
async def test_ring_and_backlog_hold_the_newest_changes_without_gaps(
    steps: list[tuple[str, int]],
) -> None:
    history = History()
    for name, number in steps:
        await history.step(name, number)
        assert len(history.ring) == len(history.after_start)
    expected = history.after_start[-CAPACITY:]
    await history.read()
    newest = history.ring.after((WatchedCollection.JOBS,), Position(""), 99)
    assert [change.position for change in newest] == expected


class History:
    """Batches of numbered changes, and readers that may be canceled."""

    def __init__(self) -> None:
        self.ring = Ring(CAPACITY)
        self.count = 0

    @property
    def after_start(self) -> list[Position]:
        """Return the positions that the ring must hold."""
        return [
            position
            for position in map(position_at, range(self.count))
            if position > self.ring.start
        ]

    async def step(self, name: str, number: int) -> None:
        reading = None if name == "put" else asyncio.create_task(self.read())
        await next_turn()
        if name == "leave" and reading is not None:
            reading.cancel()
        elif name == "lose while reading":
            self._lose(number)
        else:
            self._put(number)
        await asyncio.gather(*([reading] if reading else []), return_exceptions=True)

    def _put(self, number: int) -> None:
        self.ring.put(batch_of(range(self.count, self.count + number)))
        self.count += number

    def _lose(self, number: int) -> None:
        """Skip changes, like a feed that has lost its history."""
        self.count += number
        self.ring.clear(position_at(self.count - 1))

    async def read(self) -> None:
        await self.ring.decode_pending(self._decode, self._publish)

    async def _decode(self, batch: StreamBatch) -> DecodedBatch:
        await next_turn()
        positions = [Position(event["_id"]["_data"]) for event in batch.events]
        return DecodedBatch(
            changes=[
                DocumentChange(WatchedCollection.JOBS, position, WriteType.CHANGED, position)
                for position in positions
            ]
        )

    def _publish(self, _batch: StreamBatch, decoded: DecodedBatch) -> None:
        for change in decoded.changes:
            self.ring.append(change)


def position_at(number: int) -> Position:
    return Position(f"{number:04}")


def batch_of(numbers: Iterable[int]) -> StreamBatch:
    events = [RawBSONDocument(bson.encode({"_id": {"_data": position_at(n)}})) for n in numbers]
    return StreamBatch(events=events, position=position_at(max(numbers, default=0)))
