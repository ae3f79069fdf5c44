"""List subscriptions: a snapshot or the missed changes, READY, then live changes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from ostinato.jobs.alerts import Alert
from ostinato.jobs.bulk_actions import BulkAction
from ostinato.jobs.changefeed import ChangeFilter, FeedSubscription, MatchedChange
from ostinato.jobs.changes import ClusterTime, DocumentChange, Position, time_of
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.records import Batch, Cron, Failure, Job, RecurringTask, Request
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor
from ostinato.resolvers.live.live_query import LiveItem, LiveQuery, Reset, ResumePoint
from ostinato.resolvers.live.messages import (
    ChangeKind,
    EventPosition,
    LiveMessage,
    SubscribeOptions,
)

POLL_S: Final = 0.05  # poll interval until the feed has caught up with the rows

R = TypeVar("R", Job, Cron, CronTick, RecurringTask, Batch, Request, Failure, Alert, BulkAction)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource(Generic[R]):
    """A list to subscribe to, restricted to the viewer's scope."""

    name: str
    """The topic of its cursors."""
    kind: type[R]
    change_filter: ChangeFilter
    ids: frozenset[str] | None = None
    """The only objects to follow; None: all that the filter matches."""
    read: Callable[[Window, ClusterTime], Awaitable[Page[R]]]
    """Read the newest rows as of a cluster time or later."""


