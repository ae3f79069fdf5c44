"""What harms the live layer from outside: an API or a primary that is gone, and its successor."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from benchmarks.chaos.installation import serves
from benchmarks.chaos.live.installation import APIS, LiveInstallation
from benchmarks.chaos.live.replica_set import MEMBERS


@dataclass(frozen=True, slots=True)
class Nemesis:
    """What harms one installation; `random` decides whom and how long."""

    target: LiveInstallation
    random: Random

    async def api(self) -> None:
        """Kill -9 an API: its clients go on at the other one."""
        number = self.random.randrange(len(APIS))
        await self.target.kill(APIS[number])
        await asyncio.sleep(self.random.uniform(0, 1))
        self.target.start(APIS[number])
        await serves(self.target.urls[number])

    async def apis(self) -> None:
        """Kill -9 both: nobody knows anything any more but the clients."""
        for name in APIS:
            await self.target.kill(name)
        await self.target.start_api()

    async def primary(self) -> None:
        """Kill -9 the primary; another takes its place, and it comes back."""
        number = await self.target.replica_set.has_primary()
        await self.target.kill(f"mongod-{number}")
        await asyncio.sleep(self.random.uniform(0, 5))
        self.target.start_member(number)
        await self._recovered()

    async def step_down(self) -> None:
        """Let the primary leave its place to another."""
        await self.target.replica_set.step_down()
        await self._recovered()

    async def _recovered(self) -> None:
        for number in range(MEMBERS):
            await self.target.replica_set.listens(number)
        await self.target.replica_set.has_primary()
        self.target.has_primary_again()


WAYS: Final[dict[str, Callable[[Nemesis], Awaitable[None]]]] = {
    "api": Nemesis.api,
    "primary": Nemesis.primary,
    "apis": Nemesis.apis,
    "stepDown": Nemesis.step_down,
}
