"""The subscription of a job's log: the stored lines, READY, then each batch of new lines.

A cursor holds the position of the last line, so it never expires.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from ostinato.jobs.changefeed import ChangeBatch, ChangeFilter, FeedSubscription
from ostinato.jobs.changes import Position, WatchedCollection, time_of
from ostinato.jobs.job_logs import START, LinePosition, LogLine, place_of
from ostinato.jobs.paging import Window
from ostinato.jobs.records import Job
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor
from ostinato.resolvers.live.live_query import LiveItem, LiveQuery, Reset, ResumePoint
from ostinato.resolvers.live.messages import ChangeKind, EventPosition

MESSAGE_LINES: Final = 100  # of the stored log


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMessage:
    """One message about a job's log."""

    cursor: str
    kind: ChangeKind
    event_position: EventPosition
    lines: tuple[LogLine, ...] = ()
    """In order; empty in READY and CHECKPOINT."""


class LogQuery(LiveQuery[LogMessage]):
    """The live query of one job's log."""

    def __init__(self, ctx: RequestContext, job_id: str, after: str | None) -> None:
        self.after = after
        self._ctx = ctx
        self._job_id = job_id
        self._topic = f"jobLogs:{job_id}"
        self._cursors = CursorCodec(ctx.engine.settings)

    async def opening(
        self, after: str | None = None, *, restart: bool = False
    ) -> AsyncGenerator[LiveItem[LogMessage], None]:
        """Yield the stored lines, READY, and the lines up to the read; `restart` omits READY.

        A resume yields READY first, and only the lines after its cursor.
        """
        if restart:  # the feed may be restarting, too
            await self._ctx.feed.wait_until_following()
        async with self._subscribe(None) as subscription:
            start = subscription.position
            cursor = None if after is None else self._cursors.decode(after, self._topic)
            await self._ctx.find(Job, self._job_id, time_of(start))
            sent = START if cursor is None else LinePosition(cursor.version, cursor.seq)
            kind = ChangeKind.SNAPSHOT if cursor is None else ChangeKind.CHANGED
            if cursor is not None and not restart:
                yield self._control_message(ChangeKind.READY, start, sent)
            read: set[LinePosition] = set()
            async for lines in self._stored(sent, start):
                sent = lines[-1].position
                read |= {line.position for line in lines}
                yield self._message(kind, start, lines)
            if cursor is None and not restart:
                yield self._control_message(ChangeKind.READY, start, sent)
            async for item in self._until_now(subscription, sent, read):
                yield item

    async def _until_now(
        self, subscription: FeedSubscription, sent: LinePosition, read: set[LinePosition]
    ) -> AsyncIterator[LiveItem[LogMessage]]:
        """Yield the lines that were inserted since, without those that were read; then the
        ResumePoint."""
        current_time = await self._ctx.feed.current_time()
        while (batch := await subscription.catch_up(current_time)) is not None:
            for message in await self._inserted_or_stored(batch, sent):
                if message.lines[0].position in read:
                    continue
                sent = max(sent, message.lines[-1].position)
                yield message
        yield self._resume_point(subscription.position, sent)

    async def changes(self, start: ResumePoint) -> AsyncGenerator[LiveItem[LogMessage], None]:
        """Yield the lines inserted after `start`, and a CHECKPOINT after each idle interval."""
        sent = LinePosition(start.version, start.seq)
        checkpoint_s = self._ctx.engine.settings.checkpoint_ms / 1000
        await self._ctx.feed.wait_until_following()
        async with self._subscribe(start.position) as subscription:
            is_live = False
            while True:
                batch = await (
                    subscription.next(checkpoint_s) if is_live else subscription.catch_up()
                )
                if batch is None:
                    is_live = True
                    yield self._resume_point(subscription.position, sent)
                    continue
                if batch.reset:
                    yield Reset()
                    return
                if not batch.matched:
                    yield self._control_message(ChangeKind.CHECKPOINT, batch.position, sent)
                for message in await self._inserted(batch):
                    sent = max(sent, message.lines[-1].position)
                    yield message

    async def _inserted_or_stored(self, batch: ChangeBatch, sent: LinePosition) -> list[LogMessage]:
        """Return the lines of a batch of changes; after a reset, all stored lines after `sent`."""
        if not batch.reset:
            return await self._inserted(batch)
        return [
            self._message(ChangeKind.CHANGED, batch.position, lines)
            async for lines in self._stored(sent, batch.position)
        ]

    async def _inserted(self, batch: ChangeBatch) -> list[LogMessage]:
        """Read the inserted lines; those that were deleted again are left out."""
        changes = [each.change for each in batch.matched if each.change.batch_id is not None]
        if not changes:
            return []
        ids = [str(change.batch_id) for change in changes]
        found = await self._ctx.feed.load_log_batches(ids, changes[-1].position)
        return [
            self._message(ChangeKind.CHANGED, change.position, lines.lines)
            for change in changes
            if (lines := found.get(str(change.batch_id))) is not None and lines.lines
        ]

    async def _stored(
        self, after: LinePosition, position: Position
    ) -> AsyncIterator[tuple[LogLine, ...]]:
        """Yield the stored lines after a position in the log, as of a position in the history."""
        window = Window(limit=MESSAGE_LINES, after=after.place())
        while True:
            page = await self._ctx.engine.reads.find_log_page(
                self._job_id, window, time_of(position)
            )
            if page.items:
                yield page.items
            if not page.has_next:
                return
            window = Window(limit=MESSAGE_LINES, after=place_of(page.items[-1]))

    def _subscribe(self, position: Position | None) -> FeedSubscription:
        log = ChangeFilter(
            collection=WatchedCollection.JOB_LOGS,
            owner=self._ctx.scope,
            document_id=self._job_id,
        )
        return self._ctx.feed.subscribe(log, position)

    def _message(
        self, kind: ChangeKind, position: Position, lines: Sequence[LogLine]
    ) -> LogMessage:
        last = lines[-1].position
        return LogMessage(
            cursor=self._cursor(position, last),
            kind=kind,
            event_position=EventPosition(position, f"{self._job_id}{last.key()}"),
            lines=tuple(lines),
        )

    def _control_message(
        self, kind: ChangeKind, position: Position, sent: LinePosition
    ) -> LogMessage:
        cursor = self._cursor(position, sent)
        return LogMessage(cursor=cursor, kind=kind, event_position=EventPosition(position))

    def _resume_point(self, position: Position, sent: LinePosition) -> ResumePoint:
        return ResumePoint(position=position, seq=sent.seq, version=sent.attempt)

    def _cursor(self, position: Position, sent: LinePosition) -> str:
        cursor = LiveCursor(
            position=position, topic=self._topic, seq=sent.seq, version=sent.attempt
        )
        return self._cursors.encode(cursor)
