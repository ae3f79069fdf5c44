"""Treats an omitted argument like null."""

from typing import TypeVar

from strawberry import UNSET

T = TypeVar("T")


def unset_to_none(value: T | None) -> T | None:
    """Return the value, or None if it was omitted."""
    return None if value is UNSET else value
