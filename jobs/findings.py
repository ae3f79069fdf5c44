"""The result of one check of `ostinato doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check."""

    subject: str
    """The checked item, in two or three words."""
    detail: str
    """The finding, with the value."""
    fix: str | None = None
    """How to fix it; None if there is no problem."""
    is_warning: bool = False
    """Whether the fix is advice for production: `doctor` shows it there only, and succeeds."""

    @property
    def ok(self) -> bool:
        return self.fix is None
