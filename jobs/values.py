"""What a job's arguments, progress and result may hold: JSON that MongoDB can keep. Pure."""

import math
from datetime import UTC, datetime
from typing import Final

from jobs.records import Json

INTEGERS: Final = range(-(2**63), 2**63)  # what BSON has room for

Path = tuple[str | int, ...]


class NotJson(TypeError):
    """A value that cannot be stored, and where it is."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{'.'.join(str(step) for step in path)} {problem}")
        self.path = path
        self.problem = problem


def storable(value: object, *path: str | int) -> Json:
    """Give a value as plain JSON; raises NotJson that says where under `path` it is not."""
    match value:
        case None | bool():
            return value
        case str():
            return _text(value, path)
        case int() | float():
            return _number(value, path)
        case list() | tuple():
            return [storable(item, *path, index) for index, item in enumerate(value)]
        case dict():
            return {
                _name(key, path): storable(item, *path, str(key)) for key, item in value.items()
            }
        case datetime():
            return instant_text(value) if value.tzinfo else value.isoformat()
        case _:
            raise NotJson(path, f"is {type(value).__name__}, which is not JSON")


def instant_text(instant: datetime) -> str:
    """Write an aware instant as the API does: `2030-01-31T12:00:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def readable(text: str) -> str:
    """Replace what no encoding can carry: half of a surrogate pair."""
    return text.encode(errors="replace").decode()


def _text(value: str, path: Path) -> str:
    text = str.__str__(value)
    if text != readable(text):
        raise NotJson(path, "holds half of a surrogate pair, which is no character")
    return text


def _name(key: object, path: Path) -> str:
    name = _text(str(key), path)
    if "\0" in name:
        raise NotJson(path, "has a key with a null character")
    return name


def _number(value: float, path: Path) -> int | float:
    if isinstance(value, int):
        if value not in INTEGERS:
            raise NotJson(path, "is an integer of more than 64 bits: write it as a string")
        return int(value)
    if not math.isfinite(value):
        raise NotJson(path, f"is {value}, which is not JSON")
    return float(value)
