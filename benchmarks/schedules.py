"""Measures the pure functions of schedules: `python -m benchmarks.schedules`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
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


def preview(spec: str, zone: str) -> int:
    """Compute the next ticks of a schedule."""
    schedule = CronSchedule(cronspec=spec, tz=zone)
    return sum(tick.runs for tick in islice(planned_ticks(schedule, START), PREVIEWED))


def compare(after: str) -> int:
    """Compute which runs of a month a change adds and removes."""
    *_, changes = compare_runs(_plan("* * * * *"), _plan(after), START + MONTH)
    return changes.added_count + changes.removed_count


def _plan(spec: str) -> RunPlan:
    schedule = CronSchedule(cronspec=spec, tz=ZONES[0])
    return RunPlan(table=Timetable(schedule=schedule), decided_until=START)


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
    for changed in CHANGES:
        took_ms = min(cpu_ms(partial(compare, changed)) for _ in range(REPEATS))
        print(f"'* * * * *' changed to {changed!r}, compared over 30 days: {took_ms:.0f} ms")


if __name__ == "__main__":
    main()
