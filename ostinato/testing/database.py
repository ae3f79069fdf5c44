"""Empties the databases of tests; their collections and indexes remain, for speed."""

import re
from collections.abc import Collection
from typing import Any, Final

from ostinato.jobs.mongo.client import Database, Mongo

COLLECTIONS_ONLY: Final = {"type": "collection"}
TEST_NAME: Final = re.compile(r"(?<![a-z])tests?(?![a-z])", re.IGNORECASE)
"""Not `latest` or `contest`."""


async def empty(mongo: Mongo) -> None:
    """Delete all documents of Ostinato's and the application's database.

    Raises ValueError unless `test` is a word in both names, such as `shop_test`.
    """
    databases = {each.name: each for each in (mongo.database, mongo.app_database)}
    for name in databases:
        if not TEST_NAME.search(name):
            message = "this database would be emptied: use one with the word 'test' in its name"
            raise ValueError(f"{name!r}: {message}, such as 'shop_test'")
    for database in databases.values():
        await _empty_one(database)


async def _empty_one(database: Database) -> None:
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
