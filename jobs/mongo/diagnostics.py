"""Read-only checks of a MongoDB server against Ostinato's requirements.

The checks run in a thread: PyMongo's asynchronous client leaks a socket if it is closed while its
monitor is still connecting.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from bson.codec_options import CodecOptions
from pymongo import IndexModel, MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout, InvalidURI, OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from ostinato.jobs import end_of_life
from ostinato.jobs.findings import Finding
from ostinato.jobs.mongo import indexes, multikey
from ostinato.jobs.mongo.access_control import (
    check_access_control,
    check_cluster_privileges,
    check_rights,
)
from ostinato.jobs.mongo.collections import COLLECTIONS, FAILURES, OUTBOX
from ostinato.jobs.mongo.malformed_diagnostics import inspect_documents
from ostinato.jobs.mongo.queue_diagnostics import inspect_alerts, inspect_queues
from ostinato.jobs.mongo.replica_set import check_topology

Client = MongoClient[dict[str, Any]]
AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)

RESPONSE_TIMEOUT_MS = 3_000
DEFAULT_LEASE_MS = 6_000
MIN_VERSION = (6, 0)
MAX_TRANSACTION_S = 15  # a worker killed in a transaction keeps its locks up to this long
MAX_SKEW_S = 1.0
MIN_HISTORY_H = 1.0  # a cursor can resume for this long; the embedded mongod has the same minimum
MAX_ENTRIES = 10_000  # that are counted
LATE_ENTRY = timedelta(seconds=10)  # an entry is normally converted within milliseconds
TOPOLOGY_OPTIONS = {
    *("replicaset", "directconnection", "loadbalanced"),
    *("srvservicename", "srvmaxhosts"),
}

INVALID_URL = (
    "OSTINATO_MONGO_URL is not a MongoDB URL: write mongodb://user:password@host:27017/"
    "?replicaSet=rs0, and percent-encode special characters in the password (`@` as %40, `/` as "
    "%2F)"
)
FIX_MEMBERS = (
    "set `replicaSet` in OSTINATO_MONGO_URL to the name that `rs.conf()` shows in mongosh, and "
    "give its members host names and ports that this host can reach"
)
FIX_CREDENTIALS = (
    "correct the user, the password or `authSource` in OSTINATO_MONGO_URL, and grant the user "
    "readWrite on the database"
)
FIX_WAITING = (
    "start a worker; if one runs, look for `outbox.not_converted` and `task.failed` in its log"
)
FIX_REJECTED = (
    "read why (`failures` in the API as their owner or an admin; `db.failures.find({outboxId: "
    "{$exists: true}})` in mongosh), insert corrected entries, and resolve the failures "
    "(`resolveFailure`)"
)
FIX_UNREACHABLE = "start the server or correct OSTINATO_MONGO_URL"


async def startup_problem(
    mongo_url: str, database: str, app_database: str | None = None
) -> str | None:
    """Return the problem that prevents a start with this server, and its fix; None if ready."""
    return await asyncio.to_thread(_startup_problem, mongo_url, database, app_database)


async def inspect_mongo(
    mongo_url: str,
    database: str,
    lease_ms: int = DEFAULT_LEASE_MS,
    app_database: str | None = None,
) -> list[Finding]:
    """Check the server's requirements and the indexes, and whether live workers (heartbeat within
    the lease) serve all queues with due jobs."""
    return await asyncio.to_thread(_inspect, mongo_url, database, lease_ms, app_database)


def _startup_problem(mongo_url: str, database: str, app_database: str | None) -> str | None:
    try:
        with _direct(mongo_url) as client:
            topology = check_topology(client.admin.command("hello"))
            found = [topology, *_rights(client, database, app_database)]
        if found[0].ok:
            found.append(_reachable(mongo_url))
    except ValueError as error:
        return str(error)
    except PyMongoError as error:
        found = [_unanswered(error)]
    return next((f"{one.detail}: {one.fix}" for one in found if not one.ok), None)


def _inspect(
    mongo_url: str, database: str, lease_ms: int, app_database: str | None
) -> list[Finding]:
    try:
        with _direct(mongo_url) as client:
            hello = client.admin.command("hello", codec_options=AWARE)
            now = datetime.now(UTC)
            version = client.admin.command("buildInfo")["versionArray"]
            return [
                Finding(subject="MongoDB", detail="answers"),
                check_topology(hello),
                _reachable(mongo_url),
                _version(version),
                end_of_life.MONGODB.check_support(_text(version), now.date()),
                check_access_control(direct_url(mongo_url), RESPONSE_TIMEOUT_MS),
                _transaction_limit(client),
                _history(client),
                *_rights(client, database, app_database),
                check_cluster_privileges(client),
                _skew(abs((hello["localTime"] - now).total_seconds())),
                *_indexes(client[database]),
                *inspect_queues(client[database], lease_ms),
                *inspect_alerts(client[database]),
                *_outbox(client[database], hello["localTime"]),
                *inspect_documents(client[database]),
            ]
    except ValueError as error:
        return [Finding(subject="MongoDB", detail="cannot be connected to", fix=str(error))]
    except PyMongoError as error:
        return [_unanswered(error)]


def _rights(client: Client, database: str, app_database: str | None) -> list[Finding]:
    names = {name: None for name in (database, app_database) if name is not None}
    return [check_rights(client, name) for name in names]


def _unanswered(error: PyMongoError) -> Finding:
    if isinstance(error, OperationFailure):
        detail, fix = f"MongoDB rejected the connection ({_short(error)})", FIX_CREDENTIALS
    else:
        detail, fix = f"MongoDB does not answer ({_short(error)})", FIX_UNREACHABLE
    return Finding(subject="MongoDB", detail=detail, fix=fix)


def _direct(mongo_url: str) -> Client:
    return MongoClient(direct_url(mongo_url), serverSelectionTimeoutMS=RESPONSE_TIMEOUT_MS)


def direct_url(mongo_url: str) -> str:
    """Build the URL for a direct connection to the first host, without topology options.

    With a replica set's URL, the driver would not find a standalone server, which must be
    diagnosed. Raises ValueError, with the fix, if `mongo_url` is not a MongoDB URL.
    """
    try:
        parse_uri(mongo_url, validate=True, warn=False)
    except (InvalidURI, ValueError):  # its message may contain a part of the password
        raise ValueError(INVALID_URL) from None
    scheme, _, rest = mongo_url.partition("://")
    where, _, query = rest.partition("?")
    authority, _, database = where.partition("/")
    if "@" in database:  # the password contains `/`: part of it would be parsed as the host
        raise ValueError(INVALID_URL)
    login, at, hosts = authority.rpartition("@")
    given = {one.partition("=")[0].lower(): one for one in query.split("&") if one}
    if scheme == "mongodb+srv":
        hosts = _resolve(mongo_url, given)
    options = [one for name, one in given.items() if name not in TOPOLOGY_OPTIONS]
    options.append("directConnection=true")
    return f"mongodb://{login}{at}{hosts.split(',')[0]}/{database}?{'&'.join(options)}"


def _resolve(mongo_url: str, given: dict[str, str]) -> str:
    """Resolve a mongodb+srv URL: return its first host, and add its options to `given`."""
    parts = parse_uri(mongo_url, validate=True, warn=False)
    resolved = {"tls": "true", "authsource": parts["options"].get("authSource")}
    for name, value in resolved.items():
        if value is not None and name not in given:
            given[name] = f"{name}={value}"
    host, port = parts["nodelist"][0]
    return f"{host}:{port}"


def _reachable(mongo_url: str) -> Finding:
    """Connect like the other processes: by the host names in the set's configuration."""
    subject = "members of the set"
    try:
        with MongoClient[dict[str, Any]](
            mongo_url, serverSelectionTimeoutMS=RESPONSE_TIMEOUT_MS
        ) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        return Finding(subject=subject, detail=f"do not answer ({_short(error)})", fix=FIX_MEMBERS)
    return Finding(subject=subject, detail="answer at the addresses in its configuration")


