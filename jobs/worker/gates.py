"""How many of a function one worker runs at once, for functions with a limit of their own."""

from collections import Counter

from ostinato.jobs.lanes import Lane
from ostinato.jobs.registry import Registry


class Gates:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._inside: Counter[str] = Counter()

    def room(self, lane: Lane, wanted: int) -> int:
        """Give how many of `wanted` may begin now."""
        function = self._registry.get(lane.function) if lane.function else None
        if function is None or function.concurrency is None:
            return wanted
        return max(0, min(wanted, function.concurrency - self._inside[function.name]))

    def enter(self, lane: Lane, wanted: int) -> int:
        """Let in as many of `wanted` as there is room for, without waiting."""
        entered = self.room(lane, wanted)
        if lane.function is not None:
            self._inside[lane.function] += entered
        return entered

    def leave(self, lane: Lane, number: int) -> None:
        if lane.function is not None:
            self._inside[lane.function] -= number
