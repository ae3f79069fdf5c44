"""Keeps the newest changes of the process, indexed by who may ask for them again."""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from ostinato.jobs.changes import Change, Position, WatchedCollection
from ostinato.jobs.hub.watch import Key, keys_of

_POSITION: Final = attrgetter("position")


class Drawer:
    """Changes in order of position; takes from the front without moving the rest each time."""

    __slots__ = ("_changes", "_head")

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._head = 0

    def __bool__(self) -> bool:
        return self._head < len(self._changes)

    @property
    def newest(self) -> Change:
        return self._changes[-1]

    def append(self, change: Change) -> None:
        self._changes.append(change)

    def drop_oldest(self) -> None:
        self._head += 1
        if self._head > len(self._changes) // 2:
            del self._changes[: self._head]
            self._head = 0

    def after(self, position: Position, limit: int) -> Sequence[Change]:
        """Return at most `limit` changes behind `position`, oldest first."""
        start = bisect_right(self._changes, position, lo=self._head, key=_POSITION)
        return self._changes[start : start + limit]


class Ring:
    """Hold the changes behind `start`, up to a bound; the oldest go first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._changes: deque[Change] = deque()
        self._drawers: defaultdict[Key, Drawer] = defaultdict(Drawer)
        self.start = Position("")
        """All that was written behind this position is here, or in the backlog."""

    def __len__(self) -> int:
        return len(self._changes)

    def clear(self, start: Position) -> None:
        self._changes.clear()
        self._drawers.clear()
        self.start = start

    def covers(self, position: Position) -> bool:
        """Tell whether nothing behind `position` is missing here."""
        return position >= self.start

    def append(self, change: Change) -> None:
        self._changes.append(change)
        for key in keys_of(change):
            self._drawers[key].append(change)
        self.make_room(0)

    def make_room(self, changes: int) -> None:
        """Drop the oldest until there is room for so many, or nothing is left."""
        while self._changes and len(self._changes) + changes > self.capacity:
            self._drop_oldest()

    def after(self, key: Key, position: Position, limit: int) -> Sequence[Change]:
        """Return at most `limit` changes of a drawer behind `position`, oldest first."""
        drawer = self._drawers.get(key)
        return drawer.after(position, limit) if drawer else ()

    def newest_of(self, collection: WatchedCollection, document_id: str) -> Change | None:
        """Return the last change of a document that changed lately."""
        drawer = self._drawers.get((collection, "id", document_id))
        return drawer.newest if drawer else None

    def _drop_oldest(self) -> None:
        oldest = self._changes.popleft()
        self.start = oldest.position
        for key in keys_of(oldest):
            drawer = self._drawers[key]
            drawer.drop_oldest()
            if not drawer:
                del self._drawers[key]
