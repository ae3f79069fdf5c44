"""The records of the tick ledger: what became of each planned tick of a cron. No I/O.

Every tick that a cron's schedule plans gets one outcome, in the transaction that decides about it.
Consecutive ticks with one outcome and reason share a record, with their number and the first and
last of them, so that a long outage of a fast schedule leaves one record. The counts of a cron's
records therefore add up: planned = ran + skipped + missed + coalesced + canceled, without the ticks
that wait in its queue. Runs that a client asked for are recorded too, but are not planned.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class TickOutcome(StrEnum):
    """What became of a planned tick."""

    RAN = "ran"
    SKIPPED = "skipped"
    MISSED = "missed"
    COALESCED = "coalesced"
    CANCELED = "canceled"


class TickReason(StrEnum):
    """Why a tick did not run."""

    OVERLAP = "overlap"
    QUEUE_FULL = "queueFull"
    PAUSED = "paused"
    ROLE_LOST = "roleLost"
    OWNER_SUSPENDED = "ownerSuspended"
    EXCLUDED = "excluded"
    CLOCK_CHANGE = "clockChange"
    REQUESTED = "requested"
    QUOTA_EXCEEDED = "quotaExceeded"
    FUNCTION_REFUSED = "functionRefused"
    DOWNTIME = "downtime"
    TOO_MANY_MISSED = "tooManyMissed"
    TOO_OLD = "tooOld"
    CAUGHT_UP = "caughtUp"
    CHANGED = "changed"
    DELETED = "deleted"
    FAILED_RUNS = "failedRuns"
    MAX_RUNS = "maxRuns"


class TickOrigin(StrEnum):
    """What asked for a run. Only ticks of the schedule are planned."""

    SCHEDULE = "schedule"
    TRIGGER = "trigger"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One tick, or consecutive ticks with one outcome and reason, to record."""

    outcome: TickOutcome
    first: datetime
    """The planned time of the tick, or of the first."""
    last: datetime | None = None
    """The planned time of the last of several ticks."""
    count: int = 1
    reason: TickReason | None = None
    """None if the tick ran."""
    job_id: str | None = None
    """The run's job; of a coalesced tick, the job that ran instead."""
    delay_ms: int = 0
    """The random delay of the run, by the cron's `jitterMs`."""
    origin: TickOrigin = TickOrigin.SCHEDULE

    @property
    def did_run(self) -> bool:
        """Whether the tick has a run of its own."""
        return self.outcome is TickOutcome.RAN


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTick:
    """A record of the ledger. Written once, never changed; deleted by age."""

    id: str
    cron_id: str
    owner: str | None
    outcome: TickOutcome
    scheduled_time: datetime
    """The planned time of the tick, or of the first."""
    last_scheduled_time: datetime
    """The planned time of the last; equals `scheduled_time` for one tick."""
    tick_count: int
    origin: TickOrigin
    recorded_at: datetime
    version: int
    reason: TickReason | None = None
    job_id: str | None = None
    delay_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TickCounts:
    """The number of a cron's planned ticks with each outcome, since its registration."""

    ran: int = 0
    skipped: int = 0
    missed: int = 0
    coalesced: int = 0
    canceled: int = 0

    @property
    def planned(self) -> int:
        """The number of planned ticks whose outcome is decided."""
        return self.ran + self.skipped + self.missed + self.coalesced + self.canceled


NO_TICKS: Final = TickCounts()
_OUTCOMES: Final = tuple(outcome.value for outcome in TickOutcome)


def cron_tick_from(document: Mapping[str, Any]) -> CronTick:
    """Decode a stored record."""
    reason = document.get("reason")
    first = document["scheduledTime"]
    return CronTick(
        id=document["_id"],
        cron_id=document["cronId"],
        owner=document["owner"],
        outcome=TickOutcome(document["outcome"]),
        scheduled_time=first,
        last_scheduled_time=document.get("lastScheduledTime", first),
        tick_count=document.get("tickCount", 1),
        origin=TickOrigin(document.get("origin", TickOrigin.SCHEDULE)),
        recorded_at=document["recordedAt"],
        version=document["version"],
        reason=None if reason is None else TickReason(reason),
        job_id=document.get("jobId"),
        delay_ms=document.get("delayMs", 0),
    )


def tick_counts_from(cron: Mapping[str, Any]) -> TickCounts:
    """Decode the counts in a cron's document; a malformed or missing count is 0."""
    stored = cron.get("tickCounts")
    given = stored if isinstance(stored, Mapping) else {}
    return TickCounts(
        **{name: count for name in _OUTCOMES if isinstance(count := given.get(name), int)}
    )


def tick_document(entry: LedgerEntry, **fields: Any) -> dict[str, Any]:
    """Build the stored form of an entry; `fields` are those that do not depend on it."""
    document = {
        **fields,
        "outcome": entry.outcome.value,
        "scheduledTime": entry.first,
        "version": 1,
    }
    if entry.count > 1:
        document |= {"lastScheduledTime": entry.last or entry.first, "tickCount": entry.count}
    optional = {
        "reason": entry.reason and entry.reason.value,
        "jobId": entry.job_id,
        "delayMs": entry.delay_ms,
        "origin": None if entry.origin is TickOrigin.SCHEDULE else entry.origin.value,
    }
    return document | {name: value for name, value in optional.items() if value}


def add_counts(counts: TickCounts, entries: Iterable[LedgerEntry]) -> TickCounts:
    """Add the planned ticks of entries."""
    sums = counts_document(counts)
    for entry in entries:
        if entry.origin is TickOrigin.SCHEDULE:
            sums[entry.outcome.value] += entry.count
    return TickCounts(**sums)


def counts_document(counts: TickCounts) -> dict[str, int]:
    """Build the stored form of counts."""
    return {name: getattr(counts, name) for name in _OUTCOMES}


def entries_of(
    ticks: Sequence[datetime], outcome: TickOutcome, reason: TickReason | None = None
) -> list[LedgerEntry]:
    """Build the entry of consecutive ticks with one outcome, oldest first; empty for none."""
    if not ticks:
        return []
    first, last = ticks[0], ticks[-1]
    entry = LedgerEntry(outcome=outcome, first=first, last=last, count=len(ticks), reason=reason)
    return [entry]
