"""Owns the result of one check of `ostinato doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    subject: str
    """What was checked, in two or three words."""
    detail: str
    """What was found, with the value."""
    fix: str | None = None
    """How to fix it; None if there is no problem."""

    @property
    def ok(self) -> bool:
        return self.fix is None
