"""Checks what the user of OSTINATO_MONGO_URL may do; changes nothing."""

from typing import Any, Final

from pymongo import MongoClient

from ostinato.jobs.findings import Finding

Client = MongoClient[dict[str, Any]]

OF_THE_CLUSTER: Final = frozenset({"inprog", "killAnySession"})
OF_THE_DATABASE: Final = frozenset(
    {
        *("find", "insert", "update", "remove", "changeStream"),
        *("createCollection", "createIndex", "dropIndex", "listCollections", "listIndexes"),
    }
)
ANY: Final = "anyAction"


def inspect_privileges(client: Client, database: str) -> list[Finding]:
    """Check what the user may do in the database, and in the cluster."""
    return [inspect_rights(client, database), _of_the_cluster(client)]


def inspect_rights(client: Client, database: str) -> Finding:
    """Check whether the user may read, write and set up the database."""
    subject, grants = "rights", _grants(client)
    if grants is None:
        return Finding(subject=subject, detail="not asked for: access control is off")
    held = {
        action
        for grant in grants
        if grant["resource"].get("anyResource") or grant["resource"].get("db") in {"", database}
        for action in grant["actions"]
    }
    missing = frozenset() if ANY in held else OF_THE_DATABASE - held
    if not missing:
        return Finding(subject=subject, detail=f"the user may read and write {database!r}")
    named = ", ".join(sorted(missing))
    fix = f"grant the user the role readWrite on the database {database!r}"
    detail = f"the user of OSTINATO_MONGO_URL lacks rights in {database!r}: {named}"
    return Finding(subject=subject, detail=detail, fix=fix)


def _of_the_cluster(client: Client) -> Finding:
    subject, grants = "privileges", _grants(client)
    if grants is None:
        return Finding(subject=subject, detail="not asked for: access control is off")
    held = {action for grant in grants for action in grant["actions"]}
    missing = frozenset() if ANY in held else OF_THE_CLUSTER - held
    if not missing:
        return Finding(subject=subject, detail="inprog and killAnySession are granted")
    named = ", ".join(sorted(missing))
    fix = f"grant the user a role with {named} on the cluster (clusterMonitor has inprog)"
    return Finding(subject=subject, detail=f"missing: {named}", fix=fix)


def _grants(client: Client) -> list[dict[str, Any]] | None:
    """Read the user's privileges; None if access control is off."""
    status = client.admin.command({"connectionStatus": 1, "showPrivileges": True})
    known = status["authInfo"]["authenticatedUsers"]
    grants: list[dict[str, Any]] = status["authInfo"]["authenticatedUserPrivileges"]
    return grants if known else None
