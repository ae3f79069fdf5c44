"""Empties a database of tests; its collections and indexes remain, for speed."""

from collections.abc import Collection
from typing import Any, Final

from ostinato.jobs.mongo.client import Mongo

COLLECTIONS_ONLY: Final = {"type": "collection"}


async def empty(mongo: Mongo) -> None:
    """Delete all documents of a database; raises ValueError unless its name contains `test`."""
    database = mongo.database
    if "test" not in database.name:
        message = "this database would be emptied: use one whose name contains 'test'"
        raise ValueError(f"{database.name!r}: {message}")
    names = await database.list_collection_names(filter=COLLECTIONS_ONLY)
    found = database.aggregate(nonempty_collections(names))
    for row in await found.to_list(None):
        await database[row["_id"]].delete_many({})


def nonempty_collections(names: Collection[str]) -> list[dict[str, Any]]:
    """Build the pipeline that returns the names of collections with documents as `_id`: one query
    is cheaper than a deletion in every collection."""
    first = {name: [{"$limit": 1}, {"$project": {"_id": name}}] for name in names}
    unions = [{"$unionWith": {"coll": name, "pipeline": first[name]}} for name in names]
    return [{"$documents": []}, *unions]
