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
from pymongo.errors import ExecutionTimeout, OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from jobs.findings import Finding
from jobs.mongo import indexes
from jobs.mongo.collections import COLLECTIONS

Client = MongoClient[dict[str, Any]]
AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)

ANSWER_WITHIN_MS = 3_000
OLDEST = (6, 0)
MAX_TRANSACTION_S = 15  # a worker killed in a transaction keeps its locks for so long at worst
MAX_SKEW_S = 1.0
LEAST_HISTORY_H = 1.0  # what the embedded mongod keeps, too: a cursor resumes for this long
PRIVILEGES = {"inprog", "killAnySession"}
OF_THE_TOPOLOGY = {"replicaset", "directconnection", "loadbalanced"}

MAKE_A_SET = (
    "start mongod with `--replSet rs0`, run `rs.initiate()` once in mongosh, and add "
    "`?replicaSet=rs0` to OSTINATO_MONGO_URL"
)
REACH_IT = "start the server or correct OSTINATO_MONGO_URL"


async def refusal(mongo_url: str) -> str | None:
    """Return why Ostinato cannot start on this server and what to do; None if it can."""
    return await asyncio.to_thread(_refusal, mongo_url)


async def inspect_mongo(mongo_url: str, database: str) -> list[Finding]:
    """Look at everything that Ostinato needs of the server, and at the indexes of a database."""
    return await asyncio.to_thread(_inspect, mongo_url, database)


def _refusal(mongo_url: str) -> str | None:
    try:
        with _direct(mongo_url) as client:
            found = _replica_set(client.admin.command("hello"))
    except PyMongoError as error:
        return f"MongoDB does not answer ({_short(error)}): {REACH_IT}"
    return None if found.ok else f"{found.detail}: {found.fix}"


def _inspect(mongo_url: str, database: str) -> list[Finding]:
    try:
        with _direct(mongo_url) as client:
            hello = client.admin.command("hello", codec_options=AWARE)
            now = datetime.now(UTC)
            return [
                Finding(subject="MongoDB", detail="answers"),
                _replica_set(hello),
                _version((client.admin.command("buildInfo"))["versionArray"]),
                _transaction_limit(client),
                _history(client),
                _privileges(client),
                _skew(abs((hello["localTime"] - now).total_seconds())),
                *_indexes(client[database]),
            ]
    except PyMongoError as error:
        return [
            Finding(subject="MongoDB", detail=f"does not answer ({_short(error)})", fix=REACH_IT)
        ]


def _direct(mongo_url: str) -> Client:
    """Connect to the first host alone: a URL that asks for a set never finds a lone server."""
    parts = parse_uri(mongo_url, validate=True, warn=False)
    host, port = parts["nodelist"][0]
    options = {k: v for k, v in parts["options"].items() if k.lower() not in OF_THE_TOPOLOGY}
    if parts["username"]:
        options |= {"username": parts["username"], "password": parts["password"]}
        options.setdefault("authSource", parts["database"] or "admin")
    options["serverSelectionTimeoutMS"] = ANSWER_WITHIN_MS
    return MongoClient(host, port, directConnection=True, **options)


def _replica_set(hello: dict[str, Any]) -> Finding:
    subject = "replica set"
    if hello.get("msg") == "isdbgrid":
        return Finding(subject=subject, detail="a sharded cluster")
    if name := hello.get("setName"):
        return Finding(subject=subject, detail=f"member of {name}")
    detail = "The MongoDB server is not a member of a replica set"
    return Finding(subject=subject, detail=detail, fix=MAKE_A_SET)


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


def _privileges(client: Client) -> Finding:
    subject = "privileges"
    status = client.admin.command({"connectionStatus": 1, "showPrivileges": True})
    auth = status["authInfo"]
    if not auth["authenticatedUsers"]:
        return Finding(subject=subject, detail="not asked for: access control is off")
    held = {action for grant in auth["authenticatedUserPrivileges"] for action in grant["actions"]}
    missing = set() if "anyAction" in held else PRIVILEGES - held
    if not missing:
        return Finding(subject=subject, detail="inprog and killAnySession are granted")
    named = ", ".join(sorted(missing))
    fix = f"grant the user a role with {named} on the cluster (clusterMonitor has inprog)"
    return Finding(subject=subject, detail=f"missing: {named}", fix=fix)


def _skew(seconds: float) -> Finding:
    fix = (
        None if seconds <= MAX_SKEW_S else "synchronize both clocks (NTP); due time is the server's"
    )
    return Finding(subject="clock skew", detail=f"{seconds * 1000:.0f} ms", fix=fix)


def _indexes(base: Database[dict[str, Any]]) -> list[Finding]:
    """Look for indexes that are missing, or other than those that queries count on."""
    subject, existing = "indexes", set(base.list_collection_names())
    if not existing:
        return [Finding(subject=subject, detail="none yet: the first start builds them")]
    wrong = [
        _why_missing(base[spec.name], index)
        for spec in COLLECTIONS
        if spec.indexes
        for index in indexes.missing(spec.indexes, base[spec.name].index_information())
    ]
    return wrong or [Finding(subject=subject, detail="all are there")]


def _why_missing(collection: Collection[dict[str, Any]], index: IndexModel) -> Finding:
    pipeline = indexes.duplicates_of(index) if indexes.is_unique(index) else None
    try:
        found = list(collection.aggregate(pipeline, maxTimeMS=indexes.LOOK_MS)) if pipeline else []
    except ExecutionTimeout:  # so many documents that whether two are alike is for the build to say
        found = []
    return indexes.describe(collection.name, index, collection.index_information(), found)


def _short(error: PyMongoError) -> str:
    """Leave out the driver's own timeouts, and how it sees the rest of the set."""
    return str(error).partition(" (configured timeouts")[0].partition(",")[0]
