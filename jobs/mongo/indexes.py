"""Compares the indexes that exist with those that queries count on, and says what to do. Pure, but
for `read_with_hint`."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pymongo import IndexModel
from pymongo.errors import OperationFailure

from ostinato.jobs.findings import Finding

Document = dict[str, Any]
T = TypeVar("T")
Existing = Mapping[str, Mapping[str, Any]]
"""What `index_information` returns."""

BAD_HINT: Final = 2  # the server's answer to a hint on an index that does not exist
CANNOT_BE_BUILT: Final = frozenset({85, 86, 11000})
"""Another index has its keys, or its name; documents that exist would not be unique."""
OPTIONS: Final = ("unique", "sparse", "expireAfterSeconds", "partialFilterExpression")
LOOK_MS: Final = 5_000  # looking for duplicates reads all that the index would hold
DUPLICATES_SHOWN: Final = 3
IDS_SHOWN: Final = 5
WAIT: Final = "the leading worker builds it within a minute; so does the start of any process"


async def read_with_hint(index: str, read: Callable[..., Awaitable[T]]) -> T:
    """Read with a hint on an index; without the hint, and slower, while the index is missing."""
    try:
        return await read(hint=index)
    except OperationFailure as error:
        if error.code != BAD_HINT or "hint" not in str(error):
            raise
        return await read()


def name_of(index: IndexModel) -> str:
    return str(index.document["name"])


def is_unique(index: IndexModel) -> bool:
    return bool(index.document.get("unique"))


def missing(indexes: Iterable[IndexModel], existing: Existing) -> list[IndexModel]:
    """Choose the indexes that do not exist, or exist otherwise."""
    return [index for index in indexes if not _is_there(index, existing)]


def duplicates_pipeline(index: IndexModel) -> list[Document]:
    """Build the pipeline that finds documents which keep a unique index from being built."""
    together = {f"f{n}": f"${field}" for n, field in enumerate(index.document["key"])}
    ids = {"$firstN": {"input": "$_id", "n": IDS_SHOWN}}
    return [
        {"$match": index.document.get("partialFilterExpression", {})},
        {"$group": {"_id": together, "ids": ids, "count": {"$sum": 1}}},
        {"$match": {"count": {"$gt": 1}}},
        {"$limit": DUPLICATES_SHOWN},
    ]


def describe(
    collection: str, index: IndexModel, existing: Existing, duplicates: Sequence[Document] = ()
) -> Finding:
    """Say what is wrong with an index that is missing or differs, and what to do."""
    name = name_of(index)
    subject = f"index {collection}.{name}"
    if duplicates:
        field = list(index.document["key"])[-1]
        found = "; ".join(_group(index, one) for one in duplicates)
        fix = f"change or unset `{field}` in all of them but one, or delete them; then {WAIT}"
        return Finding(subject=subject, detail=f"cannot be unique: {found}", fix=fix)
    if name in existing:
        fix = f"restart one Ostinato process: it builds the index anew ({_keys(index)})"
        return Finding(subject=subject, detail="has other keys or options", fix=fix)
    if (other := _with_same_keys(index, existing)) is not None:
        fix = f'run `db.{collection}.dropIndex("{other}")` in mongosh; then {WAIT}'
        return Finding(subject=subject, detail=f"exists under the name {other!r}", fix=fix)
    return Finding(subject=subject, detail=f"is missing ({_keys(index)})", fix=WAIT)


def _is_there(index: IndexModel, existing: Existing) -> bool:
    found = existing.get(name_of(index))
    if found is None or list(found["key"]) != list(index.document["key"].items()):
        return False
    return all(found.get(option) == index.document.get(option) for option in OPTIONS)


def _with_same_keys(index: IndexModel, existing: Existing) -> str | None:
    keys = list(index.document["key"].items())
    return next((name for name, found in existing.items() if list(found["key"]) == keys), None)


def _group(index: IndexModel, found: Document) -> str:
    fields = list(index.document["key"])
    values = ", ".join(f"{field} {found['_id'].get(f'f{n}')!r}" for n, field in enumerate(fields))
    ids = ", ".join(map(str, found["ids"]))
    return f"{found['count']} documents have {values} (_id: {ids})"


def _keys(index: IndexModel) -> str:
    return ", ".join(f"{field}: {way}" for field, way in index.document["key"].items())
