"""Reads and writes JSON for every transport, fast, and never deeper than is safe to walk."""

from dataclasses import dataclass
from typing import Any

import orjson

MAX_DEPTH = 64  # BSON stops at 100 levels, and recursive readers behind us before 200
Container = dict[str, Any] | list[Any]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One result of a subscription, as every transport sends it."""

    payload: bytes
    """The whole response as JSON."""
    cursor: str | None = None
    """Where to resume behind it; None if its root field has no cursors."""


def decode(data: bytes | str) -> Any:
    """Parse JSON; raises ValueError when it is malformed or nested too deeply."""
    value = orjson.loads(data)
    if _openings(data) > MAX_DEPTH and _is_too_deep(value):
        raise ValueError(f"JSON is nested deeper than {MAX_DEPTH} levels")
    return value


def encode(value: object) -> bytes:
    """Write JSON; raises TypeError for what JSON cannot say."""
    return orjson.dumps(value)


def encode_text(value: object) -> str:
    return orjson.dumps(value).decode()


def _openings(data: bytes | str) -> int:
    if isinstance(data, str):
        return data.count("[") + data.count("{")
    return data.count(b"[") + data.count(b"{")


def _is_too_deep(value: object) -> bool:
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _containers(parent)]
        if not level:
            return False
    return True


def _containers(parent: Container) -> list[Container]:
    children = parent.values() if isinstance(parent, dict) else parent
    return [child for child in children if isinstance(child, dict | list)]
