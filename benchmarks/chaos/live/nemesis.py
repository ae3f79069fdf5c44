"""The faults of live runs: API processes or the primary are killed, or the primary steps down."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from benchmarks.chaos.installation import wait_until_ready
from benchmarks.chaos.live.installation import APIS, LiveInstallation
from benchmarks.chaos.live.replica_set import MEMBERS


@dataclass(frozen=True, slots=True)
class Nemesis:
    """Injects faults into one installation; `random` chooses the process and the duration."""

    target: LiveInstallation
    random: Random

    async def api(self) -> None:
        """Kill an API process: its clients resume at the other one."""
        number = self.random.randrange(len(APIS))
        await self.target.kill(APIS[number])
        await asyncio.sleep(self.random.uniform(0, 1))
        self.target.start(APIS[number])
        await wait_until_ready(self.target.urls[number])

    async def apis(self) -> None:
        """Kill both API processes: only the clients still know their positions."""
        for name in APIS:
            await self.target.kill(name)
        await self.target.start_api()

    async def primary(self) -> None:
        """Kill the primary, and restart it after another member may have become primary."""
        number = await self.target.replica_set.wait_for_primary()
        await self.target.kill(f"mongod-{number}")
        await asyncio.sleep(self.random.uniform(0, 5))
        self.target.start_member(number)
        await self._recovered()

    async def step_down(self) -> None:
        """Make the primary step down."""
        await self.target.replica_set.step_down()
        await self._recovered()

    async def _recovered(self) -> None:
        for number in range(MEMBERS):
            await self.target.replica_set.wait_for_member(number)
        await self.target.replica_set.wait_for_primary()
        self.target.note_primary()


FAULTS: Final[dict[str, Callable[[Nemesis], Awaitable[None]]]] = {
    "api": Nemesis.api,
    "primary": Nemesis.primary,
    "apis": Nemesis.apis,
    "stepDown": Nemesis.step_down,
}
