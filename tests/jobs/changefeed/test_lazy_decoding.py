"""What nobody listens to is not decoded until somebody does, and then nothing of it is missing."""

import asyncio
from collections.abc import Iterable

import bson
from bson.raw_bson import RawBSONDocument
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.changefeed import ChangeFeed, ChangeFilter
from ostinato.jobs.changefeed.matching import MatchedChange
from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changes import ChangeType, DocumentChange, Position, WatchedCollection
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.mongo.change_stream import StreamBatch
from ostinato.jobs.mongo.decoding import DecodedBatch
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.queries import jobs_changed
from tests.live.breaking import followed, lose_history, no_position
from tests.live.fixtures import As
from tests.live.reading import Client, disconnected, follow, told
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


async def a_turn() -> None:
    """Let the others go on."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_soon(passed.set)
    await passed.wait()


async def run_unheard(feed: ChangeFeed, write: Writer) -> str:
    """Let a job run, three changes, and wait until the feed has followed it."""
    job_id = await write.run()
    await followed(feed)
    return job_id


async def test_what_nobody_listens_to_is_kept_undecoded(feed: ChangeFeed, write: Writer) -> None:
    await followed(feed)  # history of earlier tests
    before = feed.stats.ring
    await run_unheard(feed, write)
    assert feed.stats.ring == before + 3
    assert not feed.ring.decoded_changes


async def test_resumed_subscription_gets_changes_from_before_it_connected(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    cursor = await disconnected(as_viewer())
    job_id = await run_unheard(feed, write)
    await write.progress(job_id, done=1)
    await followed(feed)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        assert told(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]
        assert (await client.next()).id == job_id
    assert feed.stats.replays == 0


async def test_who_comes_now_is_not_told_what_came_before(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    await run_unheard(feed, write)
    async with follow(as_viewer()) as client:
        await client.ready()
        job_id = await write.job()
        assert told([await client.next()]) == [(job_id, 1)]


async def test_collection_that_vanished_unheard_resets_only_who_comes_from_before(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    cursor = await disconnected(as_viewer())
    await write.mongo["jobs"].drop()
    await followed(feed)
    await ensure_collections(write.mongo)
    async with (
        Client(jobs_changed(as_viewer(), JobFilter(), SubscribeOptions())) as fresh,
        follow(as_viewer(), cursor) as old,
    ):
        assert (await fresh.next()).kind is ChangeKind.READY
        assert ChangeKind.RESET in [message.kind for message in await old.take(2)]
        job_id = await write.job()
        assert told([await fresh.next()]) == [(job_id, 1)]


async def test_reset_is_told_before_what_happened_behind_it(
    feed: ChangeFeed, write: Writer
) -> None:
    await followed(feed)
    after = feed.position
    await write.mongo["jobs"].drop()
    await followed(feed)
    await ensure_collections(write.mongo)
    await run_unheard(feed, write)
    async with feed.subscribe(WATCH, after) as changes:
        while not (delivery := await changes.next(0)).reset:
            assert delivery.position == after
        assert len((await changes.next(5)).matched) == 3


async def test_history_that_the_feed_lost_before_decoding_it_is_replayed_from_mongodb(
    feed: ChangeFeed, write: Writer
) -> None:
    nowhere = await no_position(feed, write)
    await followed(feed)
    after = feed.position
    await run_unheard(feed, write)
    before = feed.stats.resets  # an earlier test may have dropped a collection
    await lose_history(feed, write.mongo, nowhere)
    await eventually(lambda: feed.stats.resets > before)
    async with feed.subscribe(WATCH, after) as changes:
        missed: list[MatchedChange] = []
        while len(missed) < 3:
            missed += (await changes.next(5)).matched
    assert feed.stats.replays == 1


async def test_reader_that_leaves_while_it_is_decoded_leaves_all_to_the_next(
    feed: ChangeFeed, write: Writer
) -> None:
    await feed.ensure_decoded(asyncio.get_running_loop().time() + 30)  # history of earlier tests
    after, before = feed.position, feed.ring.decoded_changes
    for _ in range(3):
        await run_unheard(feed, write)
    async with feed.subscribe(WATCH, after) as changes:
        leaving = asyncio.create_task(changes.next(5))
        while feed.ring.decoded_changes == before:
            await a_turn()
        leaving.cancel()
        await asyncio.wait([leaving])
    assert feed.ring.decoded_changes < before + 9
    async with feed.subscribe(WATCH, after) as changes:
        assert len((await changes.next(5)).matched) == 9


@given(steps=STEPS)
async def test_ring_and_backlog_hold_the_newest_changes_without_a_gap(
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
    """Batches of numbered changes, and readers who may leave in the middle."""

    def __init__(self) -> None:
        self.ring = Ring(CAPACITY)
        self.count = 0

    @property
    def after_start(self) -> list[Position]:
        """Name all that is said to be at hand."""
        return [each for each in map(place, range(self.count)) if each > self.ring.start]

    async def step(self, name: str, number: int) -> None:
        reading = None if name == "put" else asyncio.create_task(self.read())
        await a_turn()
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
        """Pass over some, as a feed does whose MongoDB no longer has them."""
        self.count += number
        self.ring.clear(place(self.count - 1))

    async def read(self) -> None:
        await self.ring.decode_pending(self._decode, self._publish)

    async def _decode(self, batch: StreamBatch) -> DecodedBatch:
        await a_turn()
        positions = [Position(event["_id"]["_data"]) for event in batch.events]
        return DecodedBatch(
            changes=[
                DocumentChange(WatchedCollection.JOBS, each, ChangeType.CHANGED, each)
                for each in positions
            ]
        )

    def _publish(self, _batch: StreamBatch, decoded: DecodedBatch) -> None:
        for change in decoded.changes:
            self.ring.append(change)


def place(number: int) -> Position:
    return Position(f"{number:04}")


def batch_of(numbers: Iterable[int]) -> StreamBatch:
    events = [RawBSONDocument(bson.encode({"_id": {"_data": place(n)}})) for n in numbers]
    return StreamBatch(events=events, position=place(max(numbers, default=0)))
