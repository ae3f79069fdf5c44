"""BroadcastRegistry without MongoDB: joining, catching up, slow subscribers and retention."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from ostinato.jobs.changes import Position
from ostinato.jobs.errors import SlowConsumer
from ostinato.resolvers.live.live_query import ResumePoint
from ostinato.resolvers.live.messages import EventPosition
from ostinato.schema.execution.encoding import EncodedResult
from ostinato.schema.fanout.broadcast import ExecutedItems
from ostinato.schema.fanout.broadcast_registry import BroadcastRegistry
from ostinato.schema.fanout.result_buffer import (
    MAX_BUFFER_BYTES,
    RETAINED_BYTES,
    TOTAL_RETAINED_BYTES,
    BufferLimits,
    PositionedResult,
    ResultBuffer,
)
from ostinato.schema.fanout.subscriber import DeliveryOptions, Subscriber
from ostinato.schema.fanout.turn_limiter import TurnLimiter
from tests.processes import eventually
from tests.schema.fanout.test_turn_limiter import next_turn

LIMIT = 10
TAKES_ALL = DeliveryOptions(lambda _batch: True)
TAKES_NONE = DeliveryOptions(None)


def position(number: int) -> Position:
    return Position(f"{number:04}")


def after(number: int) -> ResumePoint:
    return ResumePoint(position=position(number))


@dataclass
class History:
    """A source with changes up to `present`, which counts executions."""

    present: int
    executed: int = 0
    is_live: bool = False

    async def changes(self, start: ResumePoint) -> ExecutedItems:
        for number in range(int(start.position) + 1, self.present + 1):
            self.executed += 1
            yield PositionedResult(
                EncodedResult(b"{}", str(number)), EventPosition(position(number))
            )
        yield after(self.present)
        self.is_live = True
        await asyncio.Event().wait()


async def read(member: Subscriber) -> list[int]:
    """Read results up to the last of the history."""
    taken = [await member.next()]
    while taken[-1] is not None and taken[-1].cursor != "100":
        taken.append(await member.next())
    return [int(str(item.cursor)) for item in taken if item is not None]


@pytest.fixture
async def registry() -> AsyncGenerator[BroadcastRegistry, None]:
    registry = BroadcastRegistry(LIMIT)
    yield registry
    await registry.aclose()


async def test_concurrent_reconnects_are_served_from_their_oldest_resume_point(
    registry: BroadcastRegistry,
) -> None:
    history, behind = History(100), [70, 20, 90]
    members = [registry.join("k", after(number), history.changes, TAKES_NONE) for number in behind]
    received = await asyncio.gather(*map(read, members))
    assert received == [list(range(number + 1, 101)) for number in behind]
    assert history.executed == 80
    assert len(registry) == 1


async def test_broadcast_is_live_after_catching_up(registry: BroadcastRegistry) -> None:
    history = History(100)
    member = registry.join("k", after(95), history.changes, TAKES_ALL)
    taking = asyncio.create_task(member.next())
    await eventually(lambda: history.is_live)
    assert [broadcast.is_live for broadcast in registry] == [True]
    taking.cancel()


async def test_late_subscriber_reads_retained_events(registry: BroadcastRegistry) -> None:
    history = History(100)
    first = registry.join("k", after(90), history.changes, TAKES_ALL)
    taking = asyncio.create_task(first.next())
    await eventually(lambda: history.is_live and first.number == 10)
    late = registry.join("k", after(96), history.changes, TAKES_NONE)
    assert await read(late) == [97, 98, 99, 100]
    assert history.executed == 10
    taking.cancel()


async def test_subscriber_behind_retained_events_catches_up_and_joins(
    registry: BroadcastRegistry,
) -> None:
    history = History(100)
    first = registry.join("k", after(90), history.changes, TAKES_ALL)
    taking = asyncio.create_task(first.next())
    await eventually(lambda: history.is_live)
    late = registry.join("k", after(80), history.changes, TAKES_NONE)
    assert await read(late) == list(range(81, 101))
    assert await late.next() is None
    assert late.ended_with == after(100)
    again = registry.join("k", after(100), history.changes, TAKES_NONE)
    assert again.broadcast is first.broadcast
    taking.cancel()


async def test_execution_waits_for_a_sole_subscriber(registry: BroadcastRegistry) -> None:
    history = History(100)
    member = registry.join("k", after(0), history.changes, TAKES_NONE)
    await eventually(lambda: history.executed > LIMIT)
    for _ in range(3):
        await next_turn()
    assert history.executed == LIMIT + 1
    assert await read(member) == list(range(1, 101))


async def test_slowest_subscriber_is_closed_after_the_maximum_delay(
    registry: BroadcastRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.schema.fanout.broadcast.MAX_DELAY_S", 0.05)
    history = History(100)
    slow = registry.join("k", after(0), history.changes, TAKES_NONE)
    other = registry.join("k", after(0), history.changes, TAKES_NONE)
    assert await read(other) == list(range(1, 101))
    with pytest.raises(SlowConsumer):
        await slow.next()


async def test_subscriber_ahead_of_its_broadcast_keeps_its_own_resume_point(
    registry: BroadcastRegistry,
) -> None:
    history = History(100)
    first = registry.join("k", after(100), history.changes, TAKES_ALL)
    taking = asyncio.create_task(first.next())
    await eventually(lambda: history.is_live)
    registry.join("k", after(80), history.changes, TAKES_ALL)
    catching_up = next(broadcast for broadcast in registry if broadcast is not first.broadcast)
    ahead = Subscriber(catching_up, after(105), TAKES_ALL, TurnLimiter())
    assert await ahead.next() is None
    assert ahead.ended_with == after(105)
    taking.cancel()


async def test_retained_bytes_per_broadcast_decrease_with_their_number(
    registry: BroadcastRegistry,
) -> None:
    limits = registry.limits
    assert limits.retained_bytes == RETAINED_BYTES
    members = [registry.join(n, after(0), History(0).changes, TAKES_NONE) for n in range(1_000)]
    assert 1_000 * limits.retained_bytes <= TOTAL_RETAINED_BYTES
    for member in members:
        registry.leave(member)
    await eventually(lambda: limits.retained_bytes == RETAINED_BYTES)


def test_buffer_is_limited_by_number_and_bytes() -> None:
    buffer = ResultBuffer(position(0), BufferLimits(LIMIT))
    for number in range(1, LIMIT + 1):
        buffer.append(PositionedResult(EncodedResult(b"{}", None), EventPosition(position(number))))
    assert not buffer.is_full()
    buffer.append(PositionedResult(EncodedResult(b"{}", None), EventPosition(position(LIMIT + 1))))
    assert buffer.is_full()
    buffer = ResultBuffer(position(0), BufferLimits(LIMIT))
    buffer.append(
        PositionedResult(EncodedResult(b" " * MAX_BUFFER_BYTES, None), EventPosition(position(1)))
    )
    assert buffer.is_full()
