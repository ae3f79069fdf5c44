"""Follows a list for one client: snapshot or resume, READY, then what changes, without a gap."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from ostinato.jobs.changes import Change, ClusterTime, Position, time_of
from ostinato.jobs.filters import Page
from ostinato.jobs.hub import Delivery, Notice, Subscription, Watch
from ostinato.jobs.records import Batch, Cron, Job, JobEvent, RecurringTask, Request
from ostinato.resolvers.changes import ChangeKind, Following, Joint, Message, Place
from ostinato.resolvers.cursors import Cursor, Cursors
from ostinato.resolvers.request import RequestContext

SETTLE_S: Final = 0.05  # how often to see whether the changes have come up to the rows

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic(Generic[R]):
    """A list that can be followed, already narrowed to what the viewer may see."""

    name: str
    """What the cursors are for."""
    kind: type[R]
    watch: Watch
    read: Callable[[int, ClusterTime], Awaitable[Page[R]]]
    """Read the newest rows, at most so many, as they are at that time or later."""


class ListFollower(Generic[R]):
    """One client's progress through a list."""

    def __init__(self, ctx: RequestContext, topic: Topic[R], following: Following) -> None:
        settings = ctx.engine.settings
        self._hub = ctx.hub
        self._topic: Topic[R] = topic
        self._following = following
        self._leg = ctx.leg
        self._leg.coalesces = following.coalesce
        self._cursors = Cursors(settings)
        self._checkpoint_s = settings.checkpoint_ms / 1000
        self._wants_object = following.wants_object
        self._limit = following.limit(settings.snapshot_limit)
        self._partial: tuple[str, int] | None = None
        self._position = Position("")

    async def messages(self) -> AsyncGenerator[Message[R], None]:
        """Yield for ever, or to the end of this leg of the way."""
        cursor, begins_at = self._resumed(), self._leg.begins_at
        starts_over = self._leg.starts_over or (cursor is not None and cursor.in_snapshot)
        if starts_over and not self._leg.starts_over and self._leg.ends_at_joint:
            self._leg.was_reset = True  # to be told RESET with others, who begin alike
            return
        known = begins_at or (None if starts_over else cursor)
        after = None if known is None else known.position
        async with self._hub.subscribe(self._topic.watch, after) as changes:
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

    def _resumed(self) -> Cursor | None:
        after = self._leg.after if self._following.after is None else self._following.after
        if after is None or self._leg.begins_at is not None or self._leg.starts_over:
            return None
        cursor = self._cursors.decode(after, self._topic.name)
        if cursor.partial is not None:
            self._partial = cursor.partial, cursor.seq
        return cursor

    async def _from_start(
        self, changes: Subscription, *, with_rows: bool
    ) -> AsyncGenerator[Message[R], None]:
        held: Sequence[Notice] | None = ()
        if with_rows and self._following.snapshot:
            page = await self._topic.read(self._limit, time_of(changes.position))
            place = Place(changes.position), self._cursor(changes.position, in_snapshot=True)
            for row in page.items:
                yield self._row(row, *place)
            held = await self._not_in(page, changes)
        if held is None:
            return
        since = await self._messages_of(held)
        start = self._cursor(changes.position, partial=self._partial, in_snapshot=bool(since))
        yield Message(cursor=start, kind=ChangeKind.READY, place=Place(changes.position))
        for message in since[:-1]:
            yield replace(message, cursor=start)
        for message in since[-1:]:
            yield replace(message, cursor=self._cursor(changes.position))
        async for message in self._changes(changes):
            yield message

    async def _not_in(self, page: Page[R], changes: Subscription) -> Sequence[Notice] | None:
        """Hold what happened while the rows were read, less what they show; None at a reset.

        The changes were listened to from before, so nothing falls between.
        """
        present = await self._hub.present()
        await self._hub.reach(present)
        versions = {row.id: row.version for row in page.items}
        held: list[Notice] = []
        within_s = 0.0
        while True:
            delivery = await changes.next(within_s)
            if delivery.reset:
                return None
            held += [n for n in delivery.notices if _is_newer(n.change, versions)]
            if delivery.time >= present:
                return held
            within_s = SETTLE_S

    async def _changes(self, changes: Subscription) -> AsyncGenerator[Message[R], None]:
        self._position = changes.position
        clock = asyncio.get_running_loop().time
        due = clock() + self._checkpoint_s
        while True:
            delivery = await self._next(changes, due - clock())
            if delivery is None or delivery.reset:
                return
            messages = await self._messages_of(delivery.notices)
            self._position = delivery.position
            if not messages and clock() >= due:
                messages = [self._sign_post(ChangeKind.CHECKPOINT, delivery.position)]
            if messages:
                due = clock() + self._checkpoint_s
            for message in messages:
                yield message

    async def _next(self, changes: Subscription, within_s: float) -> Delivery | None:
        """Wait for news; None where this leg ends."""
        if not self._leg.ends_at_joint or self._partial is not None:
            return await changes.next(max(within_s, 0))
        delivery = None if self._leg.begins_at is None else await changes.catch_up()
        if delivery is None:
            self._leg.joint = Joint(position=changes.position)
        return delivery

    async def _messages_of(self, notices: Sequence[Notice]) -> list[Message[R]]:
        wanted = [n.change.document_id for n in notices] if self._wants_object else []
        owner = self._topic.watch.owner
        loaded: Mapping[str, R] = {}
        if wanted:
            loaded = await self._hub.load(self._topic.kind, wanted, notices[-1].change.position)
        messages: list[Message[R]] = []
        for each in notices:
            notice, found = each, loaded.get(each.change.document_id)
            if found is not None and owner not in (None, found.owner):  # given away since
                notice, found = notice._replace(left=True), None
            messages += self._tell(notice, found)
            self._position = notice.change.position
        return messages

    def _tell(self, notice: Notice, found: R | None) -> list[Message[R]]:
        """Make a message of each event; only behind the last is the change delivered."""
        change = notice.change
        events = self._events_of(notice)
        last = len(events) - 1
        return [
            Message(
                cursor=self._cursor(change.position)
                if index == last or event is None
                else self._cursor(self._position, partial=(change.document_id, event.seq)),
                place=Place(change.position, change.document_id),
                kind=ChangeKind.LEFT if notice.left else ChangeKind.CHANGED,
                id=change.document_id,
                task_id=change.route.task_id if change.route else None,
                event=event,
                found=found,
            )
            for index, event in enumerate(events)
        ]

    def _events_of(self, notice: Notice) -> Sequence[JobEvent | None]:
        change = notice.change
        events = change.events
        if not events:
            return (None,)
        told = 0
        if self._partial is not None and self._partial[0] == change.document_id:
            told, self._partial = self._partial[1], None
        return events[-1:] if notice.left else [event for event in events if event.seq > told]

    def _row(self, row: R, place: Place, cursor: str) -> Message[R]:
        return Message(
            cursor=cursor,
            kind=ChangeKind.SNAPSHOT,
            place=place._replace(subject=row.id),
            id=row.id,
            task_id=_task_id(row),
            found=row,
        )

    def _reset(self, changes: Subscription) -> Message[R]:
        cursor = self._cursor(changes.position, in_snapshot=self._following.snapshot)
        return Message(cursor=cursor, kind=ChangeKind.RESET, place=Place(changes.position))

    def _sign_post(self, kind: ChangeKind, position: Position) -> Message[R]:
        cursor = self._cursor(position, partial=self._partial)
        return Message(cursor=cursor, kind=kind, place=Place(position))

    def _cursor(
        self,
        position: Position,
        *,
        partial: tuple[str, int] | None = None,
        in_snapshot: bool = False,
    ) -> str:
        name, seq = partial or (None, 0)
        return self._cursors.encode(
            Cursor(
                position=position,
                topic=self._topic.name,
                in_snapshot=in_snapshot,
                partial=name,
                seq=seq,
            )
        )


def _is_newer(change: Change, versions: Mapping[str, int]) -> bool:
    return change.version is None or change.version > versions.get(change.document_id, 0)


def _task_id(row: object) -> str | None:
    return row.task_id if isinstance(row, RecurringTask) else None
