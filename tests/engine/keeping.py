"""The functions by which the tests show what is kept, for how long, and what is not."""

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from tests.engine.functions import HALF_AN_HOUR_MS, echo

MINUTE_MS = 60_000


@action(public=True, name="functions.keptAMinute", result_ttl_ms=MINUTE_MS)
async def kept_a_minute(ctx: Context) -> str:
    """Return a result with a short retention."""
    return "now"


@action(public=True, name="functions.scheduleThenFail")
async def schedule_then_fail(ctx: Context) -> None:
    """Schedule a job at once, as actions do, and fail."""
    await ctx.scheduler.run_after(HALF_AN_HOUR_MS, echo, {"value": "stays"})
    raise ValueError("after scheduling")


@mutation(public=True, name="functions.scheduleWide")
async def schedule_wide(ctx: Context, number: int) -> None:
    """Schedule jobs whose arguments take four bytes a character."""
    for _ in range(number):
        await ctx.scheduler.run_after(HALF_AN_HOUR_MS, echo, {"value": "🎼" * 16_000})
