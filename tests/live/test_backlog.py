"""What nobody listens to is not decoded until somebody does, and then nothing of it is missing."""

import asyncio
from collections.abc import Iterable

import bson
from bson.raw_bson import RawBSONDocument
from hypothesis import given
from hypothesis import strategies as st

from ostinato.jobs.changes import Change, ChangeType, Position, WatchedCollection
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.hub import Hub, Watch
from ostinato.jobs.hub.backlog import Backlog
from ostinato.jobs.hub.ring import Ring
from ostinato.jobs.mongo.change_stream import StreamBatch
from ostinato.jobs.mongo.decoding import DecodedBatch
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.resolvers.changes import ChangeKind, Following
from ostinato.resolvers.live import jobs_changed
from tests.live.breaking import followed, lose_history, no_position
from tests.live.conftest import As
from tests.live.reading import Client, disconnected, follow, told
from tests.live.writing import Writer
from tests.processes import eventually

CAPACITY = 10
WATCH = Watch(collection=WatchedCollection.JOBS, owner="ann")
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


async def run_unheard(hub: Hub, write: Writer) -> str:
    """Let a job run, three changes, and wait until the hub has followed it."""
    job_id = await write.run()
    await followed(hub)
    return job_id


async def test_what_nobody_listens_to_is_kept_undecoded(hub: Hub, write: Writer) -> None:
    await followed(hub)  # history of earlier tests
    before = hub.facts.ring
    await run_unheard(hub, write)
    assert hub.facts.ring == before + 3
    assert not len(hub.ring)


async def test_who_resumes_is_told_what_came_while_nobody_listened(
    as_viewer: As, hub: Hub, write: Writer
) -> None:
    cursor = await disconnected(as_viewer())
    job_id = await run_unheard(hub, write)
    await write.progress(job_id, done=1)
    await followed(hub)
    async with follow(as_viewer(), cursor) as client:
        await client.ready()
        assert told(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]
        assert (await client.next()).job_id == job_id
    assert hub.facts.catch_ups == 0


async def test_who_comes_now_is_not_told_what_came_before(
    as_viewer: As, hub: Hub, write: Writer
) -> None:
    await run_unheard(hub, write)
    async with follow(as_viewer()) as client:
        await client.ready()
        job_id = await write.job()
        assert told([await client.next()]) == [(job_id, 1)]


async def test_collection_that_vanished_unheard_resets_only_who_comes_from_before(
    as_viewer: As, hub: Hub, write: Writer
) -> None:
    cursor = await disconnected(as_viewer())
    await write.mongo["jobs"].drop()
    await followed(hub)
    await ensure_collections(write.mongo)
    async with (
        Client(jobs_changed(as_viewer(), JobFilter(), Following())) as fresh,
        follow(as_viewer(), cursor) as old,
    ):
        assert (await fresh.next()).kind is ChangeKind.READY
        assert ChangeKind.RESET in [message.kind for message in await old.take(2)]
        job_id = await write.job()
        assert told([await fresh.next()]) == [(job_id, 1)]


async def test_reset_is_told_before_what_happened_behind_it(hub: Hub, write: Writer) -> None:
    await followed(hub)
    after = hub.position
    await write.mongo["jobs"].drop()
    await followed(hub)
    await ensure_collections(write.mongo)
    await run_unheard(hub, write)
    async with hub.subscribe(WATCH, after) as changes:
        while not (delivery := await changes.next(0)).reset:
            assert delivery.position == after
        assert len((await changes.next(5)).notices) == 3


async def test_history_that_was_lost_unheard_is_not_said_to_be_at_hand(
    hub: Hub, write: Writer
) -> None:
    nowhere = await no_position(hub, write)
    await run_unheard(hub, write)
    before = hub.facts.resets  # an earlier test may have dropped a collection
    await lose_history(hub, write.mongo, nowhere)
    await eventually(lambda: hub.facts.resets > before)
    assert hub.facts.ring == 0


async def test_reader_that_leaves_while_it_is_decoded_leaves_all_to_the_next(
    hub: Hub, write: Writer
) -> None:
    await hub.has_read(asyncio.get_running_loop().time() + 30)  # history of earlier tests
    after, before = hub.position, len(hub.ring)
    for _ in range(3):
        await run_unheard(hub, write)
    async with hub.subscribe(WATCH, after) as changes:
        leaving = asyncio.create_task(changes.next(5))
        while len(hub.ring) == before:
            await a_turn()
        leaving.cancel()
        await asyncio.wait([leaving])
    assert len(hub.ring) < before + 9
    async with hub.subscribe(WATCH, after) as changes:
        assert len((await changes.next(5)).notices) == 9


@given(steps=STEPS)
async def test_ring_and_backlog_hold_the_newest_changes_without_a_gap(
    steps: list[tuple[str, int]],
) -> None:
    history = History()
    for name, number in steps:
        await history.step(name, number)
        assert len(history.ring) + len(history.backlog) == len(history.behind_start)
    expected = history.behind_start[-CAPACITY:]
    await history.backlog.read()
    newest = history.ring.after((WatchedCollection.JOBS,), Position(""), 99)
    assert [change.position for change in newest] == expected


class History:
    """Batches of numbered changes, and readers who may leave in the middle."""

    def __init__(self) -> None:
        self.ring = Ring(CAPACITY)
        self.backlog = Backlog(self.ring, self._decode, self._hand_out)
        self.count = 0

    @property
    def behind_start(self) -> list[Position]:
        """Name all that is said to be at hand."""
        return [each for each in map(place, range(self.count)) if each > self.ring.start]

    async def step(self, name: str, number: int) -> None:
        reading = None if name == "put" else asyncio.create_task(self.backlog.read())
        await a_turn()
        if name == "leave" and reading is not None:
            reading.cancel()
        elif name == "lose while reading":
            self._lose(number)
        else:
            self._put(number)
        await asyncio.gather(*([reading] if reading else []), return_exceptions=True)

    def _put(self, number: int) -> None:
        self.backlog.put(batch_of(range(self.count, self.count + number)))
        self.count += number

    def _lose(self, number: int) -> None:
        """Pass over some, as a hub does whose MongoDB no longer has them."""
        self.count += number
        self.backlog.clear()
        self.ring.clear(place(self.count - 1))

    async def _decode(self, batch: StreamBatch) -> DecodedBatch:
        await a_turn()
        positions = [Position(event["_id"]["_data"]) for event in batch.events]
        return DecodedBatch(
            changes=[
                Change(WatchedCollection.JOBS, each, ChangeType.CHANGED, each) for each in positions
            ]
        )

    def _hand_out(self, _batch: StreamBatch, decoded: DecodedBatch) -> None:
        for change in decoded.changes:
            self.ring.append(change)


def place(number: int) -> Position:
    return Position(f"{number:04}")


def batch_of(numbers: Iterable[int]) -> StreamBatch:
    events = [RawBSONDocument(bson.encode({"_id": {"_data": place(n)}})) for n in numbers]
    return StreamBatch(events=events, position=place(max(numbers, default=0)))
