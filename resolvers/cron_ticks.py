"""Use cases of the tick ledger: the records of a cron's ticks, and the cron's health."""

from collections.abc import Sequence
from dataclasses import dataclass

from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.json_values import MILLISECOND
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.records import Cron
from ostinato.jobs.run_history import RunStart, count_failures
from ostinato.resolvers.context import RequestContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """How long after their planned times some runs started, in milliseconds."""

    runs: int
    p50_ms: int
    p95_ms: int
    p99_ms: int
    max_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CronHealth:
    """How a cron has done, up to now."""

    cron: Cron
    failures_in_a_row: int
    last_tick: CronTick | None
    lateness: Lateness | None
    """Of the newest runs; None if none is stored."""


async def cron_ticks(ctx: RequestContext, cron_id: str, window: Window) -> Page[CronTick]:
    """Read a page of the records of a cron's ticks, newest first; also of a deleted cron.

    Another user's cron has none.
    """
    return await ctx.engine.reads.find_page(CronTick, ctx.scope, window, cronId=cron_id)


async def cron_health(ctx: RequestContext, cron: Cron) -> CronHealth:
    """Read how a cron has done."""
    newest = await cron_ticks(ctx, cron.id, Window(limit=1))
    starts = await ctx.engine.reads.ticks.find_run_starts(cron.id, ctx.scope)
    states = await ctx.engine.reads.find_states(cron.executions) if cron.executions else {}
    history = count_failures(cron.failures, cron.executions, states)
    return CronHealth(
        cron=cron,
        failures_in_a_row=history.failures_in_a_row,
        last_tick=next(iter(newest.items), None),
        lateness=lateness_of(starts),
    )


def lateness_of(starts: Sequence[RunStart]) -> Lateness | None:
    """Compute the percentiles of how late runs started; None without runs."""
    if not starts:
        return None
    late = sorted(max((run.started_at - run.planned_at) // MILLISECOND, 0) for run in starts)

    def percentile(part: float) -> int:
        return late[min(int(len(late) * part), len(late) - 1)]

    return Lateness(
        runs=len(late),
        p50_ms=percentile(0.5),
        p95_ms=percentile(0.95),
        p99_ms=percentile(0.99),
        max_ms=late[-1],
    )
