"""Single-object subscriptions: the current state, READY, then each change.

A job's timeline contains its history, so cursors never expire.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from ostinato.jobs.changefeed import ChangeBatch, ChangeFilter, FeedSubscription, MatchedChange
from ostinato.jobs.changes import Position, WatchedCollection, WriteType, time_of
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.records import Batch, Job, JobEvent, Request
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor
from ostinato.resolvers.live.live_query import LiveItem, LiveQuery, Reset, ResumePoint
from ostinato.resolvers.live.messages import ChangeKind, EventPosition, LiveMessage

R = TypeVar("R", Job, Batch, Request)

WATCHED: Final[dict[type, tuple[str, WatchedCollection]]] = {
    Job: ("job", WatchedCollection.JOBS),
    Batch: ("batch", WatchedCollection.BATCHES),
    Request: ("request", WatchedCollection.REQUESTS),
}
"""The name of each kind in cursors, and its collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSource(Generic[R]):
    """The object to follow (existence and access are not checked yet), and the start."""

    kind: type[R]
    id: str
    after: str | None = None
    """Resume after this cursor."""
    from_seq: int | None = None
    """Without a cursor, send the timeline from this event on."""
    wants_object: bool = True
    """Whether the selection contains the object."""


class ObjectQuery(LiveQuery[LiveMessage[R]]):
    """The live query of one object."""

    def __init__(self, ctx: RequestContext, source: ObjectSource[R]) -> None:
        self.after = source.after
        self._ctx = ctx
        self._source: ObjectSource[R] = source

    async def opening(
        self, after: str | None = None, *, restart: bool = False
    ) -> AsyncGenerator[LiveItem[LiveMessage[R]], None]:
        """Yield the object, READY, and the events up to the read.

        A resume omits the object; `restart` omits READY.
        """
        _require_valid(self._source.from_seq)
        sent = self._nothing_sent()
        if restart:  # the feed may be restarting, too
            await self._ctx.feed.wait_until_following()
        async with self._subscribe(None) as subscription:
            cursor = None if after is None else sent.decode(after)
            found = await self._find(subscription.position)
            if cursor is None or cursor.in_snapshot:
                yield sent.snapshot(found, subscription.position)
                sent.start_after(found, self._source.from_seq)
            else:
                sent.seq, sent.version = cursor.seq, cursor.version
            if not restart:
                yield sent.control_message(ChangeKind.READY, subscription.position)
            for message in sent.missed(found, subscription.position):
                yield message
            current_time = await self._ctx.feed.current_time()
            while (batch := await subscription.catch_up(current_time)) is not None:
                for message in await self._messages_for(batch, sent):
                    yield message
                if sent.is_gone:
                    return
            yield sent.resume_point(subscription.position)

    async def changes(self, start: ResumePoint) -> AsyncGenerator[LiveItem[LiveMessage[R]], None]:
        """Yield each change after `start`, and a CHECKPOINT after each idle interval."""
        sent = self._nothing_sent()
        sent.seq, sent.version = start.seq, start.version
        checkpoint_s = self._ctx.engine.settings.checkpoint_ms / 1000
        await self._ctx.feed.wait_until_following()
        async with self._subscribe(start.position) as subscription:
            is_live = False
            while not sent.is_gone:
                batch = await (
                    subscription.next(checkpoint_s) if is_live else subscription.catch_up()
                )
                for item in await self._items_for(batch, subscription, sent):
                    yield item
                if batch is not None and batch.reset:
                    return
                is_live = is_live or batch is None

    async def _items_for(
        self, batch: ChangeBatch | None, subscription: FeedSubscription, sent: "_Sent[R]"
    ) -> Sequence[LiveItem[LiveMessage[R]]]:
        if batch is None:
            return [sent.resume_point(subscription.position)]
        return [Reset()] if batch.reset else await self._messages_for(batch, sent)

    async def _messages_for(self, batch: ChangeBatch, sent: "_Sent[R]") -> Sequence[LiveMessage[R]]:
        if batch.reset:  # the object itself contains the missed events
            return list(sent.missed(await self._find(batch.position), batch.position))
        if not batch.matched:
            return [sent.control_message(ChangeKind.CHECKPOINT, batch.position)]
        found: R | None = None
        if self._source.wants_object:
            found = await self._load(batch.matched[-1].change.position)
        if found is not None and self._ctx.scope not in (None, found.owner):
            return [sent.removal(batch.matched[0].change.position)]
        return list(sent.changed(batch.matched, found))

    def _nothing_sent(self) -> "_Sent[R]":
        return _Sent(self._source, CursorCodec(self._ctx.engine.settings))

    def _subscribe(self, position: Position | None) -> FeedSubscription:
        source = self._source
        change_filter = ChangeFilter(
            collection=WATCHED[source.kind][1], owner=self._ctx.scope, document_id=source.id
        )
        return self._ctx.feed.subscribe(change_filter, position)

    async def _find(self, position: Position) -> R:
        """Read the object in the viewer's scope, as of `position` or later; raises NotFound."""
        return await self._ctx.find(self._source.kind, self._source.id, time_of(position))

    async def _load(self, position: Position) -> R | None:
        """Read the object as of `position` or later, without checking its owner."""
        loaded = await self._ctx.feed.load(self._source.kind, [self._source.id], position)
        return loaded.get(self._source.id)


