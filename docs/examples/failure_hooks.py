"""Functions with failure hooks.

OSTINATO_FUNCTIONS=docs.examples.failure_hooks make run
"""

from ostinato import Context, FailedJob, action, on_failure


@action()
async def tell(ctx: Context, owner: str, text: str) -> None:
    """Send a text to a user."""
    ctx.log.info("told", owner=owner, text=text)


async def apologize(ctx: Context, failed: FailedJob) -> None:
    """Tell the user that a letter was not sent."""
    text = f"Your letter to {failed.args} was not sent"
    await ctx.scheduler.run_after(0, tell, {"owner": failed.owner, "text": text})


@action(public=True, on_failure=apologize)
async def post(ctx: Context, to: str) -> None:
    """Post a letter; every post office is closed."""
    raise ConnectionError(f"no post office delivers to {to}")


@on_failure
async def notify(ctx: Context, failed: FailedJob) -> None:
    """Notify the operators of every failed job."""
    ctx.log.error("operators.notified", function=failed.function_name, error=failed.error.name)
