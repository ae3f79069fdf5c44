"""Checks an owner's quotas in the transaction that creates or resumes an object."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.quotas.counts import Aggregate, count, count_ticks
from ostinato.jobs.quotas.limits import QuotaKind, limit_of, quota_exceeded
from ostinato.jobs.records import Schedule
from ostinato.jobs.schedules import ticks_per_minute

SIMULTANEOUS: Final = 1_000
"""As many simultaneous transactions of an owner cannot exceed a limit together. They are serialized
when the room is less than they could add; with more room, they do not conflict."""
LARGEST_AMOUNTS: Final[Mapping[QuotaKind, int]] = MappingProxyType(
    {QuotaKind.ITEMS: 1_000, QuotaKind.TICKS_PER_MINUTE: 60}
)
"""What one transaction can add of a kind, if not 1: the items of a call, the ticks of a cron."""


async def require_room(ctx: Context, kind: QuotaKind, amount: int = 1) -> None:
    """Raise QuotaExceeded unless the owner may have `amount` more; the system has no quotas."""
    limit = limit_of(ctx.settings, kind)
    if ctx.owner is None or limit is None:
        return
    used = await count(_aggregate(ctx), kind, ctx.owner, limit)
    await _require(ctx, kind, (used, amount, limit))


async def read_room(ctx: Context, kind: QuotaKind, owner: str | None) -> int | None:
    """Return how much more of a kind an owner may have; None for no limit."""
    limit = limit_of(ctx.settings, kind)
    if owner is None or limit is None:
        return None
    return limit - int(await count(_aggregate(ctx), kind, owner, limit))


async def require_tick_room(
    ctx: Context, schedule: Schedule, replaced_id: str | None = None
) -> None:
    """Raise QuotaExceeded unless the owner's ticks a minute may include those of `schedule`.

    It replaces the schedule of the object `replaced_id`, if given.
    """
    kind = QuotaKind.TICKS_PER_MINUTE
    limit = limit_of(ctx.settings, kind)
    if ctx.owner is None or limit is None:
        return
    used = await count_ticks(_aggregate(ctx), ctx.owner, replaced_id)
    await _require(ctx, kind, (used, ticks_per_minute(schedule), limit))


async def _require(ctx: Context, kind: QuotaKind, numbers: tuple[float, float, int]) -> None:
    used, amount, limit = numbers
    if used + amount > limit:
        raise quota_exceeded(kind, used, amount, limit)
    if used + SIMULTANEOUS * LARGEST_AMOUNTS.get(kind, 1) > limit:
        await ctx.db.internal_collection("quotaLocks").update_one(
            {"_id": ctx.owner}, {"$set": {"usedAt": await ctx.now()}, "$inc": {"n": 1}}, upsert=True
        )


def _aggregate(ctx: Context) -> Aggregate:
    async def aggregate(collection: str, pipeline: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return await ctx.db.ostinato(collection).aggregate(pipeline)

    return aggregate
