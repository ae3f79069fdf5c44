"""Time in a queue does not count towards a transaction's deadline."""

import asyncio

import pytest

from ostinato.jobs.mongo.transaction import Deadline

DEADLINE_S = 60.0
WAIT_S = 0.05


async def turn_after(wait_s: float, error: Exception | None = None) -> str:
    """Return after `wait_s`, or raise the error."""
    loop = asyncio.get_running_loop()
    turn: asyncio.Future[str] = loop.create_future()
    if error is None:
        loop.call_later(wait_s, turn.set_result, "turn")
    else:
        loop.call_later(wait_s, turn.set_exception, error)
    return await turn


def moved_by(timeout: asyncio.Timeout, began: float) -> float:
    when = timeout.when()
    assert when is not None
    return when - began - DEADLINE_S


async def test_wait_extends_the_deadline_by_its_duration() -> None:
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout_at(began + DEADLINE_S) as timeout:
        assert await Deadline(timeout, 30.0).wait_in_queue(turn_after(WAIT_S)) == "turn"
        assert 0.8 * WAIT_S <= moved_by(timeout, began) < 30.0


async def test_failed_wait_extends_the_deadline_by_its_duration() -> None:
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout_at(began + DEADLINE_S) as timeout:
        with pytest.raises(ConnectionError):
            await Deadline(timeout, 30.0).wait_in_queue(turn_after(WAIT_S, ConnectionError()))
        assert 0.8 * WAIT_S <= moved_by(timeout, began) < 30.0


async def test_all_waits_of_a_transaction_share_one_budget() -> None:
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout_at(began + DEADLINE_S) as timeout:
        deadline = Deadline(timeout, 1.5 * WAIT_S)
        for _ in range(3):
            await deadline.wait_in_queue(turn_after(WAIT_S))
        assert deadline.queue_time_s == 0.0
        assert moved_by(timeout, began) == pytest.approx(1.5 * WAIT_S)


async def test_wait_ends_at_the_deadline_plus_the_remaining_budget() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(WAIT_S) as timeout:
            await Deadline(timeout, WAIT_S).wait_in_queue(turn_after(DEADLINE_S))
