"""Functions that only worker processes import: the test's process knows their names alone."""

from ostinato import Context, RateLimit, Retry, action


@action(retry=Retry(retries=2, base_ms=1))
async def fail_twice(ctx: Context, text: str = "done") -> str:
    """Fail in the first two attempts."""
    if ctx.job.attempt < 3:
        raise ValueError("not yet")
    return text


@action(rate_limit=RateLimit(count=1, per_ms=3_600_000))
async def once_an_hour(ctx: Context) -> int:
    """Return the number of the attempt; starts once an hour."""
    return ctx.job.attempt
