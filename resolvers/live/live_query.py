"""Live queries: returned by subscription fields, executed by the fan-out."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from ostinato.jobs.changes import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """A boundary in a stream: all changes up to `position` were sent, and none after it."""

    position: Position
    seq: int = 0
    """The last event sent, in single-object subscriptions."""
    version: int = 0
    """The last version sent, in single-object subscriptions."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The end of a stream that cannot continue: the session restarts, and a list sends RESET."""


M = TypeVar("M")
N = TypeVar("N")

LiveItem: TypeAlias = M | ResumePoint | Reset


class LiveQuery(ABC, AsyncIterable[M], Generic[M]):
    """The opening messages of a subscription, and the changes after them.

    Equal queries produce equal messages, so one execution can serve all of them. Callers must close
    both generators, which raise NotFound, BadRequest, HistoryLost and SlowConsumer.
    """

    after: str | None = None
    """The client's cursor to resume after."""
    coalesce: bool = False
    """Whether slow clients receive only the newest message of each object."""

    @abstractmethod
    def opening(
        self, after: str | None = None, *, restart: bool = False
    ) -> AsyncGenerator[LiveItem[M], None]:
        """Yield the opening messages, then a ResumePoint.

        They are a snapshot if the client wants one and `after` is None, READY, and the changes
        that happen meanwhile. With `restart`, the stream was reset; `after` is the cursor of the
        last message sent. Yields only Reset if the cursor cannot be resumed. Ends without a
        ResumePoint if no messages can follow.
        """

    @abstractmethod
    def changes(self, start: ResumePoint) -> AsyncGenerator[LiveItem[M], None]:
        """Yield all messages after `start`; ends only if the object is deleted.

        A ResumePoint separates the missed messages from the live ones.
        """

    def map(self, translate: Callable[[M], N]) -> "LiveQuery[N]":
        """Return the same query with translated messages."""
        return _MappedQuery(self, translate)

    async def __aiter__(self) -> AsyncIterator[M]:
        """Yield the messages of a single client, without sharing an execution."""
        cursor, start, restart = self.after, None, False
        while True:  # noqa: PLR1702 (a part has to be closed before the next one starts)
            part = self.changes(start) if start else self.opening(cursor, restart=restart)
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

    def opening(
        self, after: str | None = None, *, restart: bool = False
    ) -> AsyncGenerator[LiveItem[N], None]:
        return self._translated(self._query.opening(after, restart=restart))

    def changes(self, start: ResumePoint) -> AsyncGenerator[LiveItem[N], None]:
        return self._translated(self._query.changes(start))

    async def _translated(
        self, items: AsyncGenerator[LiveItem[M], None]
    ) -> AsyncGenerator[LiveItem[N], None]:
        async with aclosing(items):
            async for item in items:
                yield item if isinstance(item, ResumePoint | Reset) else self._translate(item)
