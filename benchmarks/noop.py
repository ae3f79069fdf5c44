"""Functions without work: their jobs measure only the engine."""

from benchmarks.peers.marks import note_lateness, note_start
from ostinato import Context, action, mutation


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
