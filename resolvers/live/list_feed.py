"""Follows a list for one client: snapshot or resume, READY, then what changes, without a gap."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from ostinato.jobs.changefeed import ChangeBatch, ChangeFilter, FeedSubscription, MatchedChange
from ostinato.jobs.changes import ClusterTime, DocumentChange, Position, time_of
from ostinato.jobs.filters import Page
from ostinato.jobs.records import Batch, Cron, Job, RecurringTask, Request
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor
from ostinato.resolvers.live.messages import (
    ChangeKind,
    EventPosition,
    Joint,
    Message,
    SubscribeOptions,
)
from ostinato.resolvers.request import RequestContext

SETTLE_S: Final = 0.05  # how often to see whether the changes have come up to the rows

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource(Generic[R]):
    """A list that can be followed, already narrowed to what the viewer may see."""

    name: str
    """What the cursors are for."""
    kind: type[R]
    watch: ChangeFilter
    read: Callable[[int, ClusterTime], Awaitable[Page[R]]]
    """Read the newest rows, at most so many, as they are at that time or later."""


class ListFeed(Generic[R]):
    """One client's progress through a list."""

    def __init__(
        self, ctx: RequestContext, topic: ListSource[R], following: SubscribeOptions
    ) -> None:
        settings = ctx.engine.settings
        self._feed = ctx.feed
        self._topic: ListSource[R] = topic
        self._following = following
        self._leg = ctx.leg
        self._leg.coalesces = following.coalesce
        self._cursors = CursorCodec(settings)
        self._checkpoint_s = settings.checkpoint_ms / 1000
        self._wants_object = following.wants_object
        self._limit = following.limit(settings.snapshot_limit)

    async def messages(self) -> AsyncGenerator[Message[R], None]:
        """Yield for ever, or to the end of this leg of the way."""
        cursor, begins_at = self._resumed(), self._leg.begins_at
        starts_over = self._leg.starts_over or (cursor is not None and cursor.in_snapshot)
        if starts_over and not self._leg.starts_over and self._leg.ends_at_joint:
            self._leg.was_reset = True  # to be told RESET with others, who begin alike
            return
        known = begins_at or (None if starts_over else cursor)
        after = None if known is None else known.position
        async with self._feed.subscribe(self._topic.watch, after) as changes:
            if starts_over:
                yield self._reset(changes)
            from_start = self._from_start(changes, with_rows=after is None)
            told = from_start if begins_at is None else self._changes(changes)
            while True:
                async for message in told:
                    yield message
                if self._has_ended():
                    return
                yield self._reset(changes)
                told = self._from_start(changes, with_rows=True)

    def _has_ended(self) -> bool:
        """Tell whether the leg ends here; otherwise the client starts again."""
        self._leg.was_reset = self._leg.joint is None and self._leg.ends_at_reset
        return self._leg.was_reset or self._leg.joint is not None

    def _resumed(self) -> LiveCursor | None:
        after = self._leg.after if self._following.after is None else self._following.after
        if after is None or self._leg.begins_at is not None or self._leg.starts_over:
            return None
        return self._cursors.decode(after, self._topic.name)

    async def _from_start(
        self, changes: FeedSubscription, *, with_rows: bool
    ) -> AsyncGenerator[Message[R], None]:
        held: Sequence[MatchedChange] | None = ()
        if with_rows and self._following.snapshot:
            page = await self._topic.read(self._limit, time_of(changes.position))
            place = (
                EventPosition(changes.position),
                self._cursor(changes.position, in_snapshot=True),
            )
            for row in page.items:
                yield self._row(row, *place)
            held = await self._not_in(page, changes)
        if held is None:
            return
        since = await self._messages_of(held)
        start = self._cursor(changes.position, in_snapshot=bool(since))
        yield Message(cursor=start, kind=ChangeKind.READY, place=EventPosition(changes.position))
        for message in since[:-1]:
            yield replace(message, cursor=start)
        for message in since[-1:]:
            yield replace(message, cursor=self._cursor(changes.position))
        async for message in self._changes(changes):
            yield message

    async def _not_in(
        self, page: Page[R], changes: FeedSubscription
    ) -> Sequence[MatchedChange] | None:
        """Hold what happened while the rows were read, less what they show; None at a reset.

        The changes were listened to from before, so nothing falls between.
        """
        present = await self._feed.present()
        await self._feed.reach(present)
        versions = {row.id: row.version for row in page.items}
        held: list[MatchedChange] = []
        within_s = 0.0
        while True:
            delivery = await changes.next(within_s)
            if delivery.reset:
                return None
            held += [n for n in delivery.matched if _is_newer(n.change, versions)]
            if delivery.time >= present:
                return held
            within_s = SETTLE_S

    async def _changes(self, changes: FeedSubscription) -> AsyncGenerator[Message[R], None]:
        clock = asyncio.get_running_loop().time
        due = clock() + self._checkpoint_s
        while True:
            delivery = await self._next(changes, due - clock())
            if delivery is None or delivery.reset:
                return
            messages = await self._messages_of(delivery.matched)
            if not messages and clock() >= due:
                messages = [self._control_message(ChangeKind.CHECKPOINT, delivery.position)]
            if messages:
                due = clock() + self._checkpoint_s
            for message in messages:
                yield message

    async def _next(self, changes: FeedSubscription, within_s: float) -> ChangeBatch | None:
        """Wait for news; None where this leg ends."""
        if not self._leg.ends_at_joint:
            return await changes.next(max(within_s, 0))
        delivery = None if self._leg.begins_at is None else await changes.catch_up()
        if delivery is None:
            self._leg.joint = Joint(position=changes.position)
        return delivery

    async def _messages_of(self, notices: Sequence[MatchedChange]) -> list[Message[R]]:
        wanted = [n.change.document_id for n in notices] if self._wants_object else []
        owner = self._topic.watch.owner
        loaded: Mapping[str, R] = {}
        if wanted:
            loaded = await self._feed.load(self._topic.kind, wanted, notices[-1].change.position)
        messages: list[Message[R]] = []
        for each in notices:
            notice, found = each, loaded.get(each.change.document_id)
            if found is not None and owner not in (None, found.owner):  # given away since
                notice, found = notice._replace(removed=True), None
            messages.append(self._message(notice, found))
        return messages

    def _message(self, matched: MatchedChange, found: R | None) -> Message[R]:
        change, removed = matched
        return Message(
            cursor=self._cursor(change.position),
            place=EventPosition(change.position, change.document_id),
            kind=ChangeKind.LEFT if removed else ChangeKind.CHANGED,
            id=change.document_id,
            task_id=change.route.task_id if change.route else None,
            event=change.event,
            found=found,
        )

    def _row(self, row: R, place: EventPosition, cursor: str) -> Message[R]:
        return Message(
            cursor=cursor,
            kind=ChangeKind.SNAPSHOT,
            place=place._replace(subject=row.id),
            id=row.id,
            task_id=_task_id(row),
            found=row,
        )

    def _reset(self, changes: FeedSubscription) -> Message[R]:
        cursor = self._cursor(changes.position, in_snapshot=self._following.snapshot)
        return Message(cursor=cursor, kind=ChangeKind.RESET, place=EventPosition(changes.position))

    def _control_message(self, kind: ChangeKind, position: Position) -> Message[R]:
        return Message(cursor=self._cursor(position), kind=kind, place=EventPosition(position))

    def _cursor(self, position: Position, *, in_snapshot: bool = False) -> str:
        cursor = LiveCursor(position=position, topic=self._topic.name, in_snapshot=in_snapshot)
        return self._cursors.encode(cursor)


def _is_newer(change: DocumentChange, versions: Mapping[str, int]) -> bool:
    return change.version is None or change.version > versions.get(change.document_id, 0)


def _task_id(row: object) -> str | None:
    return row.task_id if isinstance(row, RecurringTask) else None