def _version(version: list[int]) -> Finding:
    fix = None if tuple(version[:2]) >= MIN_VERSION else "upgrade to MongoDB 6.0 or later"
    return Finding(subject="MongoDB version", detail=_text(version), fix=fix)


def _text(version: list[int]) -> str:
    return ".".join(map(str, version[:3]))


def _transaction_limit(client: Client) -> Finding:
    name = "transactionLifetimeLimitSeconds"
    subject = "transaction limit"
    try:
        limit = (client.admin.command({"getParameter": 1, name: 1}))[name]
    except OperationFailure as error:
        detail = f"unknown ({_short(error)})"
        return Finding(subject=subject, detail=detail, fix="grant getParameter", advised=True)
    fix = None if limit <= MAX_TRANSACTION_S else f"start mongod with --setParameter {name}=5"
    return Finding(subject=subject, detail=f"{limit} s", fix=fix, advised=True)


def _history(client: Client) -> Finding:
    """Check how long subscription cursors remain valid: the oplog's retention."""
    subject = "history"
    try:
        status = client.admin.command({"serverStatus": 1, "oplog": 1})
    except OperationFailure as error:
        return Finding(subject=subject, detail=f"cannot be read ({_short(error)})", advised=True)
    if "oplog" not in status or "oplogTruncation" not in status:
        detail = "not reported by this server; check each member"
        return Finding(subject=subject, detail=detail, advised=True)
    ends = status["oplog"]["latestOptime"], status["oplog"]["earliestOptime"]
    covered_h = (ends[0].time - ends[1].time) / 3600
    kept_h = float(status["oplogTruncation"].get("oplogMinRetentionHours", 0))
    detail = f"retained for at least {kept_h:g} h; currently {covered_h:.1f} h"
    fix = (
        f"run `db.adminCommand({{replSetResizeOplog: 1, minRetentionHours: {MIN_HISTORY_H:g}}})` "
        "in mongosh on each member, and set storage.oplogMinRetentionHours in its configuration"
    )
    needed = None if kept_h >= MIN_HISTORY_H else fix
    return Finding(subject=subject, detail=detail, fix=needed, advised=True)


