"""Owns functions that do nothing: what is left to measure is the engine."""

from ostinato import Context, action, mutation


@action()
async def act(ctx: Context) -> None:
    """Do nothing."""


@mutation()
async def mutate(ctx: Context) -> None:
    """Do nothing, in a transaction."""
