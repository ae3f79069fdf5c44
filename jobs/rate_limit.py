"""Rate limits of functions: the policy that `@action(rate_limit=…)` takes. No I/O."""

from dataclasses import dataclass
from typing import Final

from ostinato.jobs.retry import require_whole

MAX_COUNT: Final = 1_000_000  # times the milliseconds since 1970, it fits in 64 bits
MAX_PERIOD_MS: Final = 31 * 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `count` starts in any `per_ms` milliseconds, spread evenly over them."""

    count: int
    per_ms: int
    burst: int | None = None
    """Maximum number of simultaneous starts after an idle period; None: one."""
    key: str | None = None
    """The JSON name of an argument: each of its values has a separate limit. None: one limit for
    the function."""

    def __post_init__(self) -> None:
        for name in ("count", "per_ms", "burst"):
            if not (name == "burst" and self.burst is None):
                require_whole(name, getattr(self, name))
        if self.key is not None and not isinstance(self.key, str):
            raise TypeError(f"key must be the name of an argument, got {self.key!r}")
        if not 1 <= self.count <= MAX_COUNT:
            raise ValueError(f"count must be 1 to {MAX_COUNT:,}, got {self.count}")
        if not 1 <= self.per_ms <= MAX_PERIOD_MS:
            raise ValueError(f"per_ms must be 1 to {MAX_PERIOD_MS:,}, got {self.per_ms}")
        if self.burst is not None and not 1 <= self.burst <= MAX_COUNT:
            raise ValueError(f"burst must be 1 to {MAX_COUNT:,}, got {self.burst}")

    @property
    def depth(self) -> int:
        """Return the maximum number of simultaneous starts after an idle period."""
        return self.burst or 1
