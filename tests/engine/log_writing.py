"""Functions that write lines of a log."""

import asyncio

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.retry import Retry
from tests.engine.functions import gate


@action(public=True, name="functions.logLines")
async def log_lines(ctx: Context, number: int, letters: int = 1, pause: bool = False) -> None:
    """Write lines, and wait at the gate after the first one if asked."""
    for line in range(1, number + 1):
        ctx.log.info("line.written", number=line, text="x" * letters)
        if pause and line == 1:
            await gate.pass_through()


@mutation(public=True, name="functions.logAndFail", retry=Retry(retries=1, base_ms=1))
async def log_and_fail(ctx: Context) -> None:
    """Write lines of several levels, in a mutation that fails."""
    log = ctx.log.bind(order=7)
    log.debug("order.seen")
    try:
        raise ValueError("no paper")
    except ValueError:
        log.exception("print %s", "failed")
    raise RuntimeError


@action(public=True, name="functions.logInThreads")
async def log_in_threads(ctx: Context) -> None:
    """Write lines from two threads, and in a mutation that it calls."""
    await asyncio.gather(*(asyncio.to_thread(ctx.log.warning, "from.thread") for _ in range(2)))
    await ctx.run_mutation(log_in_mutation)


@mutation(name="functions.logInMutation")
async def log_in_mutation(ctx: Context) -> None:
    """Write a line in a mutation."""
    ctx.log.info("from.mutation")
