"""Says what a change stream is asked for: which changes, and no more of each than is read here."""

from collections.abc import Mapping
from typing import Any, Final

from ostinato.jobs.changes import Watched

# Decoding reads none of these.
UNTOLD: Final = ("state", "attempt", "lease", "lane", "startedAt", "completedAt", "purgeAt")

PIPELINE: Final[list[dict[str, Any]]] = [
    {
        "$match": {
            "$or": [
                {
                    "ns.coll": {"$in": [str(name) for name in Watched]},
                    "operationType": {"$in": ["insert", "update", "replace", "drop", "rename"]},
                },
                # jobs leave by their TTL, which is announced in purgeAt and sends no change
                {
                    "ns.coll": {"$in": [str(n) for n in Watched if n is not Watched.JOBS]},
                    "operationType": "delete",
                },
                {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
            ]
        }
    },
    {
        "$unset": [
            f"{place}.{field}"
            for place in (
                "fullDocument",
                "updateDescription.updatedFields",
            )
            for field in ("args", "result", "data", "error")
        ]
        + [f"updateDescription.updatedFields.{field}" for field in UNTOLD]
        + ["wallTime", "clusterTime", "lsid", "txnNumber", "collectionUUID", "ns.db"]
        + ["updateDescription.removedFields", "updateDescription.truncatedArrays"]
    },
]


def opening(start: Mapping[str, Any], events: int) -> dict[str, Any]:
    """Build the command that opens a stream of what is watched, with at most so many at first."""
    return {
        "aggregate": 1,
        "pipeline": [{"$changeStream": start}, *PIPELINE],
        "cursor": {"batchSize": events},
    }
