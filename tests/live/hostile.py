"""Hypothesis strategies for unusual but valid values: JSON, BSON and text."""

from datetime import UTC, datetime
from typing import Any, Final

from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.datetime_ms import DatetimeMS
from hypothesis import strategies as st

NO_SURROGATES: Final = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS: Final = st.one_of(
    st.text(NO_SURROGATES, max_size=30),
    st.sampled_from(
        ["$owner", "$$NOW", "\ufeff", "\u2028", "\x1f\x7f", "👩‍👩‍👧\u202e", "null", "'\"\\"]
    ),
)
NAMES: Final = TEXTS.filter(bool)
KEYS: Final = st.one_of(
    TEXTS,
    st.sampled_from(["$ref", "$id", "$db", "$$ref", "$$$ref", "$reference", "a$ref"]),
    st.sampled_from(["", "$", "$set", "$literal", "a.b", ".", "_id", "__proto__", "constructor"]),
)
NUMBERS: Final = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**31, -(2**31) - 1, 2**53 + 1, 1.0, -0.0, 1e308, 5e-324, 1e16]),
)
SCALARS: Final = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
REFERENCES: Final = st.fixed_dictionaries(
    {"$ref": TEXTS, "$id": SCALARS}, optional={"$db": st.none() | TEXTS, "more": SCALARS}
)
COUNTS: Final = st.integers(-(2**53) + 1, 2**53 - 1)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
        st.integers(1, 20).flatmap(lambda levels: inner.map(lambda value: _nested(value, levels))),
        inner.map(lambda value: [value] * 20),
    )


def _nested(value: Any, levels: int) -> Any:
    for level in range(levels):
        value = {"$ref": "x", "$id": value} if level % 2 else [value]
    return value


def depth_of(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value
    is_container = isinstance(value, list | dict)
    return 1 + max(map(depth_of, parts), default=0) if is_container else 0


JSON: Final = st.recursive(SCALARS | REFERENCES, _containers, max_leaves=8).filter(
    lambda value: depth_of(value) <= 28 and len(repr(value)) <= 4_000
)
"""Values that a client may store: at most 30 levels, including those of the input objects."""

ID: Final = ObjectId("0123456789abcdef01234567")
WITH_JSON: Final[list[tuple[Any, Any]]] = [
    (ID, str(ID)),
    (Int64(5), 5),
    (Int64(2**62), 2**62),
    (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    (datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), "9999-12-31T23:59:59.999Z"),
    (DBRef("x", ID), {"$ref": "x", "$id": str(ID)}),
    (Code("x = 1"), "x = 1"),
]
"""Values of BSON types, and their JSON."""

WITHOUT_JSON: Final[list[Any]] = [
    *(Decimal128("1.10"), Binary(b"x"), Binary(b"x", 4), Regex("x", "i"), Timestamp(1, 2)),
    *(MinKey(), MaxKey(), float("nan"), float("inf"), DatetimeMS(10**17)),
]
"""Values of BSON types that have no JSON."""


def _variants(value: Any) -> list[Any]:
    return [value, [value, 1], {"a": {"b": value}}]


BSON: Final = st.tuples(st.sampled_from(WITH_JSON), st.integers(0, 2)).map(
    lambda drawn: (_variants(drawn[0][0])[drawn[1]], _variants(drawn[0][1])[drawn[1]])
)
"""Values that a function may read from collections, and their stored JSON."""

NO_JSON: Final = st.tuples(st.sampled_from(WITHOUT_JSON), st.integers(0, 2)).map(
    lambda drawn: _variants(drawn[0])[drawn[1]]
)
