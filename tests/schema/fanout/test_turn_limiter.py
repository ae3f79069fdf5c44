"""TurnLimiter: subscribers that catch up do not block the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ostinato.schema.fanout.turn_limiter import EXECUTIONS_PER_TURN, TurnLimiter
from tests.live.fixtures import ContextFactory
from tests.live.reading import ready_cursor
from tests.live.watching import SubscriptionRig, Watcher
from tests.live.writing import Writer

pytestmark = pytest.mark.audit("turns of users")

SUBSCRIBERS = 12
MISSED = 20


async def next_turn() -> None:
    """Wait for two turns of the event loop, like other tasks that are ready."""
    ready = asyncio.Event()
    asyncio.get_running_loop().call_soon(ready.set)
    await ready.wait()


async def max_per_turn(work: "asyncio.Future[Any]", done: Callable[[], int]) -> int:
    """Return the maximum number of steps done in two turns of the loop."""
    maximum = before = 0
    while not work.done():
        await next_turn()
        maximum, before = max(maximum, done() - before), done()
    await work
    return maximum


async def test_waiting_tasks_continue_in_order_a_few_per_turn_of_the_loop() -> None:
    turns, order = TurnLimiter(), list[int]()

    async def wait_and_record(number: int) -> None:
        await turns.wait_turn()
        order.append(number)

    waiting = asyncio.gather(
        *(wait_and_record(number) for number in range(5 * EXECUTIONS_PER_TURN))
    )
    assert await max_per_turn(waiting, lambda: len(order)) <= 2 * EXECUTIONS_PER_TURN
    assert order == list(range(5 * EXECUTIONS_PER_TURN))


async def test_canceled_tasks_take_no_turn() -> None:
    turns = TurnLimiter()
    waiting = [asyncio.create_task(turns.wait_turn()) for _ in range(3 * EXECUTIONS_PER_TURN)]
    await next_turn()
    for task in waiting[EXECUTIONS_PER_TURN:-1]:
        task.cancel()
    for _ in range(3):
        await next_turn()
    assert [task.done() for task in waiting] == [True] * len(waiting)
    assert not waiting[-1].cancelled()


async def test_many_resuming_subscribers_execute_a_few_events_per_turn_of_the_loop(
    as_viewer: ContextFactory, live_rig: SubscriptionRig, writer: Writer
) -> None:
    after = await ready_cursor(as_viewer())
    for _ in range(MISSED):
        await writer.job()
    watchers = [live_rig.watch(after=after) for _ in range(SUBSCRIBERS)]
    reading = asyncio.gather(*(watcher.take(MISSED + 1) for watcher in watchers))
    maximum = await max_per_turn(reading, lambda: live_rig.runner.metrics.results)
    assert maximum <= 4 * EXECUTIONS_PER_TURN
    await asyncio.gather(*map(Watcher.__aexit__, watchers))
