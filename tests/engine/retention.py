"""Functions for the tests of retention and of scheduling from failed functions."""

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from tests.engine.functions import HALF_AN_HOUR_MS, echo

MINUTE_MS = 60_000


@action(public=True, name="functions.retainedForAMinute", result_ttl_ms=MINUTE_MS)
async def retained_for_a_minute(ctx: Context) -> str:
    """Return a result with a short retention."""
    return "now"


@action(public=True, name="functions.scheduleThenFail")
async def schedule_then_fail(ctx: Context) -> None:
    """Schedule a job outside a transaction, and fail."""
    await ctx.scheduler.run_after(HALF_AN_HOUR_MS, echo, {"value": "stays"})
    raise ValueError("after scheduling")


@mutation(public=True, name="functions.scheduleWideCharacters")
async def schedule_wide_characters(ctx: Context, number: int) -> None:
    """Schedule jobs with arguments of four bytes per character."""
    for _ in range(number):
        await ctx.scheduler.run_after(HALF_AN_HOUR_MS, echo, {"value": "🎼" * 16_000})
