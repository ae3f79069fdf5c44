"""Holds what waits for one reader, within a bound."""

from collections.abc import Sequence

from jobs.hub.watch import Notice


class Buffer:
    """Queue notices; past `limit` of them keep the newest per document, or overflow for good."""

    def __init__(self, limit: int, *, coalesce: bool) -> None:
        self._limit = limit
        self._coalesce = coalesce
        self._notices: list[Notice] = []
        self.overflowed = False
        """Whether notices were dropped: the reader must resume by its position."""

    def __len__(self) -> int:
        return len(self._notices)

    def put(self, notices: Sequence[Notice]) -> None:
        if self.overflowed:
            return
        self._notices.extend(notices)
        if len(self._notices) > self._limit and self._coalesce:
            self._notices = _newest_of_each(self._notices)
        if len(self._notices) > self._limit:
            self.clear()
            self.overflowed = True

    def take(self) -> Sequence[Notice]:
        taken, self._notices = self._notices, []
        return taken

    def clear(self) -> None:
        self._notices = []


def _newest_of_each(notices: Sequence[Notice]) -> list[Notice]:
    newest: dict[str, Notice] = {}
    for notice in notices:
        newest.pop(notice.change.document_id, None)  # so that the order stays that of the history
        newest[notice.change.document_id] = notice
    return list(newest.values())
