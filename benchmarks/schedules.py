"""Measures the pure functions of schedules: `python -m benchmarks.schedules`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Final

from ostinato.jobs.planned_ticks import planned_ticks
from ostinato.jobs.records import CronSchedule

START: Final = datetime(2026, 10, 10, tzinfo=UTC)
MONTH: Final = timedelta(days=30)
REPEATS: Final = 5
PREVIEWS: Final = ("*/5 * * * *", "0 9 * * mon-fri", "0 0 13 * fri", "@monthly", "@yearly")


def preview(spec: str, count: int = 1_000) -> int:
    """Compute the next ticks of a schedule in a zone with changes of the clocks."""
    schedule = CronSchedule(cronspec=spec, tz="Europe/Berlin")
    return sum(tick.runs for tick in islice(planned_ticks(schedule, START), count))


def compare(before: str, after: str) -> int:
    """Compute the runs of a month that a change adds or removes."""
    return len(_runs(before) ^ _runs(after))


def _runs(spec: str) -> set[datetime]:
    ticks = planned_ticks(CronSchedule(cronspec=spec, tz="Europe/Berlin"), START)
    return {tick.due for tick in takewhile(lambda tick: tick.due < START + MONTH, ticks)}


def fastest_ms(work: Callable[[], object]) -> float:
    """Return the shortest of several durations, in ms of processor time."""
    durations = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        durations.append(time.process_time() - started)
    return min(durations) * 1_000


def main() -> None:
    for spec in PREVIEWS:
        print(f"preview of 1,000 runs of {spec!r}: {fastest_ms(lambda s=spec: preview(s)):.1f} ms")  # type: ignore[misc]
    took = fastest_ms(lambda: compare("* * * * *", "1-59 * * * *"))
    print(f"comparison of 30 days of minutes, 43,200 ticks twice: {took:.0f} ms")


if __name__ == "__main__":
    main()
