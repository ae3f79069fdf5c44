"""What nobody listens to is not decoded until somebody does, and then nothing of it is missing."""

import asyncio
from collections.abc import Iterable

import bson
from bson.raw_bson import RawBSONDocument
from hypothesis import given
from hypothesis import strategies as st

from jobs.changes import Change, ChangeType, Position, Watched
from jobs.filters import JobFilter
from jobs.hub import Hub, Watch
from jobs.hub.backlog import Backlog
from jobs.hub.ring import Ring
from jobs.mongo.provision import ensure_collections
from jobs.mongo.stream import StreamBatch
from resolvers.changes import ChangeKind, Following
from resolvers.live import jobs_changed
from tests.live.conftest import As
from tests.live.reading import Client, disconnected, follow, told
from tests.live.writing import Writer
from tests.processes import eventually

CAPACITY = 10
WATCH = Watch(collection=Watched.JOBS, owner="ann")
STEPS = st.lists(st.one_of(st.integers(0, 6), st.just("read"), st.just("leave")), max_size=30)


async def a_turn() -> None:
    """Let the others go on."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_soon(passed.set)
    await passed.wait()


async def run_unheard(hub: Hub, write: Writer) -> str:
    """Let a job run, three changes, and wait until the hub has followed it."""
    before = hub.facts.changes
    job_id = await write.run()
    await eventually(lambda: hub.facts.changes == before + 3)
    return job_id


async def test_what_nobody_listens_to_is_kept_undecoded(hub: Hub, write: Writer) -> None:
    before = hub.facts.ring
    await run_unheard(hub, write)
    assert hub.facts.ring == before + 3
    assert not len(hub.ring)


async def test_who_resumes_is_told_what_came_while_nobody_listened(
    as_viewer: As, hub: Hub, write: Writer
) -> None:
    cursor = await disconnected(as_viewer())
    job_id, before = await run_unheard(hub, write), hub.facts.changes
    await write.progress(job_id, done=1)
    await eventually(lambda: hub.facts.changes > before)
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
    cursor, before = await disconnected(as_viewer()), hub.facts.changes
    await write.mongo["jobs"].drop()
    await eventually(lambda: hub.facts.changes > before)
    await ensure_collections(write.mongo)
    async with (
        Client(jobs_changed(as_viewer(), JobFilter(), Following())) as fresh,
        follow(as_viewer(), cursor) as old,
    ):
        assert (await fresh.next()).kind is ChangeKind.READY
        assert ChangeKind.RESET in [message.kind for message in await old.take(2)]
        job_id = await write.job()
        assert told([await fresh.next()]) == [(job_id, 1)]


async def test_reader_that_leaves_while_it_is_decoded_leaves_all_to_the_next(
    hub: Hub, write: Writer
) -> None:
    after = hub.position
    for _ in range(3):
        await run_unheard(hub, write)
    async with hub.subscribe(WATCH, after) as changes:
        leaving = asyncio.create_task(changes.next(5))
        while not hub._backlog.being_read:
            await a_turn()
        leaving.cancel()
        await asyncio.wait([leaving])
    assert len(hub._backlog)
    async with hub.subscribe(WATCH, after) as changes:
        assert len((await changes.next(5)).notices) == 9


@given(steps=STEPS)
async def test_ring_and_backlog_hold_the_newest_changes_without_a_gap(
    steps: list[int | str],
) -> None:
    history = History()
    for step in steps:
        await history.step(step)
    held = history.behind(history.ring.start)
    assert len(history.ring) + len(history.backlog) == len(held)
    assert len(held) <= CAPACITY + history.last
    await history.backlog.read()
    newest = history.ring.after((Watched.JOBS,), Position(""), 99)
    assert [change.position for change in newest] == held[-CAPACITY:]


class History:
    """Batches of numbered changes, and readers who may leave in the middle."""

    def __init__(self) -> None:
        self.ring = Ring(CAPACITY)
        self.backlog = Backlog(self.ring, self._digest)
        self.count = 0
        self.last = 0
        """Changes in the last batch: it is kept whole."""

    async def step(self, step: int | str) -> None:
        if isinstance(step, int):
            self.last = step or self.last
            self.backlog.put(batch_of(range(self.count, self.count + step)))
            self.count += step
        elif step == "read":
            await self.backlog.read()
        else:
            await self._leave()

    def behind(self, start: Position) -> list[Position]:
        return [each for each in map(place, range(self.count)) if each > start]

    async def _leave(self) -> None:
        reading = asyncio.create_task(self.backlog.read())
        await a_turn()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    async def _digest(self, batch: StreamBatch) -> None:
        await a_turn()
        for event in batch.events:
            position = Position(event["_id"]["_data"])
            self.ring.append(Change(Watched.JOBS, position, ChangeType.CHANGED, position))


def place(number: int) -> Position:
    return Position(f"{number:04}")


def batch_of(numbers: Iterable[int]) -> StreamBatch:
    events = [RawBSONDocument(bson.encode({"_id": {"_data": place(n)}})) for n in numbers]
    last = events[-1]["_id"]["_data"] if events else "9999"
    return StreamBatch(events=events, position=Position(last))
