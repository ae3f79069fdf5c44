"""TurnLimiter: subscribers that catch up do not block the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any

from ostinato.schema.fanout.turn_limiter import EXECUTIONS_PER_TURN, TurnLimiter
from tests.live.fixtures import ContextFactory
from tests.live.reading import ready_cursor
from tests.live.watching import SubscriptionHarness, Watcher
from tests.live.writing import Writer

SUBSCRIBERS = 12
MISSED = 20


async def next_turn() -> None:
    """Wait for two turns of the event loop, like other tasks that are ready."""
    ready = asyncio.Event()
    asyncio.get_running_loop().call_soon(ready.set)
    await ready.wait()


async def most_in_a_turn(work: "asyncio.Future[Any]", done: Callable[[], int]) -> int:
    """Return the maximum number of steps done in two turns of the loop."""
    most = before = 0
    while not work.done():
        await next_turn()
        most, before = max(most, done() - before), done()
    await work
    return most


async def test_waiting_tasks_continue_in_order_a_few_per_turn_of_the_loop() -> None:
    turns, order = TurnLimiter(), list[int]()

    async def come(number: int) -> None:
        await turns.wait_turn()
        order.append(number)

    coming = asyncio.gather(*(come(number) for number in range(5 * EXECUTIONS_PER_TURN)))
    assert await most_in_a_turn(coming, lambda: len(order)) <= 2 * EXECUTIONS_PER_TURN
    assert order == list(range(5 * EXECUTIONS_PER_TURN))


async def test_canceled_tasks_take_no_turn() -> None:
    turns = TurnLimiter()
    coming = [asyncio.create_task(turns.wait_turn()) for _ in range(3 * EXECUTIONS_PER_TURN)]
    await next_turn()
    for task in coming[EXECUTIONS_PER_TURN:-1]:
        task.cancel()
    for _ in range(3):
        await next_turn()
    assert [task.done() for task in coming] == [True] * len(coming)
    assert not coming[-1].cancelled()


async def test_many_resuming_subscribers_execute_a_few_events_per_turn_of_the_loop(
    as_viewer: ContextFactory, harness: SubscriptionHarness, writer: Writer
) -> None:
    after = await ready_cursor(as_viewer())
    for _ in range(MISSED):
        await writer.job()
    watchers = [harness.watch(after=after) for _ in range(SUBSCRIBERS)]
    reading = asyncio.gather(*(watcher.take(MISSED + 1) for watcher in watchers))
    most = await most_in_a_turn(reading, lambda: harness.runner.metrics.results)
    assert most <= 4 * EXECUTIONS_PER_TURN
    await asyncio.gather(*map(Watcher.__aexit__, watchers))
