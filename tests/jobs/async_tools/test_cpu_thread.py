"""Computations beside the event loop: users take turns."""

import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from ostinato.jobs.async_tools.cpu_thread import TURN_S, collect_in_cpu_thread, run_in_cpu_thread

pytestmark = pytest.mark.audit("turns of users")


class Computations:
    """Computations of users, which record their names; the first one waits for `unblock`."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self._blocked = threading.Event()
        self.tasks: dict[str, asyncio.Task[Any]] = {}

    def start(self, *names: str) -> None:
        """Start one for each name, which begins with its user."""
        for name in names:
            compute = partial(self.ran.append, name) if self.tasks else self._wait
            running = run_in_cpu_thread(name.split()[0], compute)
            self.tasks[name] = asyncio.create_task(running)

    async def finish(self) -> list[str]:
        """Unblock the first one in a later turn of the loop; return what ran after it."""
        asyncio.get_running_loop().call_soon(self._blocked.set)
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return self.ran

    def _wait(self) -> None:
        self._blocked.wait(30)


@pytest.fixture
async def computations() -> Computations:
    return Computations()


async def test_users_take_turns(computations: Computations) -> None:
    computations.start("ann 0", "ann 1", "ann 2", "ann 3", "bob 1", "bob 2", "eve 1")
    expected = ["ann 1", "bob 1", "eve 1", "ann 2", "bob 2", "ann 3"]
    assert await computations.finish() == expected


async def test_computation_that_is_canceled_while_it_waits_does_not_run(
    computations: Computations,
) -> None:
    computations.start("ann 0", "ann 1", "bob 1")
    asyncio.get_running_loop().call_soon(computations.tasks["ann 1"].cancel)
    assert await computations.finish() == ["bob 1"]


async def test_turn_of_a_computation_that_is_canceled_at_its_turn_is_passed_on(
    computations: Computations,
) -> None:
    computations.start("ann 0", "bob 1", "eve 1")
    computations.tasks["ann 0"].add_done_callback(lambda _: computations.tasks["bob 1"].cancel())
    assert (await computations.finish())[-1] == "eve 1"


async def test_an_error_is_raised_and_the_next_computation_runs() -> None:
    results = await asyncio.gather(
        run_in_cpu_thread("ann", lambda: 1 // 0),
        run_in_cpu_thread("ann", lambda: 2),
        return_exceptions=True,
    )
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1] == 2


def _busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() <= end:
        pass


async def test_items_are_collected_in_turns_between_which_others_compute() -> None:
    done: list[object] = []

    def slow_items() -> Iterator[int]:
        for number in range(3):
            _busy(TURN_S)
            done.append(number)
            yield number

    collecting = collect_in_cpu_thread("ann", slow_items())
    other = run_in_cpu_thread("bob", partial(done.append, "bob"))
    assert (await asyncio.gather(collecting, other))[0] == [0, 1, 2]
    assert done == [0, "bob", 1, 2]


async def test_a_canceled_collection_stops_after_its_turn() -> None:
    started, computed = threading.Event(), [0]

    def endless_items() -> Iterator[None]:
        while True:
            started.set()
            computed[0] += 1
            _busy(TURN_S)
            yield None

    collecting = asyncio.create_task(collect_in_cpu_thread("ann", endless_items()))
    await asyncio.to_thread(started.wait, 30)
    collecting.cancel()
    known = await run_in_cpu_thread("ann", partial(computed.__getitem__, 0))
    assert {await run_in_cpu_thread("ann", partial(computed.__getitem__, 0))} == {known}


async def test_no_items_are_collected_as_an_empty_list() -> None:
    assert await collect_in_cpu_thread("ann", iter(())) == []
