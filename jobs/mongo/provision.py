"""Creates the collections and indexes that are missing."""

from typing import Final

from pymongo import IndexModel
from pymongo.errors import CollectionInvalid, OperationFailure

from jobs.mongo.client import Mongo
from jobs.mongo.collections import COLLECTIONS, CollectionSpec

NAMESPACE_EXISTS: Final = 48
INDEX_DIFFERS: Final = frozenset({85, 86})
INDEX_NOT_FOUND: Final = 27


async def ensure_collections(mongo: Mongo) -> None:
    """Create what is missing; safe to run from many processes at once.

    Collections are made up front because a transaction cannot make one that a rival makes too.
    """
    existing = set(await mongo.database.list_collection_names())
    for spec in COLLECTIONS:
        if spec.name not in existing:
            await _create(mongo, spec)
        if spec.indexes:
            await _create_indexes(mongo, spec)


async def _create(mongo: Mongo, spec: CollectionSpec) -> None:
    try:
        await mongo.database.create_collection(spec.name)
    except CollectionInvalid:
        return
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise


async def _create_indexes(mongo: Mongo, spec: CollectionSpec) -> None:
    try:
        await mongo[spec.name].create_indexes(list(spec.indexes))
    except OperationFailure as error:
        if error.code not in INDEX_DIFFERS:
            raise
        for index in spec.indexes:
            await _replace_index(mongo, spec.name, index)


async def _replace_index(mongo: Mongo, collection: str, index: IndexModel) -> None:
    """Create an index of which another version may have had other keys."""
    try:
        await mongo[collection].create_indexes([index])
    except OperationFailure as error:
        if error.code not in INDEX_DIFFERS:
            raise
        try:
            await mongo[collection].drop_index(index.document["name"])
        except OperationFailure as gone:
            if gone.code != INDEX_NOT_FOUND:
                raise
        await mongo[collection].create_indexes([index])
