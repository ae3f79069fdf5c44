"""Follows one object for one client: as it is, READY, then each change.

A job's timeline is its own history, so resuming needs nothing of MongoDB's: it never gets too old.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ostinato.jobs.changefeed import ChangeBatch, ChangeFilter, FeedSubscription, MatchedChange
from ostinato.jobs.changes import BEGINNING, ChangeType, Position, WatchedCollection, time_of
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.records import Batch, Cron, Job, JobEvent, RecurringTask, Request
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor
from ostinato.resolvers.live.messages import ChangeKind, EventPosition, Joint, Message
from ostinato.resolvers.request import RequestContext

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSource(Generic[R]):
    """The object, which may not exist or not be the viewer's."""

    name: str
    kind: type[R]
    collection: WatchedCollection
    id: str


class ObjectFeed(Generic[R]):
    """One client's progress: the newest event and version it was told."""

    def __init__(
        self, ctx: RequestContext, subject: ObjectSource[R], *, wants_object: bool
    ) -> None:
        self._ctx = ctx
        self._feed = ctx.feed
        self._subject: ObjectSource[R] = subject
        self._topic = f"{subject.name}:{subject.id}"
        self._wants_object = wants_object
        self._cursors = CursorCodec(ctx.engine.settings)
        self._checkpoint_s = ctx.engine.settings.checkpoint_ms / 1000
        self._leg = ctx.leg
        self._present = BEGINNING
        self._seq = 0
        self._version = 0
        self._is_gone = False

    async def messages(
        self, after: str | None = None, from_seq: int | None = None
    ) -> AsyncGenerator[Message[R], None]:
        """Yield until the object is gone or somebody else's, or to the end of this leg."""
        if from_seq is not None and from_seq < 1:
            problem = f"fromSeq must be at least 1, got {from_seq}"
            raise BadRequest.at("fromSeq", message=problem, code="out_of_range")
        after = self._leg.after if after is None or self._leg.starts_over else after
        watch = ChangeFilter(
            collection=self._subject.collection, owner=self._ctx.scope, document_id=self._subject.id
        )
        joint = self._leg.begins_at
        async with self._feed.subscribe(
            watch, None if joint is None else joint.position
        ) as changes:
            if joint is not None:
                self._seq, self._version = joint.seq, joint.version
            else:
                async for message in self._from_start(changes, after, from_seq):
                    yield message
            async for message in self._go_on(changes):
                yield message

    async def _from_start(
        self, changes: FeedSubscription, after: str | None, from_seq: int | None
    ) -> AsyncGenerator[Message[R], None]:
        cursor = self._cursors.decode(after, self._topic) if after is not None else None
        found = await self._find(changes.position)
        if cursor is None or cursor.in_snapshot:
            yield self._snapshot(found, changes.position)
            self._begin(found, from_seq)
        else:
            self._seq, self._version = cursor.seq, cursor.version
        if not self._leg.starts_over:
            yield self._sign_post(ChangeKind.READY, changes.position)
        for message in self._missed(found, changes.position):
            yield message
        if self._leg.ends_at_joint:
            self._present = await self._feed.present()

    def _begin(self, found: R, from_seq: int | None) -> None:
        self._seq, self._version = _last_seq(found), found.version
        if from_seq is not None and from_seq <= self._seq:
            self._seq, self._version = from_seq - 1, 0

    async def _go_on(self, changes: FeedSubscription) -> AsyncGenerator[Message[R], None]:
        while True:
            delivery = await self._next(changes)
            if delivery is None:
                return
            if delivery.reset:  # what happened meanwhile is on the object itself
                for message in self._missed(await self._find(delivery.position), delivery.position):
                    yield message
            elif not delivery.matched:
                yield self._sign_post(ChangeKind.CHECKPOINT, delivery.position)
            async for message in self._told(delivery.matched):
                yield message
            if self._is_gone:
                return

    async def _next(self, changes: FeedSubscription) -> ChangeBatch | None:
        """Wait for news; None where this leg ends: behind everything that was on the object."""
        if self._leg.ends_at_joint:
            delivery = await changes.catch_up(self._present)
        else:
            delivery = await changes.next(self._checkpoint_s)
        if delivery is None:
            self._leg.joint = Joint(position=changes.position, seq=self._seq, version=self._version)
        elif delivery.reset and self._leg.ends_at_reset:
            self._leg.was_reset = True
            return None
        return delivery

    async def _told(self, notices: Sequence[MatchedChange]) -> AsyncGenerator[Message[R], None]:
        found = None
        if notices and self._wants_object:
            found = await self._load(notices[-1].change.position)
        is_lost = found is not None and self._ctx.scope not in (None, found.owner)
        for change in (notice.change for notice in notices):
            if is_lost or change.type is ChangeType.DELETED:
                self._is_gone = True
                yield self._message(ChangeKind.LEFT, change.position)
                return
            elif change.version is None or change.version > self._version:
                event = change.event
                news = [event] if event is not None and event.seq > self._seq else []
                version = change.version or self._version
                for event in self._steps(news, version):
                    yield self._message(ChangeKind.CHANGED, change.position, event, found)

    def _missed(self, found: R, position: Position) -> Iterator[Message[R]]:
        """Tell what is on the object and was not told."""
        if found.version > self._version:
            news = [event for event in _timeline(found) if event.seq > self._seq]
            for event in self._steps(news, found.version):
                yield self._message(ChangeKind.CHANGED, position, event, found)

    def _steps(self, news: Sequence[JobEvent], version: int) -> Iterator[JobEvent | None]:
        """Go through the events, or the lack of one; the last brings the version."""
        for event in news[:-1]:
            self._seq = event.seq
            yield event
        self._version = version
        if news:
            self._seq = news[-1].seq
        yield news[-1] if news else None

    def _snapshot(self, found: R, position: Position) -> Message[R]:
        return Message(
            cursor=self._cursor(position, in_snapshot=True),
            kind=ChangeKind.SNAPSHOT,
            place=EventPosition(position, found.id),
            id=found.id,
            found=found if self._wants_object else None,
        )

    def _message(
        self,
        kind: ChangeKind,
        position: Position,
        event: JobEvent | None = None,
        found: R | None = None,
    ) -> Message[R]:
        return Message(
            cursor=self._cursor(position),
            kind=kind,
            place=EventPosition(position, self._subject.id),
            id=self._subject.id,
            event=event,
            found=found if self._wants_object else None,
        )

    def _sign_post(self, kind: ChangeKind, position: Position) -> Message[R]:
        return Message(cursor=self._cursor(position), kind=kind, place=EventPosition(position))

    def _cursor(self, position: Position, *, in_snapshot: bool = False) -> str:
        return self._cursors.encode(
            LiveCursor(
                position=position,
                topic=self._topic,
                in_snapshot=in_snapshot,
                seq=self._seq,
                version=self._version,
            )
        )

    async def _find(self, behind: Position) -> R:
        """Read the object, as it is there or later, if the viewer may; raises NotFound."""
        return await self._ctx.find(self._subject.kind, self._subject.id, time_of(behind))

    async def _load(self, behind: Position) -> R | None:
        """Read the object, whosever it is by now."""
        loaded = await self._feed.load(self._subject.kind, [self._subject.id], behind)
        return loaded.get(self._subject.id)


def _timeline(found: object) -> Sequence[JobEvent]:
    return found.timeline if isinstance(found, Job) else ()


def _last_seq(found: object) -> int:
    timeline = _timeline(found)
    return timeline[-1].seq if timeline else 0
