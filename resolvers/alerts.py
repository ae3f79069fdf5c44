"""Use cases of alerts: read, acknowledge and resolve them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ostinato.jobs.alerts import Alert, AlertKind, AlertState
from ostinato.jobs.errors import PreconditionFailed
from ostinato.jobs.paging import Page, Window
from ostinato.resolvers.context import RequestContext


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """The alerts to read; None matches all."""

    states: tuple[AlertState, ...] | None = None
    kinds: tuple[AlertKind, ...] | None = None


async def alerts(ctx: RequestContext, which: AlertFilter, window: Window) -> Page[Alert]:
    """Read a page of the alerts about the viewer's crons and jobs, or of all for an admin."""
    chosen = {"state": which.states, "kind": which.kinds}
    fields: dict[str, object] = {
        name: {"$in": [one.value for one in values]}
        for name, values in chosen.items()
        if values is not None
    }
    return await ctx.engine.reads.find_page(Alert, ctx.scope, window, **fields)


async def acknowledge_alert(ctx: RequestContext, alert_id: str) -> Alert:
    """Acknowledge an open alert; raises NotFound, or PreconditionFailed in another state."""
    return await _change(ctx, alert_id, "acknowledged", ctx.engine.alerts.acknowledge)


async def resolve_alert(ctx: RequestContext, alert_id: str) -> Alert:
    """Resolve an alert; raises NotFound, or PreconditionFailed if it is resolved."""
    return await _change(ctx, alert_id, "resolved", ctx.engine.alerts.resolve)


async def _change(
    ctx: RequestContext,
    alert_id: str,
    verb: str,
    change: Callable[[str, str | None, str], Awaitable[Alert | None]],
) -> Alert:
    found = await ctx.find(Alert, alert_id)
    changed = await change(alert_id, ctx.scope, ctx.viewer.id)
    if changed is None:
        current = await ctx.find(Alert, found.id)
        raise PreconditionFailed(f"the alert is {current.state.value}: it cannot be {verb}")
    return changed
