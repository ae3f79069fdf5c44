"""Index management: creates collections and missing indexes, compares existing indexes with their
specifications, and describes each problem with its fix."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from pymongo import IndexModel
from pymongo.errors import CollectionInvalid, ExecutionTimeout, OperationFailure

from ostinato.jobs.findings import Finding
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collection_specs import CollectionSpec
from ostinato.jobs.mongo.collections import COLLECTIONS

T = TypeVar("T")
Existing = Mapping[str, Mapping[str, Any]]
"""The result of `index_information`."""

BAD_HINT: Final = 2  # the server's error for a hint on an index that does not exist
NAMESPACE_EXISTS: Final = 48
UNAUTHORIZED: Final = 13
INDEX_NOT_FOUND: Final = 27
BUILD_CONFLICT_CODES: Final = frozenset({85, 86, 11000})
"""Another index has the same keys or name, or existing documents contain duplicates."""
PARTIAL: Final = "partialFilterExpression"
OPTIONS: Final = ("unique", "sparse", "expireAfterSeconds", PARTIAL)
DUPLICATE_SEARCH_MS: Final = 5_000  # the search reads every document that the index would contain
MAX_DUPLICATES_SHOWN: Final = 3
MAX_IDS_SHOWN: Final = 5
AUTOMATIC_BUILD: Final = "the leader builds it within a minute, as does any process on startup"

log = get_log(__name__)


async def read_with_hint(index: str, read: Callable[..., Awaitable[T]]) -> T:
    """Read with an index hint; if the index is missing, fall back to a slower read without it."""
    try:
        return await read(hint=index)
    except OperationFailure as error:
        if error.code != BAD_HINT or "hint" not in str(error):
            raise
        return await read()


async def ensure_collections(mongo: Mongo) -> None:
    """Create missing collections, indexes and validators; safe to run in many processes at once.

    Collections are created beforehand: transactions that create the same collection conflict. An
    index that cannot be built, or a validator that cannot be set, is logged with its fix.
    """
    existing = {found["name"]: found async for found in await mongo.database.list_collections()}
    for spec in COLLECTIONS:
        if spec.name not in existing:
            await _create_collection(mongo, spec)
        elif has_other_validator(spec, existing[spec.name]):
            await _set_validator(mongo, spec)
        if spec.indexes:
            await _create_indexes(mongo, spec)


async def build_missing_indexes(mongo: Mongo) -> int:
    """Build missing indexes and return their number; log those that cannot be built.

    Indexes that differ are rebuilt only at startup: during an upgrade, they may belong to the
    other version.
    """
    built = 0
    for spec in COLLECTIONS:
        existing = await mongo[spec.name].index_information()
        for index in (one for one in spec.indexes if index_name(one) not in existing):
            built += await _build_index(mongo, spec.name, index)
    return built


async def rebuild_index(mongo: Mongo, collection: str, index: IndexModel) -> bool:
    """Drop an index and build it as specified; returns False if the build failed.

    During the build, its reads are slower.
    """
    await _drop_index(mongo, collection, index)
    return await _build_index(mongo, collection, index)


def has_other_validator(spec: CollectionSpec, existing: Mapping[str, Any]) -> bool:
    """Return whether a collection lacks its validator; `existing` is a row of `listCollections`."""
    return spec.validator is not None and existing["options"].get("validator") != spec.validator


def describe_validator(collection: str) -> Finding:
    """Describe that a collection lacks its validator, and the fix."""
    fix = (
        "restart one Ostinato process, which sets it; if the log says `validator.not_set`, grant "
        "the user `collMod` on the collection (the role dbAdmin has it) before"
    )
    detail = "MongoDB does not check what applications write: the validator is missing or outdated"
    return Finding(subject=f"validator {collection}", detail=detail, fix=fix)


def index_name(index: IndexModel) -> str:
    return str(index.document["name"])


def is_unique(index: IndexModel) -> bool:
    return bool(index.document.get("unique"))


def find_missing(indexes: Iterable[IndexModel], existing: Existing) -> list[IndexModel]:
    """Return the indexes that do not exist, or exist with other keys or options."""
    return [index for index in indexes if not _exists(index, existing)]


def duplicates_pipeline(index: IndexModel) -> list[Document]:
    """Build the pipeline that finds the duplicates that prevent a unique index."""
    together = {f"f{n}": f"${field}" for n, field in enumerate(index.document["key"])}
    ids = {"$firstN": {"input": "$_id", "n": MAX_IDS_SHOWN}}
    return [
        {"$match": index.document.get(PARTIAL, {})},
        {"$group": {"_id": together, "ids": ids, "count": {"$sum": 1}}},
        {"$match": {"count": {"$gt": 1}}},
        {"$limit": MAX_DUPLICATES_SHOWN},
    ]


def describe_missing(
    collection: str, index: IndexModel, existing: Existing, duplicates: Sequence[Document] = ()
) -> Finding:
    """Describe why an index is missing or differs, and the fix."""
    name = index_name(index)
    subject = f"index {collection}.{name}"
    if duplicates:
        field = list(index.document["key"])[-1]
        found = "; ".join(_describe_duplicates(index, one) for one in duplicates)
        fix = (
            f"change or unset `{field}` in all but one of them, or delete them; "
            f"then {AUTOMATIC_BUILD}"
        )
        return Finding(subject=subject, detail=f"cannot be unique: {found}", fix=fix)
    if name in existing:
        fix = f"restart one Ostinato process, which rebuilds the index ({_describe_keys(index)})"
        return Finding(subject=subject, detail="has other keys or options", fix=fix)
    if (other := _name_of_equal(index, existing)) is not None:
        fix = f'run `db.{collection}.dropIndex("{other}")` in mongosh; then {AUTOMATIC_BUILD}'
        return Finding(subject=subject, detail=f"exists under the name {other!r}", fix=fix)
    detail = f"is missing ({_describe_keys(index)})"
    return Finding(subject=subject, detail=detail, fix=AUTOMATIC_BUILD)


async def _create_collection(mongo: Mongo, spec: CollectionSpec) -> None:
    options: dict[str, Any] = {} if spec.validator is None else {"validator": spec.validator}
    try:
        await mongo.database.create_collection(spec.name, **options)
    except CollectionInvalid:
        return
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise


async def _set_validator(mongo: Mongo, spec: CollectionSpec) -> None:
    """Replace the validator of a collection that another version or an application created."""
    try:
        await mongo.database.command({"collMod": spec.name, "validator": spec.validator})
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        log.error("validator.not_set", collection=spec.name, fix=describe_validator(spec.name).fix)


async def _create_indexes(mongo: Mongo, spec: CollectionSpec) -> None:
    try:
        await mongo[spec.name].create_indexes(list(spec.indexes))
    except OperationFailure as error:
        if error.code not in BUILD_CONFLICT_CODES:
            raise
        existing = await mongo[spec.name].index_information()
        for index in find_missing(spec.indexes, existing):
            await rebuild_index(mongo, spec.name, index)  # another version may have had other keys


async def _drop_index(mongo: Mongo, collection: str, index: IndexModel) -> None:
    try:
        await mongo[collection].drop_index(index_name(index))
    except OperationFailure as error:
        if error.code != INDEX_NOT_FOUND:
            raise


async def _build_index(mongo: Mongo, collection: str, index: IndexModel) -> bool:
    """Build one index; on a conflict with documents or another index, log it, return False."""
    try:
        await mongo[collection].create_indexes([index])
    except OperationFailure as error:
        if error.code not in BUILD_CONFLICT_CODES:
            raise
        found = await _explain_conflict(mongo, collection, index)
        log.error("index.unbuilt", index=found.subject, found=found.detail, fix=found.fix)
        return False
    log.warning("index.built", collection=collection, index=index_name(index))
    return True


async def _explain_conflict(mongo: Mongo, collection: str, index: IndexModel) -> Finding:
    existing = await mongo[collection].index_information()
    duplicates: list[Document] = []
    if is_unique(index):
        pipeline = duplicates_pipeline(index)
        found = mongo[collection].aggregate(pipeline, maxTimeMS=DUPLICATE_SEARCH_MS)
        with suppress(ExecutionTimeout):  # too many documents to search here
            duplicates = await found.to_list(None)
    return describe_missing(collection, index, existing, duplicates)


def _exists(index: IndexModel, existing: Existing) -> bool:
    found = existing.get(index_name(index))
    if found is None or list(found["key"]) != list(index.document["key"].items()):
        return False
    return all(found.get(option) == index.document.get(option) for option in OPTIONS)


def _name_of_equal(index: IndexModel, existing: Existing) -> str | None:
    """Return the name under which MongoDB has the index, which keeps it from building another.

    Indexes with the same keys may differ in their partial filters.
    """
    keys, partial = list(index.document["key"].items()), index.document.get(PARTIAL)
    equal = (
        name
        for name, found in existing.items()
        if list(found["key"]) == keys and found.get(PARTIAL) == partial
    )
    return next(equal, None)


def _describe_duplicates(index: IndexModel, found: Document) -> str:
    fields = list(index.document["key"])
    values = ", ".join(f"{field} {found['_id'].get(f'f{n}')!r}" for n, field in enumerate(fields))
    ids = ", ".join(map(str, found["ids"]))
    return f"{found['count']} documents have {values} (_id: {ids})"


def _describe_keys(index: IndexModel) -> str:
    return ", ".join(f"{field}: {order}" for field, order in index.document["key"].items())
