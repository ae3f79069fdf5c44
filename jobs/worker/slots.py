"""How many jobs a worker runs at once, in all and of functions with a limit of their own: a claim
never takes more than there is room for.

A function that has returned has no slot any more, though how it ended is still to be written: so
the next one runs meanwhile. What is unwritten has a bound of its own.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.lanes import Lane
from ostinato.jobs.registry import Registry
from ostinato.jobs.worker.gates import Gates

UNWRITTEN_AT_MOST: Final = 4  # times the capacity: what a slow database is let fall behind


class Slots:
    def __init__(self, capacity: int, registry: Registry) -> None:
        self.capacity = capacity
        self.free = capacity
        self._unwritten = 0
        self._gates = Gates(registry)
        self._freed = asyncio.Event()

    @property
    def taken(self) -> int:
        return self.capacity - self.free

    def has_room(self, lane: Lane | None) -> bool:
        """Tell whether a job could begin now, one of that lane if it is given."""
        return self._is_open and (lane is None or self._gates.room(lane, 1) > 0)

    async def take(self, lane: Lane, wanted: int) -> int:
        """Wait until there is room, and take as much of `wanted` as there is: at least one.

        Takes none, without waiting, if the lane's function has no room of its own.
        """
        entered = self._gates.enter(lane, wanted)
        taken = 0
        try:
            while entered and not self._is_open:
                self._freed.clear()
                await self._freed.wait()
            taken = min(entered, self.free)
            self.free -= taken
        finally:
            self._gates.leave(lane, entered - taken)
        return taken

    def give_back(self, lane: Lane, number: int = 1) -> None:
        self.free += number
        self._gates.leave(lane, number)
        self._freed.set()

    def await_write(self, lane: Lane) -> None:
        """Give back the slot of a job that has returned; `written` must follow."""
        self._unwritten += 1
        self.give_back(lane)

    def written(self) -> None:
        self._unwritten -= 1
        self._freed.set()

    @property
    def _is_open(self) -> bool:
        return self.free > 0 and self._unwritten < UNWRITTEN_AT_MOST * self.capacity


@dataclass(slots=True)
class Taken:
    """Slots that were taken for a claim, and are no running job's yet."""

    slots: Slots
    lane: Lane
    number: int

    def give_back(self, number: int | None = None) -> None:
        """Give back so many of them, or all that are left."""
        given = self.number if number is None else number
        self.number -= given
        if given:
            self.slots.give_back(self.lane, given)

    def hand_over(self) -> Lane:
        """Leave one to a job that starts; returns the lane to give it back to."""
        self.number -= 1
        return self.lane
