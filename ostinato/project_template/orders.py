"""The jobs of a small shop: one function of each kind.

`OSTINATO_FUNCTIONS=orders` names this module, and clients call `place_order` `orders.placeOrder`.
The first parameter is the context; the others are the job's arguments, which are validated.
"""

from typing import Any

from ostinato import Context, Retry, action, batch, cron, mutation, request_handler

PRICES = {"tea": 4, "coffee": 6}


@mutation(public=True)
async def place_order(ctx: Context, item: str, quantity: int = 1) -> str:
    """Store an order, and send the receipt a minute later.

    A mutation function runs in one MongoDB transaction: the order, the job of the receipt and the
    success of this job commit together, exactly once. It must not call other services.
    `public=True` allows every signed-in user to schedule it; `ctx.owner` is that user.
    """
    order_id = f"{ctx.owner}:{ctx.job.id}"
    order = {"_id": order_id, "owner": ctx.owner, "item": item, "quantity": quantity}
    await ctx.db["orders"].insert_one({**order, "shipped": False})
    await ctx.scheduler.run_after(60_000, send_receipt, {"order_id": order_id})
    return order_id


@action(retry=Retry(retries=3, base_ms=1_000, factor=2))
async def send_receipt(ctx: Context, order_id: str) -> str:
    """Send a receipt; this example only writes to the log.

    An action may call other services. If it raises an error, it runs again after about 1, 2 and
    4 seconds. `ctx.job.id` is the same in each attempt: pass it as the idempotency key.
    Without `public` or `roles`, only functions may schedule it.
    """
    ctx.log.info("receipt.sent", order_id=order_id, attempt=ctx.job.attempt)
    return f"receipt for {order_id}"


@batch("orders", where={"shipped": False}, public=True)
async def ship(ctx: Context, orders: list[dict[str, Any]]) -> None:
    """Ship one page of the caller's orders.

    A batch calls this for page after page of the collection `orders`, with a pause in between. Each
    page is one transaction, so each order is shipped once.
    """
    ids = [order["_id"] for order in orders]
    await ctx.db["orders"].update_many({"_id": {"$in": ids}}, {"$set": {"shipped": True}})


@request_handler
async def quote(ctx: Context, data: Any) -> Any:
    """Answer a request (`createWithTimeout`) with the price of an order.

    A request ends exactly once: with this result, with an error, or at its timeout.
    """
    return {"price": PRICES[data["item"]] * data["quantity"]}


@cron("0 3 * * *", tz="Europe/Berlin")
@mutation()
async def count_open_orders(ctx: Context) -> int:
    """Count the orders that are not shipped, each night at three."""
    return await ctx.db["orders"].count_documents({"shipped": False})
