"""Creates the collections and indexes that are missing."""

from contextlib import suppress
from typing import Final

from pymongo import IndexModel
from pymongo.errors import CollectionInvalid, ExecutionTimeout, OperationFailure

from ostinato.jobs.findings import Finding
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo import indexes
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import COLLECTIONS, CollectionSpec

NAMESPACE_EXISTS: Final = 48
INDEX_NOT_FOUND: Final = 27

log = get_log(__name__)


async def ensure_collections(mongo: Mongo) -> None:
    """Create what is missing; safe to run from many processes at once.

    Collections are made up front because a transaction cannot make one that a rival makes too.
    An index that cannot be built is logged with what to do: the processes that run lack it, too.
    """
    existing = set(await mongo.database.list_collection_names())
    for spec in COLLECTIONS:
        if spec.name not in existing:
            await _create(mongo, spec)
        if spec.indexes:
            await _create_indexes(mongo, spec)


async def build_missing_indexes(mongo: Mongo) -> int:
    """Build the indexes that are gone, and return how many; log those that cannot be built.

    One that differs is left to the start of a process: during an upgrade it may be of the other
    version.
    """
    restored = 0
    for spec in COLLECTIONS:
        existing = await mongo[spec.name].index_information()
        gone = [one for one in spec.indexes if indexes.name_of(one) not in existing]
        for index in gone:
            restored += await _build(mongo, spec.name, index)
    return restored


async def rebuild(mongo: Mongo, collection: str, index: IndexModel) -> bool:
    """Drop an index and build it as we define it; False if something is in the way.

    Meanwhile reads do without it: they are slower, and right.
    """
    await _drop(mongo, collection, index)
    return await _build(mongo, collection, index)


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
        if error.code not in indexes.CANNOT_BE_BUILT:
            raise
        existing = await mongo[spec.name].index_information()
        for index in indexes.missing(spec.indexes, existing):
            await rebuild(mongo, spec.name, index)  # another version may have had other keys


async def _drop(mongo: Mongo, collection: str, index: IndexModel) -> None:
    try:
        await mongo[collection].drop_index(indexes.name_of(index))
    except OperationFailure as error:
        if error.code != INDEX_NOT_FOUND:
            raise


async def _build(mongo: Mongo, collection: str, index: IndexModel) -> bool:
    """Build one index; False if documents or another index are in the way, which is logged."""
    try:
        await mongo[collection].create_indexes([index])
    except OperationFailure as error:
        if error.code not in indexes.CANNOT_BE_BUILT:
            raise
        found = await _why_not(mongo, collection, index)
        log.error("index.unbuilt", index=found.subject, found=found.detail, fix=found.fix)
        return False
    log.warning("index.built", collection=collection, index=indexes.name_of(index))
    return True


async def _why_not(mongo: Mongo, collection: str, index: IndexModel) -> Finding:
    existing = await mongo[collection].index_information()
    duplicates: list[Document] = []
    if indexes.is_unique(index):
        pipeline = indexes.duplicates_pipeline(index)
        found = mongo[collection].aggregate(pipeline, maxTimeMS=indexes.LOOK_MS)
        with suppress(ExecutionTimeout):  # so many documents that they are for somebody to look for
            duplicates = await found.to_list(None)
    return indexes.describe(collection, index, existing, duplicates)
