"""Owns the change stream: whole batches by command, reopened where it broke.

Motor's own change streams hop threads for each event; here one reply is one hop.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from bson import Timestamp
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClientSession

from ostinato.jobs.changes import BEGINNING, ClusterTime, Position, time_of
from ostinato.jobs.errors import HistoryLost
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.patience import BREAKS, Patience
from ostinato.jobs.mongo.stream_opening import opening
from ostinato.jobs.waiting import answered_within

BATCH_EVENTS: Final = 1_000  # one reply decodes in about 20 ms: the loop stays responsive
AWAIT_MS: Final = 250  # MongoDB 6 cannot be interrupted in this wait: closing takes as long
HURRY_MS: Final = 1  # while there is history to read, an empty reply tells that it is read
PACE_S: Final = 0.004  # a reply costs as much as many events: what comes soon shares one
BUSY_PACE_S: Final = 0.016  # while many come, that is still no delay anybody sees
BUSY_EVENTS: Final = 20
SOON_S: Final = 0.01  # a reply within this time says that changes keep coming
REPLY_S: Final = 15.0  # a reply later than this comes from a dead connection
LESS_HISTORY_S: Final = (10, 1)  # what a fresh replica set may have

DATABASE_CURSOR: Final = "$cmd.aggregate"

RAW: Final = CodecOptions(RawBSONDocument)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatch:
    """What one reply of the server brought; often no events at all."""

    events: Sequence[RawBSONDocument]
    position: Position
    """Everything up to here is in this batch and those before it."""

    @property
    def starts_at(self) -> Position:
        """Return a position behind which lies nothing but what comes after the first event."""
        return Position(self.events[0]["_id"]["_data"]) if self.events else self.position

    @property
    def time(self) -> ClusterTime:
        """Return a time up to which, itself included, everything was handed out."""
        if not self.events:
            return time_of(self.position)
        seconds, count = time_of(self.events[-1]["_id"]["_data"])
        return seconds, count - 1  # a transaction's changes share their time


async def cluster_time(mongo: Mongo) -> ClusterTime:
    """Return MongoDB's clock: not before any write that an earlier read has seen."""
    reply = await mongo.client.admin.command("hello")
    time: Timestamp = reply["operationTime"]
    return time.time, time.inc


def batch_of(reply: RawBSONDocument, name: str) -> StreamBatch:
    """Take the batch out of a reply, which is the first or the next."""
    cursor = reply["cursor"]
    position = Position(cursor["postBatchResumeToken"]["_data"])
    return StreamBatch(events=cursor[name], position=position)


async def kill_cursor(mongo: Mongo, cursor: int) -> None:
    await mongo.database.command({"killCursors": DATABASE_CURSOR, "cursors": [cursor]})


