"""A crowd that catches up leaves the event loop to others, too."""

import asyncio
from collections.abc import Callable
from typing import Any

from ostinato.schema.fanout.fair_share import EXECUTIONS_PER_TURN, FairShare
from tests.live.fixtures import ContextFactory
from tests.live.reading import disconnected
from tests.live.watching import SubscriptionHarness, Watcher
from tests.live.writing import Writer

CROWD = 12
MISSED = 20


async def next_turn() -> None:
    """Wait as long as others that are ready: for two turns of the loop."""
    ready = asyncio.Event()
    asyncio.get_running_loop().call_soon(ready.set)
    await ready.wait()


async def most_in_a_turn(work: "asyncio.Future[Any]", done: Callable[[], int]) -> int:
    """Say how much was done at most in two turns of the loop."""
    most = before = 0
    while not work.done():
        await next_turn()
        most, before = max(most, done() - before), done()
    await work
    return most


async def test_few_go_on_in_each_turn_of_the_loop_in_the_order_of_their_coming() -> None:
    turns, order = FairShare(), list[int]()

    async def come(number: int) -> None:
        await turns.wait_turn()
        order.append(number)

    coming = asyncio.gather(*(come(number) for number in range(5 * EXECUTIONS_PER_TURN)))
    assert await most_in_a_turn(coming, lambda: len(order)) <= 2 * EXECUTIONS_PER_TURN
    assert order == list(range(5 * EXECUTIONS_PER_TURN))


async def test_who_has_gone_away_takes_no_turn() -> None:
    turns = FairShare()
    coming = [asyncio.create_task(turns.wait_turn()) for _ in range(3 * EXECUTIONS_PER_TURN)]
    await next_turn()
    for task in coming[EXECUTIONS_PER_TURN:-1]:
        task.cancel()
    for _ in range(3):
        await next_turn()
    assert [task.done() for task in coming] == [True] * len(coming)
    assert not coming[-1].cancelled()


async def test_resuming_crowd_executes_little_in_each_turn_of_the_loop(
    as_viewer: ContextFactory, harness: SubscriptionHarness, writer: Writer
) -> None:
    after = await disconnected(as_viewer())
    for _ in range(MISSED):
        await writer.job()
    crowd = [harness.watch(after=after) for _ in range(CROWD)]
    reading = asyncio.gather(*(watcher.take(MISSED + 1) for watcher in crowd))
    most = await most_in_a_turn(reading, lambda: harness.runner.metrics.results)
    assert most <= 4 * EXECUTIONS_PER_TURN
    await asyncio.gather(*map(Watcher.__aexit__, crowd))
