"""Values that functions give: subclasses of the built-in types, and structures without an end."""

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


class Endless(list[Any]):
    """A list of two that goes on for ever for whoever asks it."""

    def __iter__(self) -> Iterator[Any]:
        return count()

    def __len__(self) -> int:
        return 2**62


class Evasive(dict[str, Any]):
    """An object that says something else to each who asks."""

    def items(self) -> NoReturn:
        raise RuntimeError("no items")

    def __iter__(self) -> Iterator[str]:
        return map(str, count())


class Loud(str):
    """A text that is not what it says it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"

    def __eq__(self, _: object) -> bool:
        return False

    __hash__ = str.__hash__


class Whole(int):
    """A number that equals nothing and is never in order."""

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __le__(self, _: int) -> NoReturn:
        raise RuntimeError("no order")

    __ge__ = __lt__ = __gt__ = __le__

    def __int__(self) -> Self:
        return self


def circle() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def well(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def doubled(levels: int) -> list[Any]:
    """Make a list that holds its part twice at each level: small in memory, endless as JSON."""
    value: list[Any] = ["x"]
    for _ in range(levels):
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
    "list": Endless([1, 2]),
    "dict": Evasive(a=1),
    "text": Loud("quiet"),
    "number": Whole(5),
    "circle": circle(),
    "well": well(5_000),
    "doubled": doubled(31),
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
"""What of them is stored."""

REFUSED: dict[str, str] = {
    "circle": "result must not nest deeper than 32 levels, or contain itself",
    "well": "result must not nest deeper than 32 levels, or contain itself",
    "doubled": "result must be at most 262,144 bytes as JSON",
    "same key twice": "result has the key '1' twice",
    "not json": "result.rows.1 has type set, which is not JSON: convert it, for example with str()",
}
"""Why the others are not."""

PROGRESS: dict[str, tuple[Any, ...]] = {
    "large": (3_000_000_000, Level.HIGH, Loud("quiet")),
    "number of MongoDB": (Int64(5), Int64(2**40)),
    "whole": (5.0, 2**53 - 1),
    "least": (-(2**53) + 1,),
    "too small": (-(2**53),),
    "fraction": (0.5,),
    "text": ("1", 2),
    "too large": (1, 2**53),
    "not a number": (float("nan"),),
    "yes": (True,),
    "message": (1, 2, ["deep"]),
    "endless message": (1, 2, "x" * 100_000),
}
SHOWN: dict[str, Any] = {
    "large": {"done": 3_000_000_000, "total": 3_000_000_000, "message": "quiet"},
    "number of MongoDB": {"done": 5, "total": 2**40, "message": None},
    "whole": {"done": 5, "total": 2**53 - 1, "message": None},
    "least": {"done": -(2**53) + 1, "total": None, "message": None},
    "too small": f"progress.done must be -{2**53 - 1} to {2**53 - 1}, got -{2**53}",
    "fraction": "progress.done must be a whole number, got 0.5",
    "text": "progress.done must be a whole number, got a value of type str",
    "too large": f"progress.total must be -{2**53 - 1} to {2**53 - 1}, got {2**53}",
    "not a number": "progress.done must be a whole number, got nan",
    "yes": "progress.done must be a whole number, got a value of type bool",
    "message": "progress.message must be text, got a value of type list",
    "endless message": "progress.message must be at most 65,536 bytes as JSON",
}
"""What each shows, or why it is refused."""

OPTIONS: dict[str, Any] = {
    "numbers of MongoDB": {"priority": Int64(2), "timeout_ms": Int64(2_000)},
    "whole": {"priority": 2.0, "timeout_ms": 2_000.0},
    "fraction": {"priority": 2.5},
    "text": {"timeout_ms": "2000"},
    "beyond": {"priority": 10, "timeout_ms": 2**63},
}
PLANNED: dict[str, str | None] = {
    "numbers of MongoDB": None,
    "whole": None,
    "fraction": "priority must be a whole number, got 2.5",
    "text": "timeoutMs must be a whole number, got a value of type str",
    "beyond": f"priority must be 0 to 9, got 10; timeoutMs must be 1 to 86400000, got {2**63}",
}
"""Why each is refused; None if it is not."""
