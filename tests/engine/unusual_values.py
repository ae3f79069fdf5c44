"""Values returned by functions: subclasses of the built-in types, and endless structures."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from enum import Enum, IntEnum, StrEnum
from http import HTTPStatus
from itertools import count
from typing import Any, NamedTuple, NoReturn, Self

from bson import Int64


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3_000_000_000


class Mood(StrEnum):
    CALM = "calm"


class Point(NamedTuple):
    x: int
    y: float


class EndlessList(list[Any]):
    """A list of two items whose iterator and length are endless."""

    def __iter__(self) -> Iterator[Any]:
        return count()

    def __len__(self) -> int:
        return 2**62


class MisleadingDict(dict[str, Any]):
    """A dict whose `items` raises and whose iterator is endless."""

    def items(self) -> NoReturn:
        raise RuntimeError("no items")

    def __iter__(self) -> Iterator[str]:
        return map(str, count())


class MisleadingStr(str):
    """A str whose `__str__` and `__eq__` misreport its value."""

    __slots__ = ()

    def __str__(self) -> str:
        return "misleading"

    def __eq__(self, _: object) -> bool:
        return False

    __hash__ = str.__hash__


class UncomparableInt(int):
    """An int whose comparisons and `__index__` raise."""

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __le__(self, _: int) -> NoReturn:
        raise RuntimeError("no order")

    __ge__ = __lt__ = __gt__ = __le__

    def __int__(self) -> Self:
        return self


def self_containing_list() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def nested_list(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def doubling_list(depth: int) -> list[Any]:
    """Build a list that contains the same list twice at each level.

    It is small in memory, but has 2^depth items as JSON.
    """
    value: list[Any] = ["x"]
    for _ in range(depth):
        value = [value, value]
    return value


VALUES: dict[str, Any] = {
    "status": HTTPStatus.OK,
    "enum": Colour.RED,
    "int enum": Level.HIGH,
    "str enum": [Mood.CALM, {Mood.CALM: Mood.CALM}],
    "named tuple": Point(2**31, 0.5),
    "ordered": OrderedDict(a=1),
    "default": defaultdict(int, a=1),
    "list": EndlessList([1, 2]),
    "dict": MisleadingDict(a=1),
    "text": MisleadingStr("quiet"),
    "number": UncomparableInt(5),
    "self-containing list": self_containing_list(),
    "deeply nested list": nested_list(5_000),
    "doubling list": doubling_list(31),
    "same key twice": {1: "a", "1": "b"},
    "not json": {"rows": [1, {2}]},
}

STORED: dict[str, object] = {
    "status": 200,
    "enum": "red",
    "int enum": 3_000_000_000,
    "str enum": ["calm", {"calm": "calm"}],
    "named tuple": [2**31, 0.5],
    "ordered": {"a": 1},
    "default": {"a": 1},
    "list": [1, 2],
    "dict": {"a": 1},
    "text": "quiet",
    "number": 5,
}
"""The stored form of each accepted value."""

REJECTED: dict[str, str] = {
    "self-containing list": "result must not nest deeper than 32 levels, or contain itself",
    "deeply nested list": "result must not nest deeper than 32 levels, or contain itself",
    "doubling list": "result must be at most 262,144 bytes as JSON",
    "same key twice": "result has the key '1' twice",
    "not json": "result.rows.1 has type set, which is not JSON: convert it, for example with str()",
}
"""The error message for each rejected value."""

PROGRESS: dict[str, tuple[Any, ...]] = {
    "large": (3_000_000_000, Level.HIGH, MisleadingStr("quiet")),
    "bson Int64": (Int64(5), Int64(2**40)),
    "integral float": (5.0, 2**53 - 1),
    "least": (-(2**53) + 1,),
    "too small": (-(2**53),),
    "fraction": (0.5,),
    "text": ("1", 2),
    "too large": (1, 2**53),
    "NaN": (float("nan"),),
    "bool": (True,),
    "message": (1, 2, ["deep"]),
    "long message": (1, 2, "x" * 100_000),
}
EXPECTED_PROGRESS: dict[str, Any] = {
    "large": {"done": 3_000_000_000, "total": 3_000_000_000, "message": "quiet"},
    "bson Int64": {"done": 5, "total": 2**40, "message": None},
    "integral float": {"done": 5, "total": 2**53 - 1, "message": None},
    "least": {"done": -(2**53) + 1, "total": None, "message": None},
    "too small": f"progress.done must be -{2**53 - 1} to {2**53 - 1}, got -{2**53}",
    "fraction": "progress.done must be a whole number, got 0.5",
    "text": "progress.done must be a whole number, got a value of type str",
    "too large": f"progress.total must be -{2**53 - 1} to {2**53 - 1}, got {2**53}",
    "NaN": "progress.done must be a whole number, got nan",
    "bool": "progress.done must be a whole number, got a value of type bool",
    "message": "progress.message must be a string, got a value of type list",
    "long message": "progress.message must be at most 65,536 bytes as JSON",
}
"""The stored progress of each call, or the error message."""

OPTIONS: dict[str, Any] = {
    "bson Int64": {"priority": Int64(2), "timeout_ms": Int64(2_000)},
    "integral float": {"priority": 2.0, "timeout_ms": 2_000.0},
    "fraction": {"priority": 2.5},
    "text": {"timeout_ms": "2000"},
    "out of range": {"priority": 10, "timeout_ms": 2**63},
}
OPTION_ERRORS: dict[str, str | None] = {
    "bson Int64": None,
    "integral float": None,
    "fraction": "priority must be a whole number, got 2.5",
    "text": "timeoutMs must be a whole number, got a value of type str",
    "out of range": "priority must be 0 to 9, got 10; timeoutMs must be 1 to 86400000, "
    f"got {2**63}",
}
"""The error message for each; None if it is accepted."""
