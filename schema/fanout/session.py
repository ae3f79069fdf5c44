"""One client's subscription: a snapshot, alone or shared with equal ones, then a broadcast.

After a reset it starts again with a snapshot.
"""

from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from functools import partial
from typing import Protocol

from ostinato.jobs.errors import HistoryLost
from ostinato.resolvers.live.query import Reset, ResumePoint
from ostinato.schema.execution.encoding import EncodedResult
from ostinato.schema.fanout.broadcast import ExecutedItems
from ostinato.schema.fanout.registry import BroadcastRegistry
from ostinato.schema.fanout.replay_buffer import EncodedEvent
from ostinato.schema.fanout.subscriber import DeliveryOptions, Push, Subscriber


class LiveExecution(Protocol):
    """Executes the two parts of a live query; `shared` for everyone with the same key."""

    @property
    def after(self) -> str | None:
        """The cursor that the client gave as an argument."""

    @property
    def coalesce(self) -> bool:
        """Whether the client accepts the newest results only when it is slow."""

    def snapshot_key(self) -> Hashable | None:
        """Return what equal snapshots have in common; None if there are none."""

    def changes_key(self) -> Hashable:
        """Return what equal changes have in common."""

    def snapshot(self, after: str | None, *, restart: bool, shared: bool) -> ExecutedItems: ...

    def changes(self, start: ResumePoint, *, shared: bool) -> ExecutedItems: ...


class SubscriptionSession:
    """Where one subscription is, and what it gets next."""

    def __init__(
        self, execution: LiveExecution, registry: BroadcastRegistry, push: Push | None
    ) -> None:
        self._execution = execution
        self._registry = registry
        self._options = DeliveryOptions(push, execution.coalesce)
        self._cursor: str | None = None
        """Of the newest result."""
        self._end: ResumePoint | Reset | None = None
        """How the last part ended: where to continue, or with a reset."""

    async def results(self, after: str | None) -> AsyncGenerator[EncodedResult, None]:
        """Yield each result that was not pushed; `after` counts if the client gave no argument."""
        given = self._execution.after
        part = self._snapshot(after if given is None else given)
        while True:
            async with aclosing(part) as results:
                async for encoded in results:
                    yield encoded
            end, self._end = self._end, None
            if end is None:
                return
            part = (
                self._snapshot(self._cursor, restart=True)
                if isinstance(end, Reset)
                else self._changes(end)
            )

    def _snapshot(
        self, after: str | None, *, restart: bool = False
    ) -> AsyncGenerator[EncodedResult, None]:
        """Send a snapshot; one that depends on a cursor is not shared."""
        key = self._execution.snapshot_key() if restart or after is None else None
        if key is not None:
            return self._shared_snapshot(key, restart=restart)
        return self._alone(self._execution.snapshot(after, restart=restart, shared=False))

    async def _shared_snapshot(
        self, key: Hashable, *, restart: bool
    ) -> AsyncGenerator[EncodedResult, None]:
        execute = partial(self._execution.snapshot, None, restart=restart, shared=True)
        snapshots, key = self._registry.snapshots, (key, restart)
        subscriber = snapshots.join(key, execute, DeliveryOptions(self._options.push))
        try:
            while (encoded := await subscriber.next()) is not None:
                yield encoded
        finally:
            snapshots.leave(key, subscriber)
        self._note_end(subscriber)

    async def _changes(self, start: ResumePoint) -> AsyncGenerator[EncodedResult, None]:
        """Send the changes after `start` in a broadcast, or alone if only others lost history."""
        key, is_lost = self._execution.changes_key(), False
        execute = partial(self._execution.changes, shared=True)
        subscriber = self._registry.join(key, start, execute, self._options)
        try:
            while (encoded := await subscriber.next()) is not None:
                yield encoded
        except HistoryLost:
            is_lost = subscriber.lost_for_others
            if not is_lost:
                raise
        finally:
            self._registry.leave(subscriber)
        self._note_end(subscriber)
        if is_lost:
            async with aclosing(self._alone(self._execution.changes(start, shared=False))) as alone:
                async for encoded in alone:
                    yield encoded

    async def _alone(self, items: ExecutedItems) -> AsyncGenerator[EncodedResult, None]:
        """Send what is executed for this client only, up to where a broadcast can continue."""
        async with aclosing(items):
            async for item in items:
                if not isinstance(item, EncodedEvent):
                    self._end = item
                    return
                self._cursor = item.encoded.cursor
                yield item.encoded
                await self._registry.executions.wait_turn()

    def _note_end(self, subscriber: Subscriber) -> None:
        self._cursor = subscriber.cursor or self._cursor
        self._end = subscriber.end
