"""Owns our functions that do nothing: what is left to measure is the engine."""

from benchmarks.peers.marks import begun, late
from ostinato import Context, action, mutation


@action(public=True)
async def act(ctx: Context, n: int = 0) -> dict[str, int]:
    """Give back a result that no other job has."""
    begun()
    return {"n": n}


@mutation()
async def mutate(ctx: Context, n: int = 0) -> dict[str, int]:
    """Do the same in a transaction."""
    begun()
    return {"n": n}


@action()
async def timed(ctx: Context, due_s: float) -> None:
    """Note how late the job started."""
    late(due_s)
