"""The functions of the README: one of each kind, and a static cron.

OSTINATO_FUNCTIONS=docs.examples.my_functions make run
"""

import httpx

from ostinato import Context, Retry, action, cron, mutation


@mutation(public=True)
async def transfer(ctx: Context, sender: str, recipient: str, amount: int) -> int:
    """Move points from one account to another and schedule a receipt, in one transaction."""
    accounts = ctx.db["accounts"]
    await accounts.update_one({"_id": sender}, {"$inc": {"points": -amount}}, upsert=True)
    await accounts.update_one({"_id": recipient}, {"$inc": {"points": amount}}, upsert=True)
    # receipt is an action in the same file
    await ctx.scheduler.run_after(2_000, receipt, {"recipient": recipient, "amount": amount})
    return amount


@action(public=True)
async def receipt(ctx: Context, recipient: str, amount: int) -> str:
    """Write a receipt and report progress."""
    for step in range(1, 4):
        await ctx.progress(step, 3, f"writing line {step}")
    return f"{recipient} got {amount} points"


@action(roles=("admin",), retry=Retry(retries=3, base_ms=1000, factor=2, jitter=0.1))
async def fetch(ctx: Context, url: str) -> int:
    """Call a URL and return its status; retry with backoff after an error status.

    Only for admins, since a user who may choose any URL could attack the server's own network.
    """
    async with httpx.AsyncClient() as http:
        response = await http.get(url)
    status = response.status_code
    ctx.log.info("fetched", url=url, status=status, attempt=ctx.job.attempt)
    response.raise_for_status()
    return status


@cron(every_ms=60_000)
@mutation()
async def count_accounts(ctx: Context) -> int:
    """Count the accounts every minute."""
    return await ctx.db["accounts"].count_documents({})
