"""Checks the calls that change, skip, trigger and backfill crons against the ledger. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from benchmarks.chaos.cron_load import SET
from benchmarks.chaos.history import History
from benchmarks.chaos.operations import Kind, Operation
from ostinato.jobs.cron_ledger import CronTick, TickOrigin, TickOutcome, TickReason


def ledgers(history: History) -> Iterator[str]:
    """The ledger of each cron, also of a deleted one, has one record for each of its runs, no tick
    runs twice, and the counts of a cron are the sums of its records."""
    records = defaultdict(list)
    for tick in history.cron_ticks:
        records[tick.cron_id].append(tick)
    crons = {cron.id: cron for cron in history.crons}
    for cron_id in records.keys() | crons.keys():
        ran = [tick for tick in records[cron_id] if tick.outcome is TickOutcome.RAN]
        runs = [job.id for job in history.children_of.get(cron_id, []) if not job.internal]
        if sorted(runs) != sorted(str(tick.job_id) for tick in ran):
            differ = set(runs) ^ {tick.job_id for tick in ran}
            yield f"{len(ran)} records of {cron_id} ran, and {len(runs)} jobs exist: {differ}"
        times = Counter(tick.scheduled_time for tick in ran if tick.origin is not _TRIGGER)
        if doubled := {at for at, number in times.items() if number > 1}:
            yield f"ticks of {cron_id} ran more than once: {doubled}"
        planned = sum(t.tick_count for t in records[cron_id] if t.origin is TickOrigin.SCHEDULE)
        if cron_id in crons and crons[cron_id].tick_counts.planned != planned:
            yield f"{cron_id} has {planned} recorded ticks, but {crons[cron_id].tick_counts}"
    if left := [cron.name for cron in history.crons if cron.managed_by == SET]:
        yield f"{left} were deleted with applyCrons"


_TRIGGER = TickOrigin.TRIGGER


def calls(history: History) -> Iterator[str]:
    """Each acknowledged call for a cron was done once, and others at most once."""
    ticks = history.cron_ticks
    yield from _triggers(history, [tick for tick in ticks if tick.origin is _TRIGGER])
    skips = [call for call in history.operations if call.request.kind is Kind.SKIP_NEXT_RUN]
    skipped = [tick for tick in ticks if tick.reason is TickReason.REQUESTED]
    yield from _between("skipped ticks", len(skipped), skips)
    backfills = [call for call in history.operations if call.request.kind is Kind.BACKFILL_CRON]
    started = sum(int(str(call.answer.value["started"])) for call in backfills if call.is_ok)
    backfilled = sum(tick.origin is TickOrigin.BACKFILL for tick in ticks)
    is_exact = all(call.is_ok or call.has_failed for call in backfills)
    if backfilled < started or (is_exact and backfilled > started):
        yield f"{backfilled} ticks were backfilled, and {started} were acknowledged"


def _triggers(history: History, records: list[CronTick]) -> Iterator[str]:
    """Each key has one run."""
    runs, keys = defaultdict(set), set()
    for call in history.operations:
        if call.request.kind is Kind.TRIGGER_CRON and not call.has_failed:
            keys.add(call.request.input["key"])
            if call.is_ok:
                runs[call.request.input["key"]].add(call.answer.value["triggered"])
    recorded = [tick.job_id for tick in records]
    for key, ids in runs.items():
        if len(ids) > 1 or not ids <= set(recorded):
            yield f"{key} was acknowledged as {ids}, and the ledger has {ids & set(recorded)}"
    if not len(runs) <= len(recorded) <= len(keys):
        yield f"{len(recorded)} triggered runs, of {len(keys)} keys, {len(runs)} acknowledged"


def _between(name: str, found: int, calls: list[Operation]) -> Iterator[str]:
    done, possible = sum(c.is_ok for c in calls), sum(not c.has_failed for c in calls)
    if not done <= found <= possible:
        yield f"{found} {name}, of {possible} calls, {done} acknowledged"