class ListQuery(LiveQuery[LiveMessage[R]]):
    """The live query of a list."""

    def __init__(
        self, ctx: RequestContext, source: ListSource[R], options: SubscribeOptions
    ) -> None:
        self.after = options.after
        self.coalesce = options.coalesce
        self._feed = ctx.feed
        self._settings = ctx.engine.settings
        self._source: ListSource[R] = source
        self._options = options
        self._cursors = CursorCodec(self._settings)

    async def opening(
        self, after: str | None = None, *, restart: bool = False
    ) -> AsyncGenerator[LiveItem[LiveMessage[R]], None]:
        """Yield rows, READY and the concurrent changes; on a resume, only READY.

        A resume from within a snapshot yields a Reset: the rows must be sent again.
        """
        limit = self._options.limit(self._settings.snapshot_limit)
        cursor = None if after is None or restart else self._decode(after)
        if cursor is not None and cursor.in_snapshot:
            yield Reset()
            return
        has_rows = cursor is None and self._options.snapshot
        if restart:  # the feed may be restarting, too
            await self._feed.wait_until_following()
        async with self._subscribe(None if cursor is None else cursor.position) as subscription:
            is_complete = False
            while not is_complete:
                if restart:
                    yield self._reset_message(subscription.position)
                async for item in self._rows_and_ready(subscription, limit if has_rows else 0):
                    yield item
                    is_complete = isinstance(item, ResumePoint)
                restart, has_rows = True, self._options.snapshot

    async def changes(self, start: ResumePoint) -> AsyncGenerator[LiveItem[LiveMessage[R]], None]:
        """Yield each change after `start`, and a CHECKPOINT after each idle interval."""
        await self._feed.wait_until_following()
        async with self._subscribe(start.position) as subscription:
            while (batch := await subscription.catch_up()) is not None:
                if batch.reset:
                    yield Reset()
                    return
                for message in await self._messages_for(batch.matched):
                    yield message
            yield ResumePoint(position=subscription.position)
            async for item in self._live(subscription):
                yield item

    async def _live(
        self, subscription: FeedSubscription
    ) -> AsyncGenerator[LiveItem[LiveMessage[R]], None]:
        checkpoint_s = self._settings.checkpoint_ms / 1000
        clock = asyncio.get_running_loop().time
        checkpoint_at = clock() + checkpoint_s
        while True:
            batch = await subscription.next(max(checkpoint_at - clock(), 0))
            if batch.reset:
                yield Reset()
                return
            messages = await self._messages_for(batch.matched)
            if not messages and clock() >= checkpoint_at:
                messages = [self._control_message(ChangeKind.CHECKPOINT, batch.position)]
            if messages:
                checkpoint_at = clock() + checkpoint_s
            for message in messages:
                yield message

    async def _rows_and_ready(
        self, subscription: FeedSubscription, limit: int
    ) -> AsyncGenerator[LiveMessage[R] | ResumePoint, None]:
        """Yield up to `limit` rows, READY, and the changes during the read.

        Ends without a ResumePoint after a reset.
        """
        buffered: Sequence[MatchedChange] | None = ()
        if limit:
            position = subscription.position
            window = Window(limit=limit, unread=self._options.unread)
            page = await self._source.read(window, time_of(position))
            cursor = self._cursor(position, in_snapshot=True)
            for row in page.items:
                yield self._row(row, position, cursor)
            buffered = await self._changed_since(page, subscription)
        if buffered is None:
            return
        end = subscription.position  # a reset moves it while the messages are sent
        missed = await self._messages_for(buffered)
        ready = self._control_message(ChangeKind.READY, end, in_snapshot=bool(missed))
        yield ready
        for message in missed[:-1]:
            yield replace(message, cursor=ready.cursor)
        for message in missed[-1:]:
            yield replace(message, cursor=self._cursor(end))
        yield ResumePoint(position=end)

    async def _changed_since(
        self, page: Page[R], subscription: FeedSubscription
    ) -> Sequence[MatchedChange] | None:
        """Return the changes after the page was read; None after a reset.

        The subscription started before the read, so no change is missed.
        """
        current_time = await self._feed.current_time()
        await self._feed.reach(current_time)
        versions = {row.id: row.version for row in page.items}
        buffered: list[MatchedChange] = []
        within_s = 0.0
        while True:
            batch = await subscription.next(within_s)
            if batch.reset:
                return None
            buffered += [each for each in batch.matched if _is_newer(each.change, versions)]
            if batch.time >= current_time:
                return buffered
            within_s = POLL_S

    async def _messages_for(self, changes: Sequence[MatchedChange]) -> list[LiveMessage[R]]:
        matched = [each for each in changes if self._is_followed(each.change.document_id)]
        loaded: Mapping[str, R] = {}
        if matched and self._options.wants_object:
            ids = [each.change.document_id for each in matched]
            loaded = await self._feed.load(self._source.kind, ids, matched[-1].change.position)
        return [self._message(each, loaded.get(each.change.document_id)) for each in matched]

    def _is_followed(self, document_id: str) -> bool:
        return self._source.ids is None or document_id in self._source.ids

    def _message(self, matched: MatchedChange, found: R | None) -> LiveMessage[R]:
        change, removed = matched
        owner = self._source.change_filter.owner
        if found is not None and owner not in (None, found.owner):  # the owner changed
            removed, found = True, None
        return LiveMessage(
            cursor=self._cursor(change.position),
            kind=ChangeKind.LEFT if removed else ChangeKind.CHANGED,
            event_position=EventPosition(change.position, change.document_id),
            id=change.document_id,
            task_id=change.route.task_id if change.route else None,
            event=change.event,
            record=found,
        )

    def _row(self, row: R, position: Position, cursor: str) -> LiveMessage[R]:
        return LiveMessage(
            cursor=cursor,
            kind=ChangeKind.SNAPSHOT,
            event_position=EventPosition(position, row.id),
            id=row.id,
            task_id=_task_id(row),
            record=row,
        )

    def _reset_message(self, position: Position) -> LiveMessage[R]:
        in_snapshot = self._options.snapshot
        return self._control_message(ChangeKind.RESET, position, in_snapshot=in_snapshot)

    def _control_message(
        self, kind: ChangeKind, position: Position, *, in_snapshot: bool = False
    ) -> LiveMessage[R]:
        cursor = self._cursor(position, in_snapshot=in_snapshot)
        return LiveMessage(cursor=cursor, kind=kind, event_position=EventPosition(position))

    def _subscribe(self, position: Position | None) -> FeedSubscription:
        return self._feed.subscribe(self._source.change_filter, position)

    def _decode(self, cursor: str) -> LiveCursor:
        return self._cursors.decode(cursor, self._source.name)

    def _cursor(self, position: Position, *, in_snapshot: bool = False) -> str:
        cursor = LiveCursor(position=position, topic=self._source.name, in_snapshot=in_snapshot)
        return self._cursors.encode(cursor)


def _task_id(row: object) -> str | None:
    return row.task_id if isinstance(row, RecurringTask) else None


def _is_newer(change: DocumentChange, versions: Mapping[str, int]) -> bool:
    return change.version is None or change.version > versions.get(change.document_id, 0)
