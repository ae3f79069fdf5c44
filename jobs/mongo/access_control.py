"""Checks of a MongoDB server's access control and of the user's privileges."""

from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ostinato.jobs.findings import Finding

Client = MongoClient[dict[str, Any]]

CLUSTER_PRIVILEGES: Final = frozenset({"inprog", "killAnySession"})
DATABASE_PRIVILEGES: Final = frozenset(
    {
        *("find", "insert", "update", "remove", "changeStream"),
        *("createCollection", "createIndex", "dropIndex", "listCollections", "listIndexes"),
    }
)
ANY_ACTION: Final = "anyAction"
FIX_OPEN: Final = (
    "create a user (role readWrite on the database; inprog and killAnySession on the cluster), "
    "start mongod with access control and put the user into OSTINATO_MONGO_URL"
)
CREDENTIAL_OPTIONS: Final = {"authmechanism", "authmechanismproperties", "authsource"}


def check_rights(client: Client, database: str) -> Finding:
    """Check whether the user can read, write and set up the database."""
    subject, grants = "rights", _grants(client)
    if grants is None:
        return Finding(subject=subject, detail="not needed: access control is off")
    held = {
        action
        for grant in grants
        if grant["resource"].get("anyResource") or grant["resource"].get("db") in {"", database}
        for action in grant["actions"]
    }
    missing = frozenset() if ANY_ACTION in held else DATABASE_PRIVILEGES - held
    if not missing:
        return Finding(subject=subject, detail=f"the user may read and write {database!r}")
    named = ", ".join(sorted(missing))
    fix = f"grant the user the role readWrite on the database {database!r}"
    detail = f"the user of OSTINATO_MONGO_URL lacks privileges in {database!r}: {named}"
    return Finding(subject=subject, detail=detail, fix=fix)


def check_cluster_privileges(client: Client) -> Finding:
    """Check whether the user can end the transactions of lost workers."""
    subject, grants = "privileges", _grants(client)
    if grants is None:
        return Finding(subject=subject, detail="not needed: access control is off", advised=True)
    held = {action for grant in grants for action in grant["actions"]}
    missing = frozenset() if ANY_ACTION in held else CLUSTER_PRIVILEGES - held
    if not missing:
        return Finding(
            subject=subject, detail="inprog and killAnySession are granted", advised=True
        )
    named = ", ".join(sorted(missing))
    fix = f"grant the user a role with {named} on the cluster (clusterMonitor has inprog)"
    return Finding(subject=subject, detail=f"missing: {named}", fix=fix, advised=True)


def _grants(client: Client) -> list[dict[str, Any]] | None:
    """Return the user's privileges; None if access control is off."""
    status = client.admin.command({"connectionStatus": 1, "showPrivileges": True})
    known = status["authInfo"]["authenticatedUsers"]
    grants: list[dict[str, Any]] = status["authInfo"]["authenticatedUserPrivileges"]
    return grants if known else None


def check_access_control(direct_url: str, timeout_ms: int) -> Finding:
    """Check that a server to which the user can connect rejects clients without credentials."""
    subject, detail = "MongoDB access control", "clients without credentials are rejected"
    try:
        with Client(anonymous_url(direct_url), serverSelectionTimeoutMS=timeout_ms) as client:
            client.admin.command("listDatabases", nameOnly=True)
    except PyMongoError:
        return Finding(subject=subject, detail=detail, advised=True)
    detail = "off: whoever can connect can run functions as any user"
    return Finding(subject=subject, detail=detail, fix=FIX_OPEN, advised=True)


def anonymous_url(direct_url: str) -> str:
    """Return the URL without credentials."""
    where, _, query = direct_url.removeprefix("mongodb://").partition("?")
    options = [
        one for one in query.split("&") if one.partition("=")[0].lower() not in CREDENTIAL_OPTIONS
    ]
    return f"mongodb://{where.rpartition('@')[2]}?{'&'.join(options)}"