class _Sent(Generic[R]):
    """Builds the messages of a stream, and records the last event and version sent."""

    def __init__(self, source: ObjectSource[R], cursors: CursorCodec) -> None:
        self._source: ObjectSource[R] = source
        self._topic = f"{WATCHED[source.kind][0]}:{source.id}"
        self._cursors = cursors
        self.seq = 0
        self.version = 0
        self.is_gone = False
        """Whether the object was deleted, or its owner changed."""

    def decode(self, cursor: str) -> LiveCursor:
        return self._cursors.decode(cursor, self._topic)

    def resume_point(self, position: Position) -> ResumePoint:
        return ResumePoint(position=position, seq=self.seq, version=self.version)

    def start_after(self, found: R, from_seq: int | None) -> None:
        """Record the object's state as sent; with `from_seq`, only the earlier events."""
        self.seq, self.version = _last_seq(found), found.version
        if from_seq is not None and from_seq <= self.seq:
            self.seq, self.version = from_seq - 1, 0

    def snapshot(self, found: R, position: Position) -> LiveMessage[R]:
        cursor = self._cursor(position, in_snapshot=True)
        return self._message(ChangeKind.SNAPSHOT, position, cursor=cursor, found=found)

    def control_message(self, kind: ChangeKind, position: Position) -> LiveMessage[R]:
        cursor = self._cursor(position)
        return LiveMessage(cursor=cursor, kind=kind, event_position=EventPosition(position))

    def missed(self, found: R, position: Position) -> Iterator[LiveMessage[R]]:
        """Yield the changes in the object's state that were not sent."""
        if found.version > self.version:
            events = [event for event in _timeline(found) if event.seq > self.seq]
            yield from self._event_messages(events, found, position=position, version=found.version)

    def changed(
        self, matched: Sequence[MatchedChange], found: R | None
    ) -> Iterator[LiveMessage[R]]:
        """Yield changes that were not sent, up to a deletion."""
        for change in (each.change for each in matched):
            if change.type is WriteType.DELETED:
                yield self.removal(change.position)
                return
            if change.version is None or change.version > self.version:
                is_new = change.event is not None and change.event.seq > self.seq
                events = [change.event] if is_new and change.event else []
                version = change.version or self.version
                yield from self._event_messages(
                    events, found, position=change.position, version=version
                )

    def removal(self, position: Position) -> LiveMessage[R]:
        self.is_gone = True
        return self._message(ChangeKind.LEFT, position)

    def _event_messages(
        self, events: Sequence[JobEvent], found: R | None, *, position: Position, version: int
    ) -> Iterator[LiveMessage[R]]:
        """Yield one message per event, or one without an event; the last sets the version."""
        for event in events[:-1]:
            self.seq = event.seq
            yield self._message(ChangeKind.CHANGED, position, event=event, found=found)
        self.version = version
        last = events[-1] if events else None
        if last is not None:
            self.seq = last.seq
        yield self._message(ChangeKind.CHANGED, position, event=last, found=found)

    def _message(
        self,
        kind: ChangeKind,
        position: Position,
        *,
        cursor: str | None = None,
        event: JobEvent | None = None,
        found: R | None = None,
    ) -> LiveMessage[R]:
        return LiveMessage(
            cursor=cursor or self._cursor(position),
            kind=kind,
            event_position=EventPosition(position, self._source.id),
            id=self._source.id,
            event=event,
            record=found if self._source.wants_object else None,
        )

    def _cursor(self, position: Position, *, in_snapshot: bool = False) -> str:
        return self._cursors.encode(
            LiveCursor(
                position=position,
                topic=self._topic,
                in_snapshot=in_snapshot,
                seq=self.seq,
                version=self.version,
            )
        )


def _require_valid(from_seq: int | None) -> None:
    if from_seq is not None and from_seq < 1:
        message = f"fromSeq must be at least 1, got {from_seq}"
        raise BadRequest.at("fromSeq", message=message, code="out_of_range")


def _timeline(found: object) -> Sequence[JobEvent]:
    return found.timeline if isinstance(found, Job) else ()


def _last_seq(found: object) -> int:
    timeline = _timeline(found)
    return timeline[-1].seq if timeline else 0