def _skew(seconds: float) -> Finding:
    fix = (
        None
        if seconds <= MAX_SKEW_S
        else "synchronize both clocks (NTP); jobs are due by the server's clock"
    )
    return Finding(subject="clock skew", detail=f"{seconds * 1000:.0f} ms", fix=fix)


def _indexes(base: Database[dict[str, Any]]) -> list[Finding]:
    """Find indexes that are missing, differ from their specification, or are multikey."""
    subject, existing = "indexes", set(base.list_collection_names())
    if not existing:
        return [Finding(subject=subject, detail="none yet: the first start builds them")]
    problems = [
        _describe_missing(base[spec.name], index)
        for spec in COLLECTIONS
        if spec.indexes
        for index in indexes.find_missing(spec.indexes, base[spec.name].index_information())
    ]
    problems += [
        finding
        for spec in COLLECTIONS
        for index in filter(multikey.can_be_rebuilt, spec.indexes)
        if (finding := _describe_multikey(base, spec.name, index)) is not None
    ]
    return problems or [Finding(subject=subject, detail="all exist")]


def _describe_multikey(
    base: Database[dict[str, Any]], collection: str, index: IndexModel
) -> Finding | None:
    try:
        paths = multikey.array_paths(base.command(multikey.explain_command(collection, index)))
    except OperationFailure as error:
        if error.code != indexes.BAD_HINT:
            raise
        return None  # reported as missing by another finding
    if not paths:
        return None
    where, options = multikey.array_filter(index, paths), multikey.search_options(index)
    try:
        ids = [row["_id"] for row in base[collection].find(where, {"_id": 1}, **options)]
    except ExecutionTimeout:
        return multikey.describe_multikey(collection, index, paths, None)
    return multikey.describe_multikey(collection, index, paths, ids)


def _describe_missing(collection: Collection[dict[str, Any]], index: IndexModel) -> Finding:
    pipeline = indexes.duplicates_pipeline(index) if indexes.is_unique(index) else None
    try:
        found = (
            list(collection.aggregate(pipeline, maxTimeMS=indexes.DUPLICATE_SEARCH_MS))
            if pipeline
            else []
        )
    except ExecutionTimeout:  # too many documents to search: the index build will report duplicates
        found = []
    return indexes.describe_missing(collection.name, index, collection.index_information(), found)


def _outbox(database: Database[dict[str, Any]], now: datetime) -> list[Finding]:
    """Find a missing validator, entries that wait for long, and rejected entries."""
    subject = "outbox"
    rows = {row["name"]: row for row in database.list_collections()}
    problems = [
        indexes.describe_validator(spec.name)
        for spec in COLLECTIONS
        if spec.name in rows and indexes.has_other_validator(spec, rows[spec.name])
    ]
    # Entries with ids of other types have no known age.
    late = {"_id": {"$not": {"$gte": ObjectId.from_datetime(now - LATE_ENTRY)}}}
    if waiting := database[OUTBOX].count_documents(late, limit=MAX_ENTRIES):
        detail = f"{_number_of(waiting)} waiting for over {LATE_ENTRY.seconds} s"
        problems.append(Finding(subject=subject, detail=detail, fix=FIX_WAITING))
    rejected = {"outboxId": {"$exists": True}, "resolvedAt": None}
    if failed := database[FAILURES].count_documents(rejected, limit=MAX_ENTRIES):
        detail = f"{_number_of(failed)} rejected, with unresolved failures"
        problems.append(Finding(subject=subject, detail=detail, fix=FIX_REJECTED))
    return problems or [Finding(subject=subject, detail="no entry waits or was rejected")]


def _number_of(count: int) -> str:
    entries = "entry is" if count == 1 else "entries are"
    return f"{count:,}{'+' if count == MAX_ENTRIES else ''} {entries}"


def _short(error: PyMongoError) -> str:
    """Return the driver's message without timeouts and topology description."""
    return str(error).partition(" (configured timeouts")[0].partition(",")[0]
