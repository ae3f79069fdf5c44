"""How a collection is declared: its users, its indexes, and the query of each index."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel

ARRAY_FIELDS: Final = frozenset({"tags"})
"""Fields that contain arrays, whose indexes are multikey on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """A collection, its indexes and its users."""

    name: str
    written_by: str
    read_by: str
    deleted_by: str
    indexes: tuple[IndexModel, ...] = ()
    validator: Mapping[str, Any] | None = None
    """What MongoDB requires of each document; only for a collection that applications write."""


def index(name: str, _query: str, keys: str, **options: Any) -> IndexModel:
    """Build an index. `_query` documents the query it serves; a `-` prefix means descending."""
    directed = [
        (key.removeprefix("-"), DESCENDING if key.startswith("-") else ASCENDING)
        for key in keys.split()
    ]
    return IndexModel(directed, name=name, **options)


def exists(field: str) -> dict[str, Any]:
    """Build a partial filter for documents with the field.

    Not `$type`: the planner would not use such an index for equality.
    """
    return {field: {"$exists": True}}
