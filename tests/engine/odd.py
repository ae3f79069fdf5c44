"""Values that functions give: subclasses of the built-in types, and structures without an end."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from enum import Enum, IntEnum, StrEnum
from http import HTTPStatus
from itertools import count
from typing import Any, NamedTuple, NoReturn, Self


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
    "circle": "result nests deeper than 32 levels, or contains itself",
    "well": "result nests deeper than 32 levels, or contains itself",
    "doubled": "result takes more than 262,144 bytes as JSON",
    "same key twice": "result has the key '1' twice",
    "not json": "result.rows.1 is set, which is not JSON: convert it, with str() for example",
}
"""Why the others are not."""
