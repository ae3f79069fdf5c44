"""A live query: what a subscription field returns, and the fan-out executes."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from ostinato.jobs.changes import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """Where to continue: everything up to here has been sent, and nothing after it."""

    position: Position
    seq: int = 0
    """The newest event sent, where one object is followed."""
    version: int = 0
    """The newest version sent, where one object is followed."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Ends a stream: what was sent may be wrong, so the client must start again."""


M = TypeVar("M")
N = TypeVar("N")

LiveItem: TypeAlias = M | ResumePoint | Reset


class LiveQuery(ABC, AsyncIterable[M], Generic[M]):
    """The snapshot of what matches, and the changes after it.

    Equal queries have equal messages, so one of them can be executed for all. Both methods are
    generators to be closed, and raise NotFound, BadRequest, HistoryLost and SlowConsumer.
    """

    after: str | None = None
    """The cursor that the client wants to resume after."""
    coalesce: bool = False
    """Whether a slow client skips to the newest message about each object."""

    @abstractmethod
    def snapshot(
        self, after: str | None = None, *, restart: bool = False
    ) -> AsyncGenerator[LiveItem[M], None]:
        """Yield what the client gets first, up to READY and what was missed, then a ResumePoint.

        With `restart`, the client has to start again after the message at `after`. Yields Reset in
        place of everything if the cursor cannot be resumed after. Ends without a ResumePoint when
        there is nothing more to come.
        """

    @abstractmethod
    def changes(self, start: ResumePoint) -> AsyncGenerator[LiveItem[M], None]:
        """Yield every message after `start`, without an end unless the object is deleted.

        One ResumePoint follows the messages that were missed: what comes after it is live.
        """

    def map(self, translate: Callable[[M], N]) -> "LiveQuery[N]":
        """Return the same query with translated messages."""
        return _MappedQuery(self, translate)

    async def __aiter__(self) -> AsyncIterator[M]:
        """Yield the messages of one client, sharing nothing with others."""
        cursor, start, restart = self.after, None, False
        while True:  # noqa: PLR1702 (a part has to be closed before the next one starts)
            part = self.changes(start) if start else self.snapshot(cursor, restart=restart)
            end: ResumePoint | Reset | None = None
            async with aclosing(part):
                async for item in part:
                    if isinstance(item, Reset):
                        end = item
                    elif not isinstance(item, ResumePoint):
                        cursor = getattr(item, "cursor", None)
                        yield item
                    elif start is None:
                        end = item
            if end is None:
                return
            start, restart = (None, True) if isinstance(end, Reset) else (end, False)


class _MappedQuery(LiveQuery[N], Generic[M, N]):
    """A query with translated messages."""

    def __init__(self, query: LiveQuery[M], translate: Callable[[M], N]) -> None:
        self._query = query
        self._translate = translate
        self.after = query.after
        self.coalesce = query.coalesce

    def snapshot(
        self, after: str | None = None, *, restart: bool = False
    ) -> AsyncGenerator[LiveItem[N], None]:
        return self._translated(self._query.snapshot(after, restart=restart))

    def changes(self, start: ResumePoint) -> AsyncGenerator[LiveItem[N], None]:
        return self._translated(self._query.changes(start))

    async def _translated(
        self, items: AsyncGenerator[LiveItem[M], None]
    ) -> AsyncGenerator[LiveItem[N], None]:
        async with aclosing(items):
            async for item in items:
                yield item if isinstance(item, ResumePoint | Reset) else self._translate(item)
