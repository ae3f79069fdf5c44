"""Writes the ledger of a cron's ticks, in the transaction of the caller.

For each write of a cron's document that decides about ticks: call `record_ticks`, and write the
fields that it returns with the document. The document's `nextRunTime` is the first tick without a
record, except for those in `queuedTicks`, which get theirs when they run or are dropped.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from ostinato.jobs.async_tools.cpu_thread import run_in_cpu_thread
from ostinato.jobs.context import Context
from ostinato.jobs.cron_ledger import (
    LedgerEntry,
    TickOrigin,
    TickOutcome,
    TickReason,
    add_counts,
    counts_document,
    entries_of,
    tick_counts_from,
    tick_document,
)
from ostinato.jobs.documents import cron_from
from ostinato.jobs.due_ticks import (
    TickDecision,
    Timetable,
    dropped_entries,
    last_decided,
    next_tick_fields,
    range_entry,
    unrunnable_entries,
)
from ostinato.jobs.errors import Malformed
from ostinato.jobs.functions.calendars import read_timetable
from ostinato.jobs.functions.cron_checks import now_after_ticks
from ostinato.jobs.functions.cron_ticks import OverlapResult, queued_ticks
from ostinato.jobs.malformed import read_as
from ostinato.jobs.passed_ticks import PassedTicks, TickRange, passed_ticks
from ostinato.jobs.records import CatchUpPolicy, Cron, PauseReason

PAUSES: Final = frozenset(
    {TickReason.ROLE_LOST, TickReason.OWNER_SUSPENDED, TickReason.FAILED_RUNS}
)
"""Reasons for which due ticks are skipped, rather than canceled by a client."""


async def record_ticks(
    ctx: Context, found: dict[str, Any], entries: Sequence[LedgerEntry]
) -> dict[str, Any]:
    """Insert a record for each entry, in this order, with one command.

    `found` is the cron's document. Returns its changed fields, `tickCounts`; the caller must write
    them in the same transaction. Runs that a client asked for (`origin`) are not counted there.
    """
    if not entries:
        return {}
    now = await ctx.now()
    common = {
        "cronId": found["_id"],
        "owner": found.get("owner"),
        "recordedAt": now,
        "purgeAt": now + timedelta(milliseconds=ctx.settings.cron_tick_retention_ms),
    }
    documents = [tick_document(entry, _id=ctx.new_id(), **common) for entry in entries]
    await ctx.db.internal_collection("cronTicks").insert_many(documents)
    return {"tickCounts": counts_document(add_counts(tick_counts_from(found), entries))}


async def record_decision(
    ctx: Context,
    found: dict[str, Any],
    cron: Cron,
    done: OverlapResult,
    decided: TickDecision | None = None,
) -> dict[str, Any]:
    """Record what became of due and queued ticks.

    Returns changed fields like `record_ticks`, and `skippedTicks`. `decided` is None if only queued
    ticks were started.
    """
    entries = done.entries
    if decided is not None and decided.missed is not None:
        entries = [_missed_entry(cron.catch_up, decided.missed, decided.runs, done), *entries]
    if decided is not None and decided.too_old is not None:
        too_old = range_entry(decided.too_old, TickOutcome.MISSED, TickReason.TOO_OLD)
        entries = [too_old, *entries]
    skipped = sum(
        entry.count
        for entry in entries
        if not entry.did_run and entry.origin is TickOrigin.SCHEDULE
    )
    not_run = () if decided is None else decided.unrunnable
    return {
        **await record_ticks(ctx, found, [*not_run, *entries]),
        "skippedTicks": cron.skipped_ticks + skipped,
    }


def _missed_entry(
    policy: CatchUpPolicy, missed: TickRange, runs: Sequence[datetime], done: OverlapResult
) -> LedgerEntry:
    """Build the record of the older ticks: coalesced if the newest one runs in their place."""
    if policy is CatchUpPolicy.ALL:
        return range_entry(missed, TickOutcome.MISSED, TickReason.TOO_MANY_MISSED)
    newest = runs[-1] if runs and policy is CatchUpPolicy.LATEST else None
    job_id = None if newest is None else done.job_of(newest)
    if job_id is not None or newest in done.queued:
        entry = range_entry(missed, TickOutcome.COALESCED, TickReason.CAUGHT_UP)
        return replace(entry, job_id=job_id)
    return range_entry(missed, TickOutcome.MISSED, TickReason.DOWNTIME)


async def settle_ticks(
    ctx: Context,
    found: dict[str, Any],
    reason: TickReason,
    *,
    drops_queue: bool = True,
    until: datetime | None = None,
) -> dict[str, Any]:
    """Record the ticks up to now that will never run, because the cron is paused, changed or
    deleted; call it with the document as it was before.

    If the caller plans the next tick, it passes the time after which it has planned (`until`):
    the clock moves on, and a tick in between would have no outcome, or two.

    Due ticks are canceled for `reason`, or missed if no worker ran them in time. While the cron was
    paused, they were skipped. Queued ticks are canceled and what is left of a backfill is dropped,
    unless `drops_queue` is False. Returns changed fields like `record_ticks`, with `nextRunTime`,
    `queuedTicks` and `backfillTicks`, which the caller may overwrite; for a malformed document,
    records nothing.
    """
    try:
        cron = read_as(cron_from, found)
    except Malformed:
        return {"queuedTicks": [], "backfillTicks": []} if drops_queue else {}
    now = until or await now_after_ticks(ctx, found)
    table = await read_timetable(ctx, cron)
    after = last_decided(cron, found.get("undecided"))
    compute = partial(_passed, table, after, now)
    passed, following = await run_in_cpu_thread(ctx.owner, compute)
    entries = _passed_entries(table, cron, passed, now, reason)
    next_tick = next_tick_fields(max(following, cron.next_run_time), passed.reached)
    fields = {**next_tick, "decidedAt": now}
    if drops_queue:
        entries = [*entries_of(queued_ticks(found), TickOutcome.CANCELED, reason), *entries]
        fields |= {"queuedTicks": [], "backfillTicks": []}
    return fields | await record_ticks(ctx, found, entries)


def _passed(table: Timetable, after: datetime, now: datetime) -> tuple[PassedTicks, datetime]:
    """Return the planned ticks to now, delayed ones too, and the tick after them."""
    passed = passed_ticks(table.schedule, after, table.before_end(now), table.excluded)
    return passed, table.next_tick(passed.reached)


def _passed_entries(
    table: Timetable, cron: Cron, passed: PassedTicks, now: datetime, reason: TickReason
) -> list[LedgerEntry]:
    if cron.enabled:
        outcome = TickOutcome.SKIPPED if reason in PAUSES else TickOutcome.CANCELED
        return dropped_entries(table, passed, now, (outcome, reason))
    skipped = []
    if passed.runnable is not None:
        because = pause_reason(cron.paused_because)
        skipped = [range_entry(passed.runnable, TickOutcome.SKIPPED, because)]
    return [*unrunnable_entries(passed), *skipped]


def pause_reason(paused_because: PauseReason | None) -> TickReason:
    """Return why the ticks of a paused cron are skipped."""
    if paused_because is not None and paused_because.value in set(TickReason):
        return TickReason(paused_because.value)
    return TickReason.PAUSED