class ChangeStream:
    """Follow the watched collections; one consumer. `async with`, then `open`, then `batches`."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._session: AsyncIOMotorClientSession | None = None
        self._cursor = 0
        self._reply: asyncio.Task[RawBSONDocument] | None = None
        self._opened: StreamBatch | None = None
        self._is_behind = True
        self._asked_at = 0.0
        self._patience = Patience()
        self.position = Position("")
        self.present: ClusterTime = BEGINNING
        """When the stream was opened; what comes before is history."""
        self.reopened = 0
        """How often the stream broke, or was ended by the server, and was opened again."""
        self.invalidated = 0
        """How often the server ended it, because a collection or the database went away."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def open_after(self, position: Position) -> None:
        """Start behind `position`; raises HistoryLost when MongoDB no longer has what follows."""
        start = {"startAfter": {"_data": position}}
        await Patience(accepts_refusal=False).until_answered(lambda: self._open(start))
        self.position = position

    async def open_now(self) -> None:
        """Start at the present end of history.

        The time is named: a stream opened without one begins a moment ahead of MongoDB's clock,
        and MongoDB refuses to read what was committed up to there.
        """
        seconds, count = await self._patience.until_answered(lambda: cluster_time(self._mongo))
        await self._until_open({"startAtOperationTime": Timestamp(seconds, count)})

    async def open_recent(self, history_ms: int) -> None:
        """Start that long before now, or as far back as the history reaches."""
        self.present = await self._patience.until_answered(lambda: cluster_time(self._mongo))
        for seconds in (history_ms // 1_000, *LESS_HISTORY_S):
            start = Timestamp(self.present[0] - seconds, 1)
            with suppress(HistoryLost):
                await self._until_open({"startAtOperationTime": start})
                return
        await self.open_now()

    async def batches(self) -> AsyncGenerator[StreamBatch, None]:
        """Yield batches for ever, over every failure of MongoDB; raises HistoryLost."""
        while True:
            if self._cursor == 0 and self._opened is None:
                self.invalidated += 1  # such a stream ends without an error
                await self._reopen(None)
            try:
                batch = await self._next()
            except BREAKS as error:
                await self._reopen(error)
                continue
            self._patience.renew()
            self.position = batch.position
            yield batch

    async def _next(self) -> StreamBatch:
        """Take the reply on its way and ask for the next while this one is worked on."""
        if self._opened is not None:
            batch, self._opened = self._opened, None
            pause_s = 0.0
        else:
            assert self._reply is not None
            waits_from = asyncio.get_running_loop().time()
            batch = self._take(await asyncio.shield(self._reply), "nextBatch")
            self._is_behind = self._is_behind and bool(batch.events)
            pause_s = self._pause_s(len(batch.events), waits_from)
        self._reply = asyncio.create_task(self._ask_more(pause_s)) if self._cursor else None
        await asyncio.sleep(0)  # or the question would wait, too, until this batch is worked on
        return batch

    def _pause_s(self, events: int, waits_from: float) -> float:
        """Choose how long to let changes gather; the first after a quiet time goes at once."""
        waited_s = asyncio.get_running_loop().time() - max(self._asked_at, waits_from)
        keep_coming = events and waited_s < SOON_S
        if not keep_coming or events >= BATCH_EVENTS // 2:
            return 0
        return PACE_S if events < BUSY_EVENTS else BUSY_PACE_S

    async def _ask_more(self, pause_s: float) -> RawBSONDocument:
        if pause_s:
            await asyncio.sleep(pause_s)
        self._asked_at = asyncio.get_running_loop().time()
        return await self._command(
            {
                "getMore": self._cursor,
                "collection": DATABASE_CURSOR,
                "batchSize": BATCH_EVENTS,
                "maxTimeMS": HURRY_MS if self._is_behind else AWAIT_MS,
            }
        )

    async def _reopen(self, error: Exception | None) -> None:
        await self._close()
        self.reopened += 1
        if error is not None:
            await self._patience.back_off(error)
        await self._until_open({"startAfter": {"_data": self.position}})

    async def _until_open(self, start: dict[str, Any]) -> None:
        await self._patience.until_answered(lambda: self._open(start))

    async def _open(self, start: dict[str, Any]) -> None:
        await self._close()
        self._session = await self._mongo.client.start_session()
        reply = await self._command(opening(start, BATCH_EVENTS))
        self._opened = self._take(reply, "firstBatch")
        self._is_behind = True
        self.position = self._opened.position

    def _take(self, reply: RawBSONDocument, batch: str) -> StreamBatch:
        self._cursor = reply["cursor"]["id"]
        return batch_of(reply, batch)

    async def _command(self, command: dict[str, Any]) -> RawBSONDocument:
        async with answered_within(REPLY_S):
            return await self._mongo.database.command(
                command, session=self._session, codec_options=RAW
            )

    async def _close(self) -> None:
        """Kill the cursor, wait until its last reply lets go of the session."""
        cursor, self._cursor = self._cursor, 0
        if cursor:
            with suppress(*BREAKS):
                await kill_cursor(self._mongo, cursor)
        if self._reply is not None:
            await asyncio.gather(self._reply, return_exceptions=True)
            self._reply = None
        if self._session is not None:
            await self._session.end_session()
            self._session = None
