"""Owns the questions whether a MongoDB server is fit for Ostinato: asked, never changed.

They are asked in a thread: PyMongo's asynchronous client leaves a socket open if it is closed
while it still connects to watch the server.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import IndexModel, MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout, InvalidURI, OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from ostinato.jobs.findings import Finding
from ostinato.jobs.mongo import indexes, multikey
from ostinato.jobs.mongo.collections import COLLECTIONS
from ostinato.jobs.mongo.privileges import inspect_privileges, inspect_rights
from ostinato.jobs.mongo.queue_inspection import inspect_queues
from ostinato.jobs.mongo.topology import topology

Client = MongoClient[dict[str, Any]]
AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)

ANSWER_WITHIN_MS = 3_000
LEASE_MS = 6_000  # unless the settings say otherwise
OLDEST = (6, 0)
MAX_TRANSACTION_S = 15  # a worker killed in a transaction keeps its locks for so long at worst
MAX_SKEW_S = 1.0
LEAST_HISTORY_H = 1.0  # what the embedded mongod keeps, too: a cursor resumes for this long
OF_THE_TOPOLOGY = {
    *("replicaset", "directconnection", "loadbalanced"),
    *("srvservicename", "srvmaxhosts"),
}

NO_URL = (
    "OSTINATO_MONGO_URL is not a URL of MongoDB: write mongodb://user:password@host:27017/"
    "?replicaSet=rs0, and encode the special characters of the password (`@` as %40, `/` as %2F)"
)
NAME_THE_SET = (
    "make `replicaSet` in OSTINATO_MONGO_URL the name that `rs.conf()` shows in mongosh, and its "
    "members' hosts names that resolve and ports that are open here"
)
LOG_IN = (
    "correct the user, the password or `authSource` in OSTINATO_MONGO_URL, and grant the user "
    "readWrite on the database"
)
REACH_IT = "start the server or correct OSTINATO_MONGO_URL"


async def refusal(mongo_url: str, database: str) -> str | None:
    """Return why Ostinato cannot start on this server and what to do; None if it can."""
    return await asyncio.to_thread(_refusal, mongo_url, database)


async def inspect_mongo(mongo_url: str, database: str, lease_ms: int = LEASE_MS) -> list[Finding]:
    """Look at everything that Ostinato needs of the server, and in a database at the indexes, and
    whether workers, heard of within their lease, take what is due."""
    return await asyncio.to_thread(_inspect, mongo_url, database, lease_ms)


def _refusal(mongo_url: str, database: str) -> str | None:
    try:
        with _direct(mongo_url) as client:
            found = [topology(client.admin.command("hello")), inspect_rights(client, database)]
        if found[0].ok:
            found.append(_reachable(mongo_url))
    except ValueError as error:
        return str(error)
    except PyMongoError as error:
        found = [_unanswered(error)]
    return next((f"{one.detail}: {one.fix}" for one in found if not one.ok), None)


def _inspect(mongo_url: str, database: str, lease_ms: int) -> list[Finding]:
    try:
        with _direct(mongo_url) as client:
            hello = client.admin.command("hello", codec_options=AWARE)
            now = datetime.now(UTC)
            return [
                Finding(subject="MongoDB", detail="answers"),
                topology(hello),
                _reachable(mongo_url),
                _version((client.admin.command("buildInfo"))["versionArray"]),
                _transaction_limit(client),
                _history(client),
                *inspect_privileges(client, database),
                _skew(abs((hello["localTime"] - now).total_seconds())),
                *_indexes(client[database]),
                *inspect_queues(client[database], lease_ms),
            ]
    except ValueError as error:
        return [Finding(subject="MongoDB", detail="cannot be connected to", fix=str(error))]
    except PyMongoError as error:
        return [_unanswered(error)]


def _unanswered(error: PyMongoError) -> Finding:
    if isinstance(error, OperationFailure):
        detail, fix = f"MongoDB refuses us ({_short(error)})", LOG_IN
    else:
        detail, fix = f"MongoDB does not answer ({_short(error)})", REACH_IT
    return Finding(subject="MongoDB", detail=detail, fix=fix)


def _direct(mongo_url: str) -> Client:
    return MongoClient(direct_url(mongo_url), serverSelectionTimeoutMS=ANSWER_WITHIN_MS)


def direct_url(mongo_url: str) -> str:
    """Build the URL of the first host alone, with all options of `mongo_url` but the topology's.

    A URL that asks for a set never finds a lone server, whose flaws are to be named, too. Raises
    ValueError, with what to do, if `mongo_url` is not one of MongoDB.
    """
    try:
        parse_uri(mongo_url, validate=True, warn=False)
    except (InvalidURI, ValueError):  # its text may hold a part of the password
        raise ValueError(NO_URL) from None
    scheme, _, rest = mongo_url.partition("://")
    where, _, query = rest.partition("?")
    authority, _, database = where.partition("/")
    if "@" in database:  # the password holds `/`, and a part of it would pass for the host
        raise ValueError(NO_URL)
    login, at, hosts = authority.rpartition("@")
    given = {one.partition("=")[0].lower(): one for one in query.split("&") if one}
    if scheme == "mongodb+srv":
        hosts = _resolve(mongo_url, given)
    options = [one for name, one in given.items() if name not in OF_THE_TOPOLOGY]
    options.append("directConnection=true")
    return f"mongodb://{login}{at}{hosts.split(',')[0]}/{database}?{'&'.join(options)}"


def _resolve(mongo_url: str, given: dict[str, str]) -> str:
    """Look a service up; returns its first host, and adds the options that it brings."""
    parts = parse_uri(mongo_url, validate=True, warn=False)
    brought = {"tls": "true", "authsource": parts["options"].get("authSource")}
    for name, value in brought.items():
        if value is not None and name not in given:
            given[name] = f"{name}={value}"
    host, port = parts["nodelist"][0]
    return f"{host}:{port}"


def _reachable(mongo_url: str) -> Finding:
    """Connect as the processes do: to whom the set names as its members."""
    subject = "members of the set"
    try:
        with MongoClient[dict[str, Any]](
            mongo_url, serverSelectionTimeoutMS=ANSWER_WITHIN_MS
        ) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        return Finding(subject=subject, detail=f"do not answer ({_short(error)})", fix=NAME_THE_SET)
    return Finding(subject=subject, detail="answer by the names that they have in it")


def _version(version: list[int]) -> Finding:
    text = ".".join(map(str, version[:3]))
    fix = None if tuple(version[:2]) >= OLDEST else "upgrade to MongoDB 6.0 or later"
    return Finding(subject="MongoDB version", detail=text, fix=fix)


def _transaction_limit(client: Client) -> Finding:
    name = "transactionLifetimeLimitSeconds"
    subject = "transaction limit"
    try:
        limit = (client.admin.command({"getParameter": 1, name: 1}))[name]
    except OperationFailure as error:
        return Finding(
            subject=subject, detail=f"unknown ({_short(error)})", fix="grant getParameter"
        )
    fix = None if limit <= MAX_TRANSACTION_S else f"start mongod with --setParameter {name}=5"
    return Finding(subject=subject, detail=f"{limit} s", fix=fix)


def _history(client: Client) -> Finding:
    """Look at how long a subscription's cursor is good for: as long as the oplog reaches back."""
    subject = "history"
    try:
        status = client.admin.command({"serverStatus": 1, "oplog": 1})
    except OperationFailure as error:
        return Finding(subject=subject, detail=f"hidden by the server ({_short(error)})")
    if "oplog" not in status or "oplogTruncation" not in status:
        return Finding(subject=subject, detail="not told by this server; ask each member of a set")
    ends = status["oplog"]["latestOptime"], status["oplog"]["earliestOptime"]
    reached_h = (ends[0].time - ends[1].time) / 3600
    kept_h = float(status["oplogTruncation"].get("oplogMinRetentionHours", 0))
    detail = f"kept for {kept_h:g} h at least; {reached_h:.1f} h by now"
    fix = (
        f"say `db.adminCommand({{replSetResizeOplog: 1, minRetentionHours: {LEAST_HISTORY_H:g}}})` "
        "in mongosh to each member, and set storage.oplogMinRetentionHours in its file"
    )
    return Finding(subject=subject, detail=detail, fix=None if kept_h >= LEAST_HISTORY_H else fix)


