"""Shared snapshots: rows are read and executed once for concurrent subscribers."""

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
from ostinato.schema.fanout.broadcast_registry import BroadcastRegistry
from ostinato.schema.fanout.result_buffer import PositionedResult
from ostinato.schema.fanout.subscriber import DeliveryOptions, Subscriber
from ostinato.schema.ids import global_id
from tests.live.watching import JOBS, Pushed, SubscriptionRig, Watcher
from tests.live.writing import Writer
from tests.processes import eventually
from tests.schema.fanout.test_turn_limiter import next_turn

SUBSCRIBERS = 60
ROWS = 20


async def rows_of(watcher: Watcher) -> list[str]:
    """Read a snapshot up to READY, and return its job ids."""
    await watcher.ready()
    received = [orjson.loads(encoded.payload)["data"]["jobsChanged"] for encoded in watcher.encoded]
    return [message["jobId"] for message in received if message["kind"] == "SNAPSHOT"]


async def test_equal_concurrent_snapshots_are_executed_once(
    live_rig: SubscriptionRig, feed: ChangeFeed, writer: Writer
) -> None:
    ids = {global_id("Job", await writer.job()) for _ in range(ROWS)}
    watchers = [live_rig.watch(JOBS, snapshot=True) for _ in range(SUBSCRIBERS)]
    found = await asyncio.gather(*map(rows_of, watchers))
    assert [set(rows) for rows in found] == [ids] * SUBSCRIBERS
    assert live_rig.runner.metrics.results <= 3 * (ROWS + 1)
    waiting = [asyncio.create_task(watcher.next()) for watcher in watchers]
    await eventually(lambda: live_rig.broadcasts == [SUBSCRIBERS])
    new = global_id("Job", await writer.job())
    assert {message["jobId"] for message in await asyncio.gather(*waiting)} == {new}
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))
    await eventually(lambda: not len(live_rig.subscriptions.broadcasts.snapshots))
    assert feed.stats.subscriptions == 0


async def test_snapshot_requested_during_a_read_contains_earlier_writes(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    first = live_rig.watch(JOBS, snapshot=True)
    reading = asyncio.create_task(rows_of(first))
    for _ in range(10):
        job_id = global_id("Job", await writer.job())
        async with live_rig.watch(JOBS, snapshot=True) as late:
            assert job_id in await rows_of(late)
    await reading
    await first.__aexit__()


async def test_rows_of_one_owner_are_not_shared_with_another(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    job_id = global_id("Job", await writer.job())
    async with (
        live_rig.watch(JOBS, snapshot=True) as anns,
        live_rig.watch(JOBS, Viewer(id="bob"), snapshot=True) as bobs,
    ):
        found = await asyncio.gather(rows_of(anns), rows_of(bobs))
        assert list(found) == [[job_id], []]


async def test_subscriber_that_leaves_does_not_affect_the_snapshot_of_others(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    job_id = global_id("Job", await writer.job())
    first, other = (live_rig.watch(JOBS, snapshot=True) for _ in range(2))
    leaving = asyncio.create_task(rows_of(first))
    staying = asyncio.create_task(rows_of(other))
    await eventually(lambda: len(live_rig.subscriptions.broadcasts.snapshots) == 1)
    leaving.cancel()
    assert await staying == [job_id]
    await other.__aexit__()


async def test_subscribers_interrupted_within_a_snapshot_share_its_restart(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    ids = {global_id("Job", await writer.job()) for _ in range(ROWS)}
    async with live_rig.watch(JOBS, snapshot=True) as interrupted:
        await interrupted.take(ROWS // 2)
        cursor = interrupted.encoded[-1].cursor
    before = live_rig.runner.metrics.results
    watchers = [live_rig.watch(JOBS, snapshot=True, after=cursor) for _ in range(SUBSCRIBERS)]
    found = await asyncio.gather(*map(rows_of, watchers))
    assert [set(rows) for rows in found] == [ids] * SUBSCRIBERS
    assert all(b"RESET" in watcher.encoded[0].payload for watcher in watchers)
    assert live_rig.runner.metrics.results - before <= 3 * (ROWS + 2)
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))


async def test_rows_are_sent_to_a_fast_client_in_few_writes(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    for _ in range(ROWS):
        await writer.job()
    pushed = Pushed()
    watcher = live_rig.watch(JOBS, snapshot=True, push=pushed)
    received = asyncio.create_task(watcher.next())
    await eventually(lambda: b"".join(pushed.batches).count(b'"SNAPSHOT"') == ROWS)
    await eventually(lambda: b'"READY"' in pushed.batches[-1])
    assert len(pushed.batches) < ROWS
    received.cancel()
    await asyncio.gather(received, return_exceptions=True)
    await watcher.__aexit__()


@dataclass
class Rows:
    """A source of rows; the second half is sent after `allowed` is set."""

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
            yield PositionedResult(
                EncodedResult(b"{}", f"{self.reads}-{number}"), place._replace(subject=str(number))
            )
        self.at_once -= 1
        yield ResumePoint(position=Position("01"))


@pytest.fixture
async def registry() -> AsyncGenerator[BroadcastRegistry, None]:
    registry = BroadcastRegistry(10)
    yield registry
    await registry.aclose()


def join(registry: BroadcastRegistry, rows: Rows) -> Subscriber:
    return registry.snapshots.join("k", rows.snapshot, DeliveryOptions(None))


async def read_all(member: Subscriber) -> list[str]:
    taken = []
    while (item := await member.next()) is not None:
        taken.append(str(item.cursor))
    return taken


async def test_snapshot_that_has_started_is_not_joined(registry: BroadcastRegistry) -> None:
    rows = Rows()
    early = asyncio.create_task(read_all(join(registry, rows)))
    await eventually(lambda: rows.executed == rows.number // 2)
    late = [asyncio.create_task(read_all(join(registry, rows))) for _ in range(3)]
    rows.allowed.set()
    first = [f"1-{number}" for number in range(rows.number)]
    second = [f"2-{number}" for number in range(rows.number)]
    assert await asyncio.gather(early, *late) == [first, second, second, second]
    assert rows.reads == 2


async def test_rows_are_executed_at_the_speed_of_the_client(
    registry: BroadcastRegistry,
) -> None:
    rows = Rows(number=100)
    rows.allowed.set()
    member = join(registry, rows)
    await eventually(lambda: rows.executed > 10)
    for _ in range(3):
        await next_turn()
    assert rows.executed == 11
    assert len(await read_all(member)) == 100


async def test_subscriber_that_reads_no_rows_is_closed_after_the_maximum_delay(
    registry: BroadcastRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.schema.fanout.broadcast.MAX_DELAY_S", 0.05)
    rows = Rows(number=100)
    rows.allowed.set()
    slow, other = join(registry, rows), join(registry, rows)
    assert len(await read_all(other)) == 100
    with pytest.raises(SlowConsumer):
        await slow.next()
