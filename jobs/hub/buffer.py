"""Holds what waits for one reader, within a bound."""

from collections.abc import Sequence

from ostinato.jobs.hub.watch import Notice


class Buffer:
    """Queue notices; past `limit` of them drop all: the reader reads on in the history."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._notices: list[Notice] = []
        self.overflowed = False
        """Whether notices were dropped since it was cleared."""

    def __len__(self) -> int:
        return len(self._notices)

    def put(self, notices: Sequence[Notice]) -> None:
        if self.overflowed:
            return
        self._notices.extend(notices)
        if len(self._notices) > self._limit:
            self._notices = []
            self.overflowed = True

    def take(self) -> Sequence[Notice]:
        taken, self._notices = self._notices, []
        return taken

    def clear(self) -> None:
        self._notices = []
        self.overflowed = False
