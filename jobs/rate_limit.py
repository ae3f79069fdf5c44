"""Rate limits of functions: the policy that `@action(rate_limit=…)` takes. Pure."""

from dataclasses import dataclass
from typing import Final

from ostinato.jobs.retry import require_whole

MAX_COUNT: Final = 1_000_000  # multiplied by the milliseconds since 1970, this fits 64 bits
MAX_PERIOD_MS: Final = 31 * 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `count` starts in any `per_ms` milliseconds, spread evenly over them."""

    count: int
    per_ms: int
    burst: int | None = None
    """How many may start at once after an idle period; None: one."""
    key: str | None = None
    """The name of an argument, as clients write it: each of its values has a limit of its own.
    None: one limit for the function."""

    def __post_init__(self) -> None:
        for name in ("count", "per_ms", "burst"):
            if not (name == "burst" and self.burst is None):
                require_whole(name, getattr(self, name))
        if self.key is not None and not isinstance(self.key, str):
            raise TypeError(f"key must be the name of an argument, got {self.key!r}")
        if not 1 <= self.count <= MAX_COUNT:
            raise ValueError(f"count is {self.count}; allowed are 1 to {MAX_COUNT:,}")
        if not 1 <= self.per_ms <= MAX_PERIOD_MS:
            raise ValueError(f"per_ms is {self.per_ms}; allowed are 1 to {MAX_PERIOD_MS:,}")
        if self.burst is not None and not 1 <= self.burst <= MAX_COUNT:
            raise ValueError(f"burst is {self.burst}; allowed are 1 to {MAX_COUNT:,}")

    @property
    def depth(self) -> int:
        """Return how many may start at once after an idle period."""
        return self.burst or 1
