"""A user module with public, role-restricted and internal functions."""

from pydantic import JsonValue

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.handler_decorators import batch
from ostinato.jobs.retry import Retry


@mutation(public=True)
async def greet(ctx: Context, name: str, times: int = 1) -> str:
    """Greet a person, several times."""
    return " ".join([f"hello {name}"] * times)


@action(public=True, retry=Retry(retries=2), timeout_ms=1_500)
async def call_out(ctx: Context) -> None:
    """Call an external system."""


@mutation(roles=("auditor",))
async def audit(ctx: Context) -> None:
    """Audit the ledger."""


@mutation()
async def hidden(ctx: Context) -> None:
    """Serve other functions only."""


@batch("ledger", roles=("auditor",))
async def post(ctx: Context, items: list[dict[str, object]]) -> None:
    """Post a page of the ledger."""


@action(public=True)
async def accept_any(ctx: Context, value: JsonValue) -> None:
    """Accept any value."""
