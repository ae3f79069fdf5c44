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
    advised: bool = False
    """Whether the check is advice for production: `doctor` shows its fix there only, and succeeds.
    Everything works without it. The other checks are required."""

    @property
    def ok(self) -> bool:
        return self.fix is None
