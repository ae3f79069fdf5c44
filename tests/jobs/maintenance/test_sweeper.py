"""The sweeper runs each repair independently of the others."""

import asyncio

from ostinato.jobs.maintenance.sweeper import Sweeper
from tests.processes import eventually


async def hang() -> int:
    await asyncio.Event().wait()
    return 0


async def fail() -> int:
    raise RuntimeError("a bug")


async def test_repair_that_hangs_or_fails_does_not_delay_others() -> None:
    runs: list[int] = []

    async def repair() -> int:
        runs.append(1)
        return 0

    sweeper = Sweeper({"hanging": hang, "failing": fail, "quick": repair}, every_ms=1)
    sweeping = asyncio.create_task(sweeper.run())
    await eventually(lambda: len(runs) > 2)
    sweeping.cancel()
