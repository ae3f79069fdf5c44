"""A crowd that begins at once: rows are read and executed once for all of it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import orjson
import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.changes import Position
from ostinato.jobs.errors import SlowConsumer
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.live.live_query import ResumePoint
from ostinato.resolvers.live.messages import EventPosition
from ostinato.schema.execution.encoding import EncodedResult
from ostinato.schema.fanout.broadcast import ExecutedItems
from ostinato.schema.fanout.registry import BroadcastRegistry
from ostinato.schema.fanout.result_buffer import EncodedEvent
from ostinato.schema.fanout.subscriber import DeliveryOptions, Subscriber
from ostinato.schema.ids import global_id
from tests.live.watching import JOBS, Pushed, SubscriptionHarness, Watcher
from tests.live.writing import Writer
from tests.processes import eventually
from tests.schema.fanout.test_fair_share import next_turn

CROWD = 60
ROWS = 20


async def rows_of(watcher: Watcher) -> list[str]:
    """Read a snapshot to its READY and return the jobs in it."""
    await watcher.ready()
    told = [orjson.loads(each.payload)["data"]["jobsChanged"] for each in watcher.encoded]
    return [each["jobId"] for each in told if each["kind"] == "SNAPSHOT"]


async def test_equal_concurrent_snapshots_are_executed_once(
    harness: SubscriptionHarness, feed: ChangeFeed, writer: Writer
) -> None:
    ids = {global_id("Job", await writer.job()) for _ in range(ROWS)}
    watchers = [harness.watch(JOBS, snapshot=True) for _ in range(CROWD)]
    found = await asyncio.gather(*map(rows_of, watchers))
    assert [set(rows) for rows in found] == [ids] * CROWD
    assert harness.runner.metrics.results <= 3 * (ROWS + 1)
    waiting = [asyncio.create_task(watcher.next()) for watcher in watchers]
    await eventually(lambda: harness.broadcasts == [CROWD])
    new = global_id("Job", await writer.job())
    assert {message["jobId"] for message in await asyncio.gather(*waiting)} == {new}
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))
    await eventually(lambda: not len(harness.subscriptions.broadcasts.snapshots))
    assert feed.stats.subscriptions == 0


async def test_snapshot_requested_during_a_read_contains_earlier_writes(
    harness: SubscriptionHarness, writer: Writer
) -> None:
    first = harness.watch(JOBS, snapshot=True)
    reading = asyncio.create_task(rows_of(first))
    for _ in range(10):
        job_id = global_id("Job", await writer.job())
        async with harness.watch(JOBS, snapshot=True) as late:
            assert job_id in await rows_of(late)
    await reading
    await first.__aexit__()


async def test_rows_of_one_owner_are_not_shared_with_another(
    harness: SubscriptionHarness, writer: Writer
) -> None:
    job_id = global_id("Job", await writer.job())
    async with (
        harness.watch(JOBS, snapshot=True) as anns,
        harness.watch(JOBS, Viewer(id="bob"), snapshot=True) as bobs,
    ):
        found = await asyncio.gather(rows_of(anns), rows_of(bobs))
        assert list(found) == [[job_id], []]


async def test_whoever_leaves_takes_nobody_s_rows_away(
    harness: SubscriptionHarness, writer: Writer
) -> None:
    job_id = global_id("Job", await writer.job())
    founder, other = (harness.watch(JOBS, snapshot=True) for _ in range(2))
    leaving = asyncio.create_task(rows_of(founder))
    staying = asyncio.create_task(rows_of(other))
    await eventually(lambda: len(harness.subscriptions.broadcasts.snapshots) == 1)
    leaving.cancel()
    assert await staying == [job_id]
    await other.__aexit__()


async def test_crowd_that_was_cut_off_within_its_rows_begins_again_together(
    harness: SubscriptionHarness, writer: Writer
) -> None:
    ids = {global_id("Job", await writer.job()) for _ in range(ROWS)}
    async with harness.watch(JOBS, snapshot=True) as cut_off:
        await cut_off.take(ROWS // 2)
        cursor = cut_off.encoded[-1].cursor
    before = harness.runner.metrics.results
    watchers = [harness.watch(JOBS, snapshot=True, after=cursor) for _ in range(CROWD)]
    found = await asyncio.gather(*map(rows_of, watchers))
    assert [set(rows) for rows in found] == [ids] * CROWD
    assert all(b"RESET" in watcher.encoded[0].payload for watcher in watchers)
    assert harness.runner.metrics.results - before <= 3 * (ROWS + 2)
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))


async def test_rows_are_sent_in_one_write_to_who_reads(
    harness: SubscriptionHarness, writer: Writer
) -> None:
    for _ in range(ROWS):
        await writer.job()
    pushed = Pushed()
    watcher = harness.watch(JOBS, snapshot=True, push=pushed)
    told = asyncio.create_task(watcher.next())
    await eventually(lambda: b"".join(pushed.batches).count(b'"SNAPSHOT"') == ROWS)
    await eventually(lambda: b'"READY"' in pushed.batches[-1])
    assert len(pushed.batches) < ROWS
    told.cancel()
    await asyncio.gather(told, return_exceptions=True)
    await watcher.__aexit__()


@dataclass
class Rows:
    """Tell so many rows, the second half only once that is allowed."""

    number: int = 20
    allowed: asyncio.Event = field(default_factory=asyncio.Event)
    reads: int = 0
    at_once: int = 0
    executed: int = 0

    async def snapshot(self) -> ExecutedItems:
        self.reads, self.at_once = self.reads + 1, self.at_once + 1
        assert self.at_once == 1
        place = EventPosition(Position("01"))
        for number in range(self.number):
            if number == self.number // 2:
                await self.allowed.wait()
            self.executed += 1
            yield EncodedEvent(
                EncodedResult(b"{}", f"{self.reads}-{number}"), place._replace(subject=str(number))
            )
        self.at_once -= 1
        yield ResumePoint(position=Position("01"))


@pytest.fixture
async def groups() -> AsyncGenerator[BroadcastRegistry, None]:
    groups = BroadcastRegistry(10)
    yield groups
    await groups.aclose()


def began(groups: BroadcastRegistry, rows: Rows) -> Subscriber:
    return groups.snapshots.join("k", rows.snapshot, DeliveryOptions(None))


async def all_of(member: Subscriber) -> list[str]:
    taken = []
    while (each := await member.next()) is not None:
        taken.append(str(each.cursor))
    return taken


async def test_read_that_is_under_way_is_joined_by_nobody(groups: BroadcastRegistry) -> None:
    rows = Rows()
    early = asyncio.create_task(all_of(began(groups, rows)))
    await eventually(lambda: rows.executed == rows.number // 2)
    late = [asyncio.create_task(all_of(began(groups, rows))) for _ in range(3)]
    rows.allowed.set()
    first = [f"1-{number}" for number in range(rows.number)]
    second = [f"2-{number}" for number in range(rows.number)]
    assert await asyncio.gather(early, *late) == [first, second, second, second]
    assert rows.reads == 2


async def test_rows_are_executed_no_faster_than_one_client_takes_them(
    groups: BroadcastRegistry,
) -> None:
    rows = Rows(number=100)
    rows.allowed.set()
    member = began(groups, rows)
    await eventually(lambda: rows.executed > 10)
    for _ in range(3):
        await next_turn()
    assert rows.executed == 11
    assert len(await all_of(member)) == 100


async def test_who_takes_no_rows_holds_up_the_others_only_for_so_long(
    groups: BroadcastRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.schema.fanout.broadcast.MAX_DELAY_S", 0.05)
    rows = Rows(number=100)
    rows.allowed.set()
    slow, other = began(groups, rows), began(groups, rows)
    assert len(await all_of(other)) == 100
    with pytest.raises(SlowConsumer):
        await slow.next()
