"""Deadlines cancel a block as `asyncio.timeout` does, with one timer for each duration."""

import asyncio
from contextlib import suppress

import pytest

from ostinato.jobs.async_tools.timeouts import MAX_IDLE_TIMERS, Deadline, Deadlines

NEVER_S = 3_600.0
SOON_S = 0.01


@pytest.fixture
async def deadlines() -> Deadlines:
    return Deadlines(asyncio.get_running_loop())


def limit(deadlines: Deadlines, seconds: float) -> Deadline:
    task = asyncio.current_task()
    assert task is not None
    return deadlines.limit(seconds, task)


def count_timers() -> int:
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = loop._scheduled  # type: ignore[attr-defined]
    return sum(not timer.cancelled() for timer in timers)


async def test_block_that_is_too_slow_is_canceled(deadlines: Deadlines) -> None:
    with pytest.raises(TimeoutError), limit(deadlines, SOON_S) as deadline:
        await asyncio.Event().wait()
    assert deadline.has_expired
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_block_that_ends_in_time_is_not_canceled(deadlines: Deadlines) -> None:
    with limit(deadlines, SOON_S) as deadline:
        pass
    with suppress(TimeoutError), limit(deadlines, SOON_S):
        await asyncio.Event().wait()
    assert not deadline.has_expired


async def test_another_cancellation_stays_one(deadlines: Deadlines) -> None:
    async def wait() -> None:
        with limit(deadlines, NEVER_S):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.wait({waiting}, timeout=0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_cancellation_beside_the_deadline_is_not_hidden(deadlines: Deadlines) -> None:
    async def wait() -> None:
        with limit(deadlines, SOON_S) as deadline:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            assert deadline.has_expired
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(wait())


async def test_blocks_expire_in_the_order_of_their_deadlines(deadlines: Deadlines) -> None:
    expired: list[str] = []

    async def wait(name: str, seconds: float) -> None:
        with suppress(TimeoutError), limit(deadlines, seconds):
            await asyncio.Event().wait()
        expired.append(name)

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 5 * SOON_S), ("first", SOON_S), ("second", SOON_S)):
            group.create_task(wait(name, seconds))
    assert expired == ["first", "second", "late"]


async def test_blocks_of_one_duration_share_a_timer(deadlines: Deadlines) -> None:
    before = count_timers()
    blocks = [limit(deadlines, NEVER_S) for _ in range(100)]
    for block in blocks:
        block.__enter__()
    assert count_timers() == before + 1
    for block in blocks:
        block.__exit__(None, None, None)
    with limit(deadlines, NEVER_S):
        assert count_timers() == before + 1


async def test_timers_of_many_durations_are_removed(deadlines: Deadlines) -> None:
    before = count_timers()
    for number in range(10 * MAX_IDLE_TIMERS):
        with limit(deadlines, NEVER_S + number):
            pass
    assert count_timers() <= before + MAX_IDLE_TIMERS
