"""Functions without work: their jobs measure only the engine."""

from benchmarks.peers.marks import hold, note_lateness, note_start
from ostinato import Context, Retry, action, mutation


@action(public=True)
async def act(ctx: Context, n: int = 0) -> dict[str, int]:
    """Return a result that is unique to the job."""
    note_start()
    return {"n": n}


@mutation()
async def mutate(ctx: Context, n: int = 0) -> dict[str, int]:
    """Do the same in a transaction."""
    note_start()
    return {"n": n}


@action()
async def timed(ctx: Context, due_s: float) -> None:
    """Note how late the job started."""
    note_lateness(due_s)


@action(retry=Retry(retries=1, base_ms=0))
async def held(ctx: Context, n: int) -> None:
    """Wait in the first attempt until the worker is killed."""
    await hold(n)


@action(retry=Retry(retries=1, base_ms=100))
async def flaky(ctx: Context, n: int) -> None:
    """Fail in the first attempt."""
    if ctx.job.attempt == 1:
        raise RuntimeError(f"attempt 1 of {n}")
