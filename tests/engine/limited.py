"""Functions with concurrency or rate limits, for the engine tests."""

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.rate_limit import RateLimit
from ostinato.jobs.retry import Retry
from tests.engine.functions import calls, gate

MINUTE_MS = 60_000


class ConcurrencyCounter:
    """The number of running functions, and its maximum."""

    def __init__(self) -> None:
        self.current = 0
        self.peak = 0

    def enter(self) -> None:
        self.current += 1
        self.peak = max(self.peak, self.current)


counter = ConcurrencyCounter()


@action(public=True, name="functions.threeAtOnce", concurrency=3)
async def three_at_once(ctx: Context, held: bool = True) -> None:
    """Count this run while it waits at the gate."""
    counter.enter()
    try:
        if held:
            await gate.pass_through()
    finally:
        counter.current -= 1


@action(public=True, name="functions.holdCounted")
async def hold_counted(ctx: Context) -> None:
    """Count this run while it waits at the gate."""
    counter.enter()
    try:
        await gate.pass_through()
    finally:
        counter.current -= 1


@action(
    public=True, name="functions.threePerMinute", rate_limit=RateLimit(count=3, per_ms=MINUTE_MS)
)
async def three_per_minute(ctx: Context, number: int = 0) -> None:
    """Record the call."""
    calls.append(number)


@action(public=True, name="functions.fourPerSecond", rate_limit=RateLimit(count=4, per_ms=1_000))
async def four_per_second(ctx: Context) -> None:
    """Do nothing, at most four times a second."""


@mutation(
    public=True,
    name="functions.oncePerUser",
    rate_limit=RateLimit(count=1, per_ms=MINUTE_MS, key="userId"),
)
async def once_per_user(ctx: Context, user_id: str) -> str:
    """Return the user."""
    return user_id


@action(
    public=True,
    name="functions.inBursts",
    rate_limit=RateLimit(count=3, per_ms=MINUTE_MS, burst=3, key="userId"),
)
async def in_bursts(ctx: Context, user_id: str = "u") -> None:
    """Do nothing."""


@action(
    public=True,
    name="functions.failOnceAMinute",
    retry=Retry(retries=1, base_ms=0),
    rate_limit=RateLimit(count=1, per_ms=MINUTE_MS, key="userId"),
)
async def fail_once_a_minute(ctx: Context, user_id: str = "u") -> None:
    """Always raise."""
    raise ConnectionError("no")
