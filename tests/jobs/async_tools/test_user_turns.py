"""Users who wait for a limited number of turns get them one after another."""

import asyncio

import pytest

from ostinato.jobs.async_tools.user_turns import UserTurns

pytestmark = pytest.mark.audit("turns of users")


class Holders:
    """Tasks that hold turns until they are finished, by names that begin with their user."""

    def __init__(self, limit: int) -> None:
        self._turns = UserTurns(limit)
        self._finished = asyncio.Event()
        self.order: list[str] = []

    async def hold(self, name: str) -> None:
        async with self._turns.turn(name.split(maxsplit=1)[0]):
            self.order.append(name)
            await self._finished.wait()

    async def start(self, *names: str) -> list[asyncio.Task[None]]:
        """Start a task for each name; return when all have a turn or wait for one."""
        tasks = [asyncio.create_task(self.hold(name)) for name in names]
        started = asyncio.Event()
        asyncio.get_running_loop().call_soon(started.set)
        await started.wait()
        return tasks

    def finish(self) -> None:
        self._finished.set()


async def test_users_take_turns_beyond_the_limit() -> None:
    holders = Holders(2)
    tasks = await holders.start("ann 0", "ann 1", "ann 2", "ann 3", "bob 1", "eve 1")
    assert holders.order == ["ann 0", "ann 1"]
    holders.finish()
    await asyncio.gather(*tasks)
    assert holders.order[2:] == ["ann 2", "bob 1", "eve 1", "ann 3"]


async def test_turn_of_a_canceled_task_is_passed_on() -> None:
    holders = Holders(1)
    first, waiting, last = await holders.start("ann 0", "bob 1", "eve 1")
    waiting.cancel()
    holders.finish()
    await asyncio.gather(first, last)
    assert holders.order == ["ann 0", "eve 1"]
    await (await holders.start("ann 2"))[0]
