"""Measures the pure functions of schedules: `python -m benchmarks.schedules`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, product
from typing import Final

from ostinato.jobs.cron_preview import RunPlan, compare_runs
from ostinato.jobs.due_ticks import Timetable
from ostinato.jobs.planned_ticks import planned_ticks
from ostinato.jobs.records import CronSchedule

START: Final = datetime(2026, 10, 10, tzinfo=UTC)
MONTH: Final = timedelta(days=30)
REPEATS: Final = 5
PREVIEWED: Final = 1_000  # ticks, as many as a preview may have
PREVIEWS: Final = (
    *("* * * * *", "0 9 * * mon-fri", "0 0 13 * fri", "0 0 L * *", "@yearly"),
    *("0 0 29 2 *", "0 0 29 2 mon#5"),
)
ZONES: Final = ("Europe/Berlin", "America/New_York", "Australia/Sydney")
CHANGES: Final = ("1-59 * * * *", "*/2 * * * *", "0 * * * *")
"""What a cron of each minute is changed to."""
JITTERS_MS: Final = (0, 5_000, 90_000)
"""The last one is longer than a minute: delays that differ are compared."""


def preview(spec: str, zone: str) -> int:
    """Compute the next ticks of a schedule."""
    schedule = CronSchedule(cronspec=spec, tz=zone)
    return sum(tick.runs for tick in islice(planned_ticks(schedule, START), PREVIEWED))


def compare(after: str, jitter_ms: int) -> int:
    """Compute which runs of a month a change adds and removes."""
    before = _plan("* * * * *", jitter_ms)
    *_, changes = compare_runs(before, _plan(after, jitter_ms), START + MONTH)
    return changes.added_count + changes.removed_count


def _plan(spec: str, jitter_ms: int) -> RunPlan:
    schedule = CronSchedule(cronspec=spec, tz=ZONES[0])
    table = Timetable(schedule=schedule, jitter_ms=jitter_ms)
    return RunPlan(table=table, decided_until=START)


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the processor time that some work takes."""
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1_000


def main() -> None:
    """Print the processor time of previews; each zone and schedule is new to this process."""
    for spec in PREVIEWS:
        took = ", ".join(f"{cpu_ms(partial(preview, spec, zone)):.1f}" for zone in ZONES)
        print(f"preview of {PREVIEWED:,} ticks of {spec!r} in {', '.join(ZONES)}: {took} ms")
    for jitter_ms, changed in product(JITTERS_MS, CHANGES):
        took_ms = min(cpu_ms(partial(compare, changed, jitter_ms)) for _ in range(REPEATS))
        delayed = f"with a random delay of {jitter_ms / 1_000:g} s, " if jitter_ms else ""
        print(f"'* * * * *' changed to {changed!r}, {delayed}over 30 days: {took_ms:.0f} ms")


if __name__ == "__main__":
    main()
