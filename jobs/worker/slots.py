"""How many jobs a worker runs at once: a claim never takes more than there is room for."""

import asyncio


class Slots:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.free = capacity
        self._freed = asyncio.Event()

    @property
    def taken(self) -> int:
        return self.capacity - self.free

    async def take(self, wanted: int) -> int:
        """Wait until there is room, and take as much of `wanted` as there is: at least one."""
        while self.free == 0:
            self._freed.clear()
            await self._freed.wait()
        taken = min(wanted, self.free)
        self.free -= taken
        return taken

    def give_back(self, number: int = 1) -> None:
        self.free += number
        self._freed.set()
