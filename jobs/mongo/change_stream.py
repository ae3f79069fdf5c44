"""The MongoDB change stream, read with raw `getMore` commands and reopened after a failure.

Motor's own change streams switch threads once per event; this one switches once per batch.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from bson import Timestamp
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClientSession

from ostinato.jobs.async_tools.timeouts import response_timeout
from ostinato.jobs.changes import BEGINNING, ClusterTime, Position, WatchedCollection, time_of
from ostinato.jobs.errors import HistoryLost
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.mongo_retry import TRANSIENT_ERRORS, MongoRetry

BATCH_SIZE: Final = 1_000  # events; decoding takes about 20 ms and must not block the loop longer
AWAIT_MS: Final = 250  # MongoDB 6 cannot interrupt this wait: closing can take this long
POLL_MS: Final = 1  # while catching up: an empty reply marks the end of the history
COALESCE_S: Final = 0.004  # the cost of a reply is mostly fixed: close changes share one
BUSY_COALESCE_S: Final = 0.016  # under load; imperceptible to users
BUSY_EVENTS: Final = 20
BUSY_POLL_S: Final = 0.025
PROMPT_REPLY_S: Final = 0.01  # a faster reply indicates a steady flow of changes
REPLY_TIMEOUT_S: Final = 15.0  # a connection without a reply for this long is considered dead
FALLBACK_HISTORY_S: Final = (10, 1)  # a new replica set has little history
PEEK_BATCH_SIZE: Final = 1  # one event is enough: the stream will deliver it

DATABASE_CURSOR: Final = "$cmd.aggregate"

RAW: Final = CodecOptions(RawBSONDocument)

UNREAD_FIELDS: Final = (
    *("state", "attempt", "lease", "lane", "startedAt", "completedAt", "purgeAt"),
)
"""Updated fields that the decoder does not use; the server excludes them."""

WITHOUT_DELETIONS: Final = (
    *(WatchedCollection.JOBS, WatchedCollection.JOB_LOGS, WatchedCollection.CRON_TICKS),
    WatchedCollection.ALERTS,
)
"""TTL indexes delete jobs, ticks and alerts at `purgeAt`, and the sweeper the logs of jobs: nobody
is told."""

PIPELINE: Final[list[dict[str, Any]]] = [
    {
        "$match": {
            "$or": [
                {
                    "ns.coll": {"$in": [str(name) for name in WatchedCollection]},
                    "operationType": {"$in": ["insert", "update", "replace", "drop", "rename"]},
                },
                {
                    "ns.coll": {
                        "$in": [str(n) for n in WatchedCollection if n not in WITHOUT_DELETIONS]
                    },
                    "operationType": "delete",
                },
                {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
            ]
        }
    },
    {
        "$unset": [
            f"{place}.{field}"
            for place in (
                "fullDocument",
                "updateDescription.updatedFields",
            )
            for field in ("args", "result", "data", "error", "lateAnswer", "lines")
        ]
        + [f"updateDescription.updatedFields.{field}" for field in UNREAD_FIELDS]
        + ["wallTime", "clusterTime", "lsid", "txnNumber", "collectionUUID", "ns.db"]
        + ["updateDescription.removedFields", "updateDescription.truncatedArrays"]
    },
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatch:
    """The events of one server reply; often empty."""

    events: Sequence[RawBSONDocument]
    position: Position
    """Resume token: all events up to it are in this batch or an earlier one."""

    @property
    def starts_at(self) -> Position:
        """Return the position of the first event, or `position` without events."""
        return Position(self.events[0]["_id"]["_data"]) if self.events else self.position

    @property
    def time(self) -> ClusterTime:
        """Return the cluster time up to which (inclusive) delivery is complete."""
        if not self.events:
            return time_of(self.position)
        seconds, count = time_of(self.events[-1]["_id"]["_data"])
        return seconds, count - 1  # changes of a transaction share a cluster time


async def read_cluster_time(mongo: Mongo) -> ClusterTime:
    """Read the current cluster time: at least that of every write seen by an earlier read."""
    reply = await mongo.client.admin.command("hello")
    time: Timestamp = reply["operationTime"]
    return time.time, time.inc


async def read_position(mongo: Mongo) -> Position:
    """Return a position after every change that was visible before the call."""
    seconds, count = await read_cluster_time(mongo)
    start = {"startAtOperationTime": Timestamp(seconds, count)}
    reply = await mongo.database.command(open_command(start, PEEK_BATCH_SIZE), codec_options=RAW)
    if cursor := reply["cursor"]["id"]:
        await kill_cursor(mongo, cursor)
    return parse_batch(reply, "firstBatch").position


async def peek(mongo: Mongo, after: Position) -> StreamBatch | None:
    """Return the current end of the history, or None if a watched change follows `after`.

    Does not wait for changes. Raises the driver's errors.
    """
    command = open_command({"startAfter": {"_data": after}}, PEEK_BATCH_SIZE)
    reply = await mongo.database.command(command, codec_options=RAW)
    if cursor := reply["cursor"]["id"]:
        await kill_cursor(mongo, cursor)
    batch = parse_batch(reply, "firstBatch")
    return None if batch.events else batch


def open_command(
    start: Mapping[str, Any], batch_size: int, pipeline: Sequence[Document] = PIPELINE
) -> Document:
    """Build the command that opens a stream; its reply holds at most `batch_size` events."""
    return {
        "aggregate": 1,
        "pipeline": [{"$changeStream": start}, *pipeline],
        "cursor": {"batchSize": batch_size},
    }


def parse_batch(reply: RawBSONDocument, name: str) -> StreamBatch:
    """Return the batch of a reply; `name` is `firstBatch` or `nextBatch`."""
    cursor = reply["cursor"]
    position = Position(cursor["postBatchResumeToken"]["_data"])
    return StreamBatch(events=cursor[name], position=position)


async def kill_cursor(mongo: Mongo, cursor: int) -> None:
    await mongo.database.command({"killCursors": DATABASE_CURSOR, "cursors": [cursor]})


class ChangeStream:
    """Tails the watched collections, or the events of another pipeline, for one consumer.

    Usage: `async with`, one of the `open_*` methods, then iterate over `batches`.
    """

    def __init__(
        self,
        mongo: Mongo,
        pipeline: Sequence[Document] = PIPELINE,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """While `is_busy` returns True, the stream polls every BUSY_POLL_S.

        A request that waits costs the server time at every write, whatever the pipeline matches.
        """
        self._mongo = mongo
        self._pipeline = pipeline
        self._is_busy = is_busy
        self._session: AsyncIOMotorClientSession | None = None
        self._cursor = 0
        self._reply: asyncio.Task[RawBSONDocument] | None = None
        self._opened: StreamBatch | None = None
        self._is_behind = True
        self._requested_at = 0.0
        self._retry = MongoRetry()
        self.position = Position("")
        self.opened_at: ClusterTime = BEGINNING
        """Cluster time at which the stream was opened; earlier changes are history."""
        self.reopened = 0
        """Number of reopenings, after an error or a close by the server."""
        self.invalidated = 0
        """Number of invalidations: a collection or the database was dropped."""

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
        """Start after `position`; raises HistoryLost if the oplog no longer covers it."""
        start = {"startAfter": {"_data": position}}
        await MongoRetry(retries_rejections=False).run(lambda: self._open(start))
        self.position = position

    async def open_now(self) -> None:
        """Start at the current end of history.

        The start time is explicit: the default is slightly ahead of the cluster time, and MongoDB
        rejects causal reads at such a time.
        """
        seconds, count = await self._retry.run(lambda: read_cluster_time(self._mongo))
        await self._open_with_retry({"startAtOperationTime": Timestamp(seconds, count)})

    async def open_recent(self, history_ms: int) -> None:
        """Start `history_ms` before now, or as far back as the history reaches."""
        self.opened_at = await self._retry.run(lambda: read_cluster_time(self._mongo))
        for seconds in (history_ms // 1_000, *FALLBACK_HISTORY_S):
            start = Timestamp(self.opened_at[0] - seconds, 1)
            with suppress(HistoryLost):
                await self._open_with_retry({"startAtOperationTime": start})
                return
        await self.open_now()

    async def batches(self) -> AsyncGenerator[StreamBatch, None]:
        """Yield batches forever, reopening after every failure; raises HistoryLost."""
        while True:
            if self._cursor == 0 and self._opened is None:
                self.invalidated += 1  # an invalidated stream ends without an error
                await self._reopen(None)
            try:
                batch = await self._next()
            except TRANSIENT_ERRORS as error:
                await self._reopen(error)
                continue
            self._retry.reset()
            self.position = batch.position
            yield batch

    async def _next(self) -> StreamBatch:
        """Return the pending batch; the request for the next one is already sent."""
        if self._opened is not None:
            batch, self._opened = self._opened, None
            pause_s = 0.0
        else:
            assert self._reply is not None
            wait_started_at = asyncio.get_running_loop().time()
            batch = self._take(await asyncio.shield(self._reply), "nextBatch")
            self._is_behind = self._is_behind and bool(batch.events)
            pause_s = self._pause_s(len(batch.events), wait_started_at)
        self._reply = asyncio.create_task(self._get_more(pause_s)) if self._cursor else None
        await asyncio.sleep(0)  # sends the request before this batch is processed
        return batch

    def _pause_s(self, events: int, wait_started_at: float) -> float:
        """Return the coalescing delay; 0 for the first batch after an idle period."""
        waited_s = asyncio.get_running_loop().time() - max(self._requested_at, wait_started_at)
        is_steady = events and waited_s < PROMPT_REPLY_S
        if not is_steady or events >= BATCH_SIZE // 2:
            return 0
        return COALESCE_S if events < BUSY_EVENTS else BUSY_COALESCE_S

    async def _get_more(self, pause_s: float) -> RawBSONDocument:
        is_busy = self._is_busy()
        if is_busy or pause_s:
            await asyncio.sleep(BUSY_POLL_S if is_busy else pause_s)
        self._requested_at = asyncio.get_running_loop().time()
        return await self._command(
            {
                "getMore": self._cursor,
                "collection": DATABASE_CURSOR,
                "batchSize": BATCH_SIZE,
                "maxTimeMS": POLL_MS if self._is_behind or is_busy else AWAIT_MS,
            }
        )

    async def _reopen(self, error: Exception | None) -> None:
        await self._close()
        self.reopened += 1
        if error is not None:
            await self._retry.wait(error)
        await self._open_with_retry({"startAfter": {"_data": self.position}})

    async def _open_with_retry(self, start: dict[str, Any]) -> None:
        await self._retry.run(lambda: self._open(start))

    async def _open(self, start: dict[str, Any]) -> None:
        await self._close()
        self._session = await self._mongo.client.start_session()
        reply = await self._command(open_command(start, BATCH_SIZE, self._pipeline))
        self._opened = self._take(reply, "firstBatch")
        self._is_behind = True
        self.position = self._opened.position

    def _take(self, reply: RawBSONDocument, batch: str) -> StreamBatch:
        self._cursor = reply["cursor"]["id"]
        return parse_batch(reply, batch)

    async def _command(self, command: dict[str, Any]) -> RawBSONDocument:
        async with response_timeout(REPLY_TIMEOUT_S):
            return await self._mongo.database.command(
                command, session=self._session, codec_options=RAW
            )

    async def _close(self) -> None:
        """Kill the cursor, and wait for the pending reply, which still uses the session."""
        cursor, self._cursor = self._cursor, 0
        if cursor:
            with suppress(*TRANSIENT_ERRORS):
                await kill_cursor(self._mongo, cursor)
        if self._reply is not None:
            await asyncio.gather(self._reply, return_exceptions=True)
            self._reply = None
        if self._session is not None:
            await self._session.end_session()
            self._session = None
