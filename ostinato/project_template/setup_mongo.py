"""Prepares MongoDB for compose.yaml, and changes nothing if it is prepared.

It initiates the replica set and creates the user of the API and the workers, who may read and write
one database and end the transactions of lost workers.
"""

import os
import time
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

ADDRESS = os.environ["MONGO_ADDRESS"]
USER = "ostinato"
DATABASE = "ostinato"
CLUSTER_ACTIONS = ["inprog", "killAnySession", "getParameter", "serverStatus"]


def initiate_replica_set(admin: Database[dict[str, Any]]) -> None:
    """Make the server a replica set of one member, and wait until it accepts writes."""
    if "setName" not in admin.command("hello"):
        members = [{"_id": 0, "host": ADDRESS}]
        admin.command("replSetInitiate", {"_id": "rs0", "members": members})
    while not admin.command("hello")["isWritablePrimary"]:
        time.sleep(0.1)


def write_user(admin: Database[dict[str, Any]], password: str) -> None:
    """Create the user, or set the password if it exists."""
    if admin.command("usersInfo", USER)["users"]:
        admin.command("updateUser", USER, pwd=password)
        return
    if not admin.command("rolesInfo", USER)["roles"]:
        privileges = [{"resource": {"cluster": True}, "actions": CLUSTER_ACTIONS}]
        admin.command("createRole", USER, privileges=privileges, roles=[])
    roles = [{"role": "readWrite", "db": DATABASE}, {"role": USER, "db": "admin"}]
    admin.command("createUser", USER, pwd=password, roles=roles)


def main() -> None:
    """Connect as root, and prepare the server."""
    with MongoClient[dict[str, Any]](
        ADDRESS,
        username="root",
        password=os.environ["MONGO_ROOT_PASSWORD"],
        directConnection=True,
    ) as client:
        initiate_replica_set(client.admin)
        write_user(client.admin, os.environ["MONGO_PASSWORD"])


if __name__ == "__main__":
    main()
