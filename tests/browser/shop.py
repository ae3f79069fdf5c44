"""The functions of a shop, for pages with data on them: orders, invoices, reports and emails."""

from ostinato import Context, Retry, action, mutation

RETRY = Retry(retries=2, base_ms=30_000)


@mutation(name="orders.charge", public=True, retry=RETRY)
async def charge(ctx: Context, order: str, amount_cents: int) -> None:
    """Charge the card of an order."""


@action(name="orders.syncStock", public=True)
async def sync_stock(ctx: Context, warehouse: str) -> None:
    """Read the stock of a warehouse."""


@mutation(name="invoices.create", public=True)
async def create_invoice(ctx: Context, order: str) -> None:
    """Create the invoice of an order."""


@action(name="reports.dailySales", public=True, retry=RETRY)
async def daily_sales(ctx: Context, region: str) -> None:
    """Add up the sales of a day."""


@action(name="reports.exportOrders", public=True)
async def export_orders(ctx: Context, month: str) -> None:
    """Write the orders of a month into a file."""


@action(name="emails.sendConfirmation", public=True, retry=RETRY)
async def send_confirmation(ctx: Context, order: str, to: str) -> None:
    """Confirm an order."""


@action(name="emails.sendReminder", public=True, retry=RETRY)
async def send_reminder(ctx: Context, customer: str, days: int = 14) -> None:
    """Remind a customer of an unpaid invoice."""


@action(name="emails.sendNewsletter", public=True)
async def send_newsletter(ctx: Context, issue: str) -> None:
    """Send the newsletter to all subscribers."""
