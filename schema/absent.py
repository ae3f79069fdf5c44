"""Tells what a client left out from what it set, where both mean the same to us."""

from typing import TypeVar

from strawberry import UNSET

T = TypeVar("T")


def present(value: T | None) -> T | None:
    """Return the value, None for what was left out."""
    return None if value is UNSET else value
