"""The session of one subscription: a snapshot (shared if possible), then a broadcast.

After a reset, the session restarts with a new snapshot.
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
    """Executes the snapshot and the changes of a live query.

    A `shared` execution serves all subscriptions with the same key.
    """

    @property
    def after(self) -> str | None:
        """The cursor in the `after` argument."""

    @property
    def coalesce(self) -> bool:
        """Whether a slow client accepts only the newest result of each object."""

    def snapshot_key(self) -> Hashable | None:
        """Return the key that equal snapshots share; None if the query has no snapshot."""

    def changes_key(self) -> Hashable:
        """Return the key that equal streams of changes share."""

    def snapshot(self, after: str | None, *, restart: bool, shared: bool) -> ExecutedItems: ...

    def changes(self, start: ResumePoint, *, shared: bool) -> ExecutedItems: ...


class SubscriptionSession:
    """The state of one subscription: its cursor and its current source of results."""

    def __init__(
        self, execution: LiveExecution, registry: BroadcastRegistry, push: Push | None
    ) -> None:
        self._execution = execution
        self._registry = registry
        self._options = DeliveryOptions(push, execution.coalesce)
        self._cursor: str | None = None
        """The cursor of the newest result."""
        self._end: ResumePoint | Reset | None = None
        """How the last source ended: the position to continue from, or a reset."""

    async def results(self, after: str | None) -> AsyncGenerator[EncodedResult, None]:
        """Yield each result that was not pushed; the query's `after` argument takes precedence."""
        given = self._execution.after
        source = self._snapshot(after if given is None else given)
        while True:
            async with aclosing(source) as results:
                async for encoded in results:
                    yield encoded
            end, self._end = self._end, None
            if end is None:
                return
            source = (
                self._snapshot(self._cursor, restart=True)
                if isinstance(end, Reset)
                else self._changes(end)
            )

    def _snapshot(
        self, after: str | None, *, restart: bool = False
    ) -> AsyncGenerator[EncodedResult, None]:
        """Yield a snapshot, shared unless it depends on a cursor."""
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
        self._record_end(subscriber)

    async def _changes(self, start: ResumePoint) -> AsyncGenerator[EncodedResult, None]:
        """Yield the changes after `start` from a broadcast.

        If the broadcast fails only because its other subscribers lost history, execute alone.
        """
        key, others_lost_history = self._execution.changes_key(), False
        execute = partial(self._execution.changes, shared=True)
        subscriber = self._registry.join(key, start, execute, self._options)
        try:
            while (encoded := await subscriber.next()) is not None:
                yield encoded
        except HistoryLost:
            others_lost_history = subscriber.lost_for_others
            if not others_lost_history:
                raise
        finally:
            self._registry.leave(subscriber)
        self._record_end(subscriber)
        if others_lost_history:
            async with aclosing(self._alone(self._execution.changes(start, shared=False))) as alone:
                async for encoded in alone:
                    yield encoded

    async def _alone(self, items: ExecutedItems) -> AsyncGenerator[EncodedResult, None]:
        """Yield the results of an unshared execution, until a broadcast can continue."""
        async with aclosing(items):
            async for item in items:
                if not isinstance(item, EncodedEvent):
                    self._end = item
                    return
                self._cursor = item.encoded.cursor
                yield item.encoded
                await self._registry.executions.wait_turn()

    def _record_end(self, subscriber: Subscriber) -> None:
        self._cursor = subscriber.cursor or self._cursor
        self._end = subscriber.end