def _skew(seconds: float) -> Finding:
    fix = (
        None if seconds <= MAX_SKEW_S else "synchronize both clocks (NTP); due time is the server's"
    )
    return Finding(subject="clock skew", detail=f"{seconds * 1000:.0f} ms", fix=fix)


def _indexes(base: Database[dict[str, Any]]) -> list[Finding]:
    """Look for indexes that are missing, differ from what queries count on, or are multikey."""
    subject, existing = "indexes", set(base.list_collection_names())
    if not existing:
        return [Finding(subject=subject, detail="none yet: the first start builds them")]
    wrong = [
        _why_missing(base[spec.name], index)
        for spec in COLLECTIONS
        if spec.indexes
        for index in indexes.missing(spec.indexes, base[spec.name].index_information())
    ]
    wrong += [
        finding
        for spec in COLLECTIONS
        for index in filter(multikey.can_be_rebuilt, spec.indexes)
        if (finding := _why_multikey(base, spec.name, index)) is not None
    ]
    return wrong or [Finding(subject=subject, detail="all are there")]


def _why_multikey(
    base: Database[dict[str, Any]], collection: str, index: IndexModel
) -> Finding | None:
    try:
        paths = multikey.array_paths(base.command(multikey.explain(collection, index)))
    except OperationFailure as error:
        if error.code != indexes.BAD_HINT:
            raise
        return None  # it is missing, which was said
    if not paths:
        return None
    where, options = multikey.with_arrays(index, paths), multikey.search_options(index)
    try:
        ids = [row["_id"] for row in base[collection].find(where, {"_id": 1}, **options)]
    except ExecutionTimeout:
        return multikey.describe(collection, index, paths, None)
    return multikey.describe(collection, index, paths, ids)


def _why_missing(collection: Collection[dict[str, Any]], index: IndexModel) -> Finding:
    pipeline = indexes.duplicates_pipeline(index) if indexes.is_unique(index) else None
    try:
        found = list(collection.aggregate(pipeline, maxTimeMS=indexes.LOOK_MS)) if pipeline else []
    except ExecutionTimeout:  # so many documents that whether two are alike is for the build to say
        found = []
    return indexes.describe(collection.name, index, collection.index_information(), found)


def _short(error: PyMongoError) -> str:
    """Leave out the driver's own timeouts, and how it sees the rest of the set."""
    return str(error).partition(" (configured timeouts")[0].partition(",")[0]
