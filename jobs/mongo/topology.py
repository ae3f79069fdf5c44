"""Judges by what a server says of itself whether it has what Ostinato is built on. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from ostinato.jobs.findings import Finding

NO_SHARDS: Final = (
    "set OSTINATO_MONGO_URL to a replica set of its own that is no shard of a cluster; three small "
    "members are enough"
)
MAKE_A_SET: Final = (
    "start mongod with `--replSet rs0`, run `rs.initiate()` once in mongosh, and add "
    "`?replicaSet=rs0` to OSTINATO_MONGO_URL"
)


def topology(hello: Mapping[str, Any]) -> Finding:
    """Judge by its `hello` whether a server has the transactions and change streams we need."""
    subject = "replica set"
    if hello.get("msg") == "isdbgrid":
        detail = "The MongoDB server is a mongos of a sharded cluster, which is not supported"
        return Finding(subject=subject, detail=detail, fix=NO_SHARDS)
    if name := hello.get("setName"):
        return Finding(subject=subject, detail=f"member of {name}")
    detail = "The MongoDB server is not a member of a replica set"
    return Finding(subject=subject, detail=detail, fix=MAKE_A_SET)
