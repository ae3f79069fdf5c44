"""The MongoDB connection pool, and the classification of the driver's errors."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final, TypeAlias

from bson import Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorCursor,
    AsyncIOMotorDatabase,
)
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

from ostinato.jobs.async_tools.user_turns import UserTurns
from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.mongo.replica_set import check_topology
from ostinato.jobs.mongo.sessions import Sessions
from ostinato.jobs.settings import Settings

Document: TypeAlias = dict[str, Any]
Address: TypeAlias = tuple[str, int | None]
Client: TypeAlias = "AsyncIOMotorClient[Document]"
Session: TypeAlias = AsyncIOMotorClientSession
Database: TypeAlias = "AsyncIOMotorDatabase[Document]"
Collection: TypeAlias = "AsyncIOMotorCollection[Document]"
Cursor: TypeAlias = "AsyncIOMotorCursor[Any]"

SERVER_SELECTION_TIMEOUT_MS = 5_000  # a failover takes 1 to 2 s; the driver's default is 30 s
SOCKET_TIMEOUT_MS = 20_000  # longer than any of our commands: only a dead peer exceeds it
TRANSIENT_LABELS: Final = ("RetryableWriteError", "TransientTransactionError")
TRANSIENT_CODES: Final = frozenset(
    {6, 7, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}  # see below
    | {43, 175, 237}  # CursorNotFound, QueryPlanKilled, CursorKilled: the server ended the read
    | {24, 202, 290}  # LockTimeout, a time limit between servers, the lifetime of a transaction
    | {239, 246, 365}  # SnapshotTooOld, SnapshotUnavailable, TemporarilyUnavailable
)
"""The first row is from https://github.com/mongodb/specifications/blob/master/source/retryable-writes,
the others from the server's `src/mongo/base/error_codes.yml`."""


