"""Functions for the tests of the Python client."""

import asyncio
from datetime import datetime
from enum import Enum

from ostinato import Context, action, mutation


class Color(Enum):
    """An enum, which is stored as its value."""

    RED = "red"


@action()
async def double(ctx: Context, number: int) -> int:
    """Return twice the number; not public."""
    return 2 * number


@mutation()
async def add_note(ctx: Context, text: str) -> tuple[str, Color, datetime]:
    """Store a note; return values that JSON stores in other types."""
    await ctx.db["notes"].insert_one({"_id": ctx.new_id(), "text": text})
    return text, Color.RED, await ctx.now()


@action(roles=("accountant",))
async def close_books(ctx: Context) -> str | None:
    """Return the owner; requires a role."""
    return ctx.owner


@action(internal=True)
async def clean_up(ctx: Context) -> None:
    """Do nothing, in an internal job."""


@action()
async def record(ctx: Context, *, later: bool) -> None:
    """Record a failure, at once or in a job of its own."""
    if later:
        await ctx.scheduler.run_after(0, "errors.logFailure", {"error": "it broke"})
    else:
        await ctx.run_mutation("errors.logFailure", {"error": "it broke"})


@action()
async def break_down(_ctx: Context) -> None:
    """Fail."""
    raise ValueError("it broke down")


@action()
async def current_loop(_ctx: Context) -> str:
    """Return the identity of the event loop that runs the job."""
    return str(id(asyncio.get_running_loop()))
