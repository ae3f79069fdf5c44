"""Computations beside the event loop: users take turns."""

import asyncio
import threading
from functools import partial

from ostinato.jobs.async_tools.cpu_thread import run_in_cpu_thread


async def test_users_take_turns() -> None:
    ran: list[str] = []
    blocked = threading.Event()
    first = asyncio.create_task(run_in_cpu_thread("ann", lambda: blocked.wait(30)))
    names = ["ann 1", "ann 2", "ann 3", "bob 1", "bob 2", "eve 1"]
    others = [
        asyncio.create_task(run_in_cpu_thread(name[:3], partial(ran.append, name)))
        for name in names
    ]
    asyncio.get_running_loop().call_soon(blocked.set)
    await asyncio.gather(first, *others)
    assert ran == ["ann 1", "bob 1", "eve 1", "ann 2", "bob 2", "ann 3"]


async def test_computation_that_is_canceled_while_it_waits_does_not_run() -> None:
    ran: list[str] = []
    blocked = threading.Event()
    first = asyncio.create_task(run_in_cpu_thread("ann", lambda: blocked.wait(30)))
    second = asyncio.create_task(run_in_cpu_thread("ann", lambda: ran.append("second")))
    third = asyncio.create_task(run_in_cpu_thread("bob", lambda: ran.append("third")))
    asyncio.get_running_loop().call_soon(second.cancel)
    asyncio.get_running_loop().call_soon(blocked.set)
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert ran == ["third"]


async def test_turn_of_a_computation_that_is_canceled_at_its_turn_is_passed_on() -> None:
    ran: list[str] = []
    blocked = threading.Event()
    first = asyncio.create_task(run_in_cpu_thread("ann", lambda: blocked.wait(30)))
    second = asyncio.create_task(run_in_cpu_thread("bob", lambda: ran.append("second")))
    third = asyncio.create_task(run_in_cpu_thread("eve", lambda: ran.append("third")))
    first.add_done_callback(lambda _: second.cancel())
    asyncio.get_running_loop().call_soon(blocked.set)
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert ran[-1] == "third"


async def test_an_error_is_raised_and_the_next_computation_runs() -> None:
    results = await asyncio.gather(
        run_in_cpu_thread("ann", lambda: 1 // 0),
        run_in_cpu_thread("ann", lambda: 2),
        return_exceptions=True,
    )
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1] == 2