# BSON allows dates and text that Python cannot represent. One such value must not fail a whole
# batch: dates become DatetimeMS, invalid bytes become replacement characters.
LARGE_READS: Final = 4  # at once
LENIENT_CODEC: Final[CodecOptions[Document]] = CodecOptions(
    tz_aware=True,
    tzinfo=UTC,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
ZONELESS_CODEC: Final = LENIENT_CODEC.with_options(tz_aware=False, tzinfo=None)
"""Decodes a date without its zone, UTC, which takes longer to add than the rest of a small document
takes to decode."""


class PrimaryMonitor(ServerHeartbeatListener):
    """Tracks the availability of a primary through the driver's heartbeats.

    A topology listener would need a thread, and delay closing a client by half a second.
    """

    def __init__(self) -> None:
        self._primaries: Final[set[Address]] = set()
        self._last_unavailable_at = time.monotonic()

    def was_unavailable_since(self, instant: float) -> bool:
        """Return whether the primary was missing at any time since `instant` (monotonic)."""
        return not self._primaries or self._last_unavailable_at >= instant

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Ignored: only completed heartbeats matter."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        if not event.reply.is_writable:
            self._remove(event.connection_id)
        elif event.connection_id not in self._primaries:
            self._last_unavailable_at = time.monotonic()
            self._primaries.add(event.connection_id)

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        self._remove(event.connection_id)

    def _remove(self, address: Address) -> None:
        self._primaries.discard(address)
        if not self._primaries:
            self._last_unavailable_at = time.monotonic()


@dataclass(frozen=True, slots=True)
class Mongo:
    """A process's connection to the database of an installation."""

    client: Client
    database: Database
    app_database: Database
    """The database of `ctx.db`: the same one, unless OSTINATO_APP_DATABASE names another."""
    primary_monitor: PrimaryMonitor
    sessions: Sessions
    conflict_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Serializes the retries of transactions after a write conflict."""
    decoding_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while documents are decoded: only one task does so in each turn of the event loop."""
    large_reads: UserTurns = field(default_factory=lambda: UserTurns(LARGE_READS))
    """Held while documents with large fields are read: a reply of MongoDB has up to 16 MB."""

    @classmethod
    def connect(cls, settings: Settings, app_name: str) -> "Mongo":
        """Build the pool, which connects lazily; `app_name` is visible in `$currentOp`."""
        primary_monitor = PrimaryMonitor()
        client: Client = AsyncIOMotorClient(
            settings.mongo_url,
            event_listeners=[primary_monitor],
            appname=app_name,
            tz_aware=True,
            tzinfo=UTC,
            w="majority",
            readConcernLevel="majority",
            retryWrites=True,
            serverSelectionTimeoutMS=SERVER_SELECTION_TIMEOUT_MS,
            connectTimeoutMS=SERVER_SELECTION_TIMEOUT_MS,
            socketTimeoutMS=SOCKET_TIMEOUT_MS,
        )
        database = client.get_database(settings.database, codec_options=LENIENT_CODEC)
        app_database = client.get_database(
            settings.app_database or settings.database, codec_options=LENIENT_CODEC
        )
        return cls(client, database, app_database, primary_monitor, Sessions(client))

    def __getitem__(self, collection: str) -> Collection:
        return self.database[collection]

    async def aggregate(self, collection: str, pipeline: list[Document]) -> list[Document]:
        """Return the results of a pipeline over a collection."""
        return await self.database[collection].aggregate(pipeline).to_list(None)

    async def causal_read(
        self, find: Callable[..., Cursor], min_cluster_time: ClusterTime | None
    ) -> list[Document]:
        """Return the results of `find` as of `min_cluster_time` or later.

        The majority-committed snapshot of a newly elected primary can lag briefly: without the
        bound, a read could miss changes that the stream has already delivered.
        """
        if min_cluster_time is None:
            return await find().to_list(None)
        async with self.sessions.open() as session:
            session.advance_operation_time(Timestamp(*min_cluster_time))
            return await self.sessions.track(session, find(session=session).to_list(None))

    async def ping(self) -> None:
        await self.client.admin.command("ping")

    def close(self) -> None:
        self.client.close()


async def require_replica_set(mongo: Mongo) -> None:
    """Raise RuntimeError, with the fix, unless the server supports transactions and streams."""
    found = check_topology(await mongo.client.admin.command("hello"))
    if not found.ok:
        raise RuntimeError(f"{found.detail}: {found.fix}")


def is_transient_transaction_error(error: BaseException) -> bool:
    """Return whether a transaction that failed with `error` can be retried unchanged."""
    return isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")


def is_commit_unknown(error: BaseException) -> bool:
    """Return whether a commit that failed with `error` may have been applied."""
    return isinstance(error, PyMongoError) and error.has_error_label(
        "UnknownTransactionCommitResult"
    )


def is_transient(error: BaseException) -> bool:
    """Return whether an error is temporary (server unavailable) rather than a rejection.

    A step-down during a bulk write is reported as a write error, for which the driver has neither
    a class nor a label.
    """
    # The driver raises ConfigurationError if no server is available to start a session.
    if isinstance(error, ConnectionFailure | WriteConcernError | ConfigurationError):
        return True
    if not isinstance(error, OperationFailure):
        return False
    details: Mapping[str, Any] = error.details or {}
    if details.get("writeConcernErrors") or any(map(error.has_error_label, TRANSIENT_LABELS)):
        return True
    return not TRANSIENT_CODES.isdisjoint(error_codes(error))


def was_raised_by_our_client(error: BaseException) -> bool:
    """Return whether a driver error was raised by Ostinato's client, judged by the traceback: a
    function may use a client of its own."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith(f"{__package__}."):
            return True
        trace = trace.tb_next
    return False


def summarize(error: BaseException) -> str:
    """Return an error's message without the values that the driver quotes."""
    if isinstance(error, OperationFailure) and error.details:
        return f"{error.details.get('errmsg', 'rejected')} (code {error.code})"
    return type(error).__name__ if isinstance(error, ENCODING_ERRORS) else str(error)


def error_codes(error: OperationFailure) -> list[int | None]:
    """Return the codes of an error and of its individual write errors."""
    write_errors = (error.details or {}).get("writeErrors", ())
    return [error.code, *(one["code"] for one in write_errors)]


MongoError = PyMongoError
MongoOperationFailure = OperationFailure
ENCODING_ERRORS = (BSONError, OverflowError, UnicodeError, RecursionError)
"""Client-side errors for values that BSON cannot represent."""
