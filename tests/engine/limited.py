"""The functions with limits of their own that the engine's tests run."""

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.rate_limit import RateLimit
from ostinato.jobs.retry import Retry
from tests.engine.functions import calls, gate

MINUTE_MS = 60_000


class Crowd:
    """How many run at once, and the most that ever did."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0

    def enter(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)


crowd = Crowd()


@action(public=True, name="functions.threeAtOnce", concurrency=3)
async def three_at_once(ctx: Context, held: bool = True) -> None:
    """Count who is inside, and wait at the gate."""
    crowd.enter()
    try:
        if held:
            await gate.pass_through()
    finally:
        crowd.now -= 1


@action(
    public=True, name="functions.thriceAMinute", rate_limit=RateLimit(count=3, per_ms=MINUTE_MS)
)
async def thrice_a_minute(ctx: Context, number: int = 0) -> None:
    """Record that it ran."""
    calls.append(number)


@action(public=True, name="functions.fourASecond", rate_limit=RateLimit(count=4, per_ms=1_000))
async def four_a_second(ctx: Context) -> None:
    """Start in the pace of the limit."""


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
    """Fail."""
    raise ConnectionError("no")
