"""The read position of one subscription in a broadcast."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from ostinato.jobs.errors import SlowConsumer
from ostinato.resolvers.live.live_query import Reset, ResumePoint
from ostinato.schema.execution.encoding import EncodedResult
from ostinato.schema.fanout.broadcast import Broadcast
from ostinato.schema.fanout.frames import FrameBatch
from ostinato.schema.fanout.result_buffer import PositionedResult
from ostinato.schema.fanout.turn_limiter import TurnLimiter

Push: TypeAlias = Callable[[FrameBatch], bool]
"""Writes a batch without waiting and returns True; returns False if nothing was written."""


class DeliveryOptions(NamedTuple):
    """The delivery options of a subscriber."""

    push: Push | None
    coalesce: bool = False
    """Whether a slow subscriber skips to the newest result of each object."""


class Subscriber:
    """The read position of one subscription in a broadcast; call `next` until None, from one task.

    The broadcast pushes results directly while the subscriber keeps up; otherwise the subscriber
    reads them from the buffer.
    """

    __slots__ = (
        "_broadcast",
        "_delivery_limiter",
        "_is_evicted",
        "_options",
        "_pending",
        "_start",
        "_waiter",
        "cursor",
        "number",
    )

    def __init__(
        self,
        broadcast: Broadcast,
        start: ResumePoint,
        options: DeliveryOptions,
        delivery_limiter: TurnLimiter,
    ) -> None:
        self._broadcast = broadcast
        self._delivery_limiter = delivery_limiter
        self._start = start
        self._options = options
        self._is_evicted = False
        self._pending: dict[str | None, PositionedResult] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.cursor: str | None = None
        """The cursor of the newest delivered result; None before the first."""
        self.number = broadcast.number_after(start.position)
        """The number of the next result to read from the buffer."""
        broadcast.start_at(start)
        broadcast.add(self)

    @property
    def broadcast(self) -> Broadcast:
        return self._broadcast

    @property
    def pending_bytes(self) -> int:
        """Return the size of the results that it coalesces."""
        return sum(each.size_bytes for each in (self._pending or {}).values())

    @property
    def ended_with(self) -> ResumePoint | Reset | None:
        """How the broadcast ended: the position to continue from, a reset, or None."""
        end = self._broadcast.ended_with
        is_ahead = isinstance(end, ResumePoint) and self._start.position > end.position
        return self._start if is_ahead else end

    @property
    def others_lost_history(self) -> bool:
        """Whether the broadcast may have lost only history before this subscriber's start."""
        return self.cursor is None and self._broadcast.starts_before(self._start.position)

    async def next(self) -> EncodedResult | None:
        """Return the next result that was not pushed, None at the end of the broadcast.

        Raises the error that ended the broadcast, or SlowConsumer after an eviction.
        """
        while True:
            if self._pending or self.number < self._broadcast.flushed:
                await self._delivery_limiter.wait_turn()
            if self._push_write_batch():
                pass
            elif (result := self._read()) is not None:
                self.cursor = result.encoded.cursor
                return result.encoded
            elif not self._broadcast.has_ended:
                await self._wait()
            elif self._broadcast.error is not None:
                raise self._broadcast.error
            else:
                return None

    def wake(self) -> None:
        """Resume reading from the buffer; called by the broadcast."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def send(self, batch: FrameBatch, fresh: Sequence[PositionedResult], end_number: int) -> bool:
        """Push new results to a waiting subscriber; False if it must read them from the buffer."""
        push = self._options.push
        if push is None or not self._is_new(fresh[0]) or not push(batch):
            return False
        self.number, self.cursor = end_number, fresh[-1].encoded.cursor
        return True

    def evict(self, unread: Iterable[PositionedResult]) -> None:
        """Fail, or coalesce the results in `unread`, because the buffer drops them."""
        if not self._options.coalesce:
            self._is_evicted = True
            return
        self._pending = {}
        self.skip_to_newest(unread)

    def skip_to_newest(self, fresh: Iterable[PositionedResult]) -> None:
        """Retain only the newest result of each object, in change order."""
        pending = self._pending
        if pending is None:
            return
        for result in filter(self._is_new, fresh):
            pending.pop(result.event_position.subject, None)
            pending[result.event_position.subject] = result
        if len(pending) > self._broadcast.limit:
            self._pending, self._is_evicted = None, True

    def _is_new(self, result: PositionedResult) -> bool:
        return result.event_position.position > self._start.position

    def _push_write_batch(self) -> bool:
        """Push the unread results; False if there are none or pushing is not possible."""
        if self._options.push is None or self._pending is not None or self._is_evicted:
            return False
        unread = self._broadcast.write_batch_from(self.number)
        start = self._start.position
        fresh = [result for result in unread if result.event_position.position > start]
        if not fresh or not self._options.push(
            FrameBatch([each.encoded.payload for each in fresh])
        ):
            return False
        self.number, self.cursor = self.number + len(unread), fresh[-1].encoded.cursor
        self._broadcast.on_progress()
        return True

    def _read(self) -> PositionedResult | None:
        if self._is_evicted:
            raise SlowConsumer(
                "the client read too slowly: read faster, and resume with your newest cursor"
            )
        if self._pending is not None:
            if self._pending:
                return self._pending.pop(next(iter(self._pending)))
            self._pending = None
            self.number = self._broadcast.flushed
            self._broadcast.add(self)
        while self.number < self._broadcast.flushed:
            result = self._broadcast.at(self.number)
            self.number += 1
            self._broadcast.on_progress()
            if self._is_new(result):
                return result
        return None

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._broadcast.mark_waiting(self)
        try:
            await self._waiter
        finally:
            self._broadcast.mark_reading(self)
