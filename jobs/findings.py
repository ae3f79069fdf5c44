"""Owns what a look at a server or at the settings found out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    """What was looked at, in two or three words."""
    detail: str
    """What was found, with the value."""
    fix: str | None = None
    """What to do about it; None if all is well."""

    @property
    def ok(self) -> bool:
        return self.fix is None
