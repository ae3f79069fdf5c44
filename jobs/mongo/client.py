"""One connection pool to MongoDB, and the collections of Ostinato in it."""

import asyncio
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

from ostinato.jobs.changes import ClusterTime
from ostinato.jobs.mongo.availability import Availability
from ostinato.jobs.mongo.sessions import Sessions
from ostinato.jobs.mongo.topology import topology
from ostinato.jobs.settings import Settings

Document: TypeAlias = dict[str, Any]
Client: TypeAlias = "AsyncIOMotorClient[Document]"
Session: TypeAlias = AsyncIOMotorClientSession
Collection: TypeAlias = "AsyncIOMotorCollection[Document]"
Cursor: TypeAlias = "AsyncIOMotorCursor[Any]"

SERVER_SELECTION_MS = 5_000  # a failover takes a second or two; a call must not hang for 30
SOCKET_TIMEOUT_MS = 20_000  # longer than any statement of ours, so only a dead peer meets it
PASSING_LABELS: Final = ("RetryableWriteError", "TransientTransactionError")
PASSING_CODES: Final = frozenset(
    {6, 7, 43, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
)
"""Those of https://github.com/mongodb/specifications/blob/master/source/retryable-writes, and 43:
the server that had the cursor of a read is gone."""


# What a date or a text of BSON may hold, and Python's may not, must not make the driver refuse a
# whole batch: such a date is read as a DatetimeMS, and such a text with replacement characters.
READ_ALL: Final[CodecOptions[Document]] = CodecOptions(
    tz_aware=True,
    tzinfo=UTC,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)


@dataclass(frozen=True, slots=True)
class Mongo:
    """The database of one installation, as one process sees it."""

    client: Client
    database: "AsyncIOMotorDatabase[Document]"
    availability: Availability
    sessions: Sessions
    rivals: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the transaction that runs again after a conflict."""

    @classmethod
    def connect(cls, settings: Settings, app_name: str) -> "Mongo":
        """Build the pool; connects on first use. `app_name` is what `$currentOp` shows."""
        availability = Availability()
        client: Client = AsyncIOMotorClient(
            settings.mongo_url,
            event_listeners=[availability],
            appname=app_name,
            tz_aware=True,
            tzinfo=UTC,
            w="majority",
            readConcernLevel="majority",
            retryWrites=True,
            serverSelectionTimeoutMS=SERVER_SELECTION_MS,
            connectTimeoutMS=SERVER_SELECTION_MS,
            socketTimeoutMS=SOCKET_TIMEOUT_MS,
        )
        database = client.get_database(settings.database, codec_options=READ_ALL)
        return cls(client, database, availability, Sessions(client))

    def __getitem__(self, collection: str) -> Collection:
        return self.database[collection]

    async def causal_read(
        self, find: Callable[..., Cursor], min_cluster_time: ClusterTime | None
    ) -> list[Document]:
        """Return all that `find` finds, including everything committed by `min_cluster_time`.

        Without it, a member that has just become primary may not know for a moment that earlier
        writes are majority-committed: a majority read there would miss changes that the stream has
        delivered.
        """
        if min_cluster_time is None:
            return await find().to_list(None)
        async with self.sessions.opened() as session:
            session.advance_operation_time(Timestamp(*min_cluster_time))
            return await self.sessions.answered(session, find(session=session).to_list(None))

    async def ping(self) -> None:
        await self.client.admin.command("ping")

    def close(self) -> None:
        self.client.close()


async def require_replica_set(mongo: Mongo) -> None:
    """Raise RuntimeError, with the fix, unless the server has transactions and change streams."""
    found = topology(await mongo.client.admin.command("hello"))
    if not found.ok:
        raise RuntimeError(f"{found.detail}: {found.fix}")


def is_transient(error: BaseException) -> bool:
    """Tell whether a transaction that met `error` may simply run again."""
    return isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")


def is_commit_unknown(error: BaseException) -> bool:
    """Tell whether a commit that met `error` may have happened."""
    return isinstance(error, PyMongoError) and error.has_error_label(
        "UnknownTransactionCommitResult"
    )


def may_pass(error: BaseException) -> bool:
    """Tell whether what met `error` may succeed later: the server was not able, rather than not
    willing.

    A server that steps down while it writes says so as the error of one write, to which the
    driver gives neither a class nor a label of its own.
    """
    # The driver calls it a configuration error that no server is left to have a session with.
    if isinstance(error, ConnectionFailure | WriteConcernError | ConfigurationError):
        return True
    if not isinstance(error, OperationFailure):
        return False
    details: Mapping[str, Any] = error.details or {}
    if details.get("writeConcernErrors") or any(map(error.has_error_label, PASSING_LABELS)):
        return True
    return not PASSING_CODES.isdisjoint(codes_of(error))


def was_raised_by_our_client(error: BaseException) -> bool:
    """Return whether an error of the driver came through this package, the only one that uses
    our client: a function may have a client of its own."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith(f"{__package__}."):
            return True
        trace = trace.tb_next
    return False


def summary(error: BaseException) -> str:
    """Describe an error without the values that the driver quotes."""
    if isinstance(error, OperationFailure) and error.details:
        return f"{error.details.get('errmsg', 'refused')} (code {error.code})"
    return type(error).__name__ if isinstance(error, NotEncodable) else str(error)


def codes_of(error: OperationFailure) -> list[int | None]:
    """Return the code of an error, and those of the single writes that it tells of."""
    write_errors = (error.details or {}).get("writeErrors", ())
    return [error.code, *(one["code"] for one in write_errors)]


MongoError = PyMongoError
MongoRefused = OperationFailure
NotEncodable = (BSONError, OverflowError, UnicodeError, RecursionError)
"""What a value raises that BSON has no room for, before anything is sent."""
