"""Finds and rebuilds indexes that became multikey through an array in a document.

A multikey index supports neither sorting by the array's field nor covered queries, and stays
multikey after the document is deleted. Ostinato writes arrays only to the indexed fields in
ARRAY_FIELDS.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pymongo import IndexModel
from pymongo.errors import ExecutionTimeout, OperationFailure

from ostinato.jobs.findings import Finding
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collection_specs import ARRAY_FIELDS
from ostinato.jobs.mongo.collections import COLLECTIONS
from ostinato.jobs.mongo.indexes import (
    AUTOMATIC_BUILD,
    BAD_HINT,
    MAX_IDS_SHOWN,
    find_missing,
    index_name,
    is_unique,
    rebuild_index,
)

SEARCH_TIMEOUT_MS: Final = 15_000  # enough for a million documents; below the socket timeout
PAUSE_S: Final = 3_600.0  # after a search that timed out
NATURAL: Final = [("$natural", 1)]

log = get_log(__name__)


def can_be_rebuilt(index: IndexModel) -> bool:
    """Return whether an index can be dropped temporarily, and is slower when multikey.

    Without a unique index, duplicates could be inserted; its equality reads are not slower. TTL
    indexes serve no queries. The index of a field with arrays is always multikey.
    """
    has_arrays = not ARRAY_FIELDS.isdisjoint(index.document["key"])
    return not (is_unique(index) or has_arrays or "expireAfterSeconds" in index.document)


def explain_command(collection: str, index: IndexModel) -> Document:
    """Build the command that shows whether an index is multikey; it reads no documents."""
    hinted = {"filter": _partial(index), "hint": index_name(index), "limit": 1}
    return {"explain": {"find": collection, **hinted}, "verbosity": "queryPlanner"}


def array_paths(explained: Mapping[str, Any]) -> list[str]:
    """Return the fields that make an index multikey: they contain or contained arrays."""
    return sorted(set(_array_paths(explained["queryPlanner"])))


def array_filter(index: IndexModel, paths: Sequence[str]) -> Document:
    """Build the filter for indexed documents with an array in one of the fields."""
    return {**_partial(index), "$or": [{path: {"$type": "array"}} for path in paths]}


def search_options(index: IndexModel) -> dict[str, Any]:
    """Return the `find` options of the search for arrays."""
    hint = index_name(index) if _partial(index) else NATURAL  # nearly four times as fast
    return {"hint": hint, "limit": MAX_IDS_SHOWN, "max_time_ms": SEARCH_TIMEOUT_MS}


def describe_multikey(
    collection: str, index: IndexModel, paths: Sequence[str], ids: Sequence[Any] | None
) -> Finding:
    """Describe the documents that keep an index multikey, and the fix; `ids` is None if the search
    timed out."""
    subject = f"index {collection}.{index_name(index)}"
    fields = ", ".join(f"`{path}`" for path in paths)
    slow = f"is multikey, which makes reads slow: an array was written to {fields}"
    if ids:
        found = ", ".join(map(repr, ids))
        fix = "delete these documents, or replace each array by a single value, in MongoDB; "
        return Finding(
            subject=subject, detail=f"{slow} (_id: {found})", fix=f"{fix}then {AUTOMATIC_BUILD}"
        )
    if ids is None:
        find = f"db.{collection}.find({json.dumps(array_filter(index, paths))})"
        fix = (
            f"run `{find}` in mongosh and delete or repair the documents found, then "
            f'`db.{collection}.dropIndex("{index_name(index)}")`; then {AUTOMATIC_BUILD}'
        )
        detail = (
            f"{slow}; searching for the document takes longer than {SEARCH_TIMEOUT_MS // 1000} s"
        )
        return Finding(subject=subject, detail=detail, fix=fix)
    return Finding(subject=subject, detail=f"{slow}; no document has one now", fix=AUTOMATIC_BUILD)


class MultikeyIndexes:
    """Rebuilds multikey indexes when no arrays are left; until then, logs the documents once."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._found: dict[str, _SearchResult] = {}

    async def rebuild(self) -> int:
        """Check all indexes; returns the number of rebuilt ones."""
        rebuilt = 0
        for spec in COLLECTIONS:
            for index in filter(can_be_rebuilt, spec.indexes):
                if paths := await self._array_paths(spec.name, index):
                    rebuilt += await self._rebuild(spec.name, index, paths)
        return rebuilt

    async def _array_paths(self, collection: str, index: IndexModel) -> list[str]:
        try:
            explained = await self._mongo.database.command(explain_command(collection, index))
        except OperationFailure as error:
            if error.code != BAD_HINT:
                raise
            return []  # missing, or still being built
        return array_paths(explained)

    async def _rebuild(self, collection: str, index: IndexModel, paths: list[str]) -> bool:
        place = f"{collection}.{index_name(index)}"
        where = array_filter(index, paths)
        if place in self._found and await self._is_left(collection, where, self._found[place]):
            return False
        ids = await self._search(collection, index, where)
        if ids == []:
            self._found.pop(place, None)
            return await self._rebuild_unless_changed(collection, index)
        self._found[place] = _SearchResult(ids, time.monotonic())
        found = describe_multikey(collection, index, paths, ids)
        log.error("index.multikey", index=found.subject, found=found.detail, fix=found.fix)
        return False

    async def _rebuild_unless_changed(self, collection: str, index: IndexModel) -> bool:
        if find_missing([index], await self._mongo[collection].index_information()):
            return False  # during an upgrade, it may belong to the other version
        return await rebuild_index(self._mongo, collection, index)

    async def _is_left(self, collection: str, where: Document, found: "_SearchResult") -> bool:
        """Return whether a document found earlier still has an array: no search is needed."""
        if found.ids is None:
            return time.monotonic() < found.at + PAUSE_S
        left = {"_id": {"$in": found.ids}, **where}
        return await self._mongo[collection].find_one(left, {"_id": 1}) is not None

    async def _search(
        self, collection: str, index: IndexModel, where: Document
    ) -> list[Any] | None:
        """Return the ids of up to MAX_IDS_SHOWN documents; None if the search times out."""
        found = self._mongo[collection].find(where, {"_id": 1}, **search_options(index))
        try:
            return [row["_id"] for row in await found.to_list(None)]
        except ExecutionTimeout:
            return None


class _SearchResult(NamedTuple):
    ids: list[Any] | None
    """None if the search timed out."""
    at: float
    """Time of the search (`time.monotonic()`)."""


def _partial(index: IndexModel) -> Document:
    return dict(index.document.get("partialFilterExpression", {}))


def _array_paths(plan: object) -> Iterator[str]:
    """Yield the array paths of all nested stages: their structure differs between versions."""
    if isinstance(plan, Mapping):
        for paths in plan.get("multiKeyPaths", {}).values():
            yield from paths
        for child in plan.values():
            yield from _array_paths(child)
    elif isinstance(plan, list):
        for child in plan:
            yield from _array_paths(child)
