"""Aborts the transactions of dead workers to release their locks.

The documents written in such a transaction stay locked until the server's
`transactionLifetimeLimitSeconds` (60 s by default); killing the sessions releases them immediately.
Requires the privileges `inprog` and `killAnySession`.
"""

from typing import Any

from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Mongo

log = get_log(__name__)


def worker_app_name(worker_id: str) -> str:
    """Return the app name of a worker's connections, which identifies them in `$currentOp`."""
    return f"ostinato-{worker_id}"


async def kill_transactions(mongo: Mongo, worker_id: str) -> int:
    """Abort all open transactions of a worker; returns their number."""
    try:
        sessions = await _open_transactions(mongo, worker_id)
        if sessions:
            await mongo.client.admin.command({"killAllSessionsByPattern": sessions})
        return len(sessions)
    except OperationFailure as error:
        # Without the privileges, the locks remain until the server's time limit.
        log.warning("transactions.not_killed", worker_id=worker_id, error=str(error))
        return 0


async def _open_transactions(mongo: Mongo, worker_id: str) -> list[dict[str, Any]]:
    admin = mongo.client.get_database("admin", read_concern=ReadConcern("local"))
    cursor = admin.aggregate(
        [
            {"$currentOp": {"allUsers": True, "idleSessions": True}},
            {"$match": {"appName": worker_app_name(worker_id), "transaction": {"$exists": True}}},
            {"$project": {"lsid": 1}},
        ]
    )
    return [{"lsid": found["lsid"]} for found in await cursor.to_list(None)]
