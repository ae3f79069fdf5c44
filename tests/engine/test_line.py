"""What a wait in line does to a deadline."""

import asyncio

import pytest

from ostinato.jobs.mongo.line import Line

DEADLINE_S = 60.0
WAIT_S = 0.05


async def turn_after(wait_s: float, error: Exception | None = None) -> str:
    """Give a turn after a while, or fail to."""
    loop = asyncio.get_running_loop()
    turn: asyncio.Future[str] = loop.create_future()
    if error is None:
        loop.call_later(wait_s, turn.set_result, "turn")
    else:
        loop.call_later(wait_s, turn.set_exception, error)
    return await turn


def put_off_by(deadline: asyncio.Timeout, began: float) -> float:
    when = deadline.when()
    assert when is not None
    return when - began - DEADLINE_S


async def test_a_wait_puts_the_deadline_off_by_what_it_took() -> None:
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout_at(began + DEADLINE_S) as deadline:
        assert await Line(deadline, 30.0).wait(turn_after(WAIT_S)) == "turn"
        assert 0.8 * WAIT_S <= put_off_by(deadline, began) < 5.0


async def test_a_turn_that_fails_puts_the_deadline_off_by_no_more() -> None:
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout_at(began + DEADLINE_S) as deadline:
        with pytest.raises(ConnectionError):
            await Line(deadline, 30.0).wait(turn_after(WAIT_S, ConnectionError()))
        assert 0.8 * WAIT_S <= put_off_by(deadline, began) < 5.0


async def test_all_waits_of_a_transaction_share_one_allowance() -> None:
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout_at(began + DEADLINE_S) as deadline:
        line = Line(deadline, 1.5 * WAIT_S)
        for _ in range(3):
            await line.wait(turn_after(WAIT_S))
        assert line.left_s == 0.0
        assert put_off_by(deadline, began) == pytest.approx(1.5 * WAIT_S)


async def test_a_deadline_that_passes_in_line_ends_the_wait() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(WAIT_S) as deadline:
            await Line(deadline, WAIT_S).wait(turn_after(DEADLINE_S))
