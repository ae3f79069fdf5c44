"""Checks the files of a run, without a server: `python -m benchmarks.chaos.checker DIR`.

It reads only the operation log, the dump of the database, and the notes of actions.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.chaos import (
    acknowledgements,
    bulk,
    cron_verbs,
    history,
    outcomes,
    recovery,
    ticks,
    timelines,
)
from benchmarks.chaos.history import History

MAX_CHARACTERS: Final = 300  # characters of a violation; an error may contain its traceback
MAX_SHOWN: Final = 5  # violations of one check; a fault can cause very many


def _timelines(found: History) -> Iterator[str]:
    for job in found.jobs.values():
        for flaw in timelines.flaws(job):
            yield f"{job.id} ({job.function_name}): {flaw}"


def _unexpected_ends(found: History) -> Iterable[str]:
    return found.unexpected_ends


CHECKS: Final[dict[str, Callable[[History], Iterable[str]]]] = {
    "an acknowledged job is lost": acknowledgements.lost_jobs,
    "a call created an unexpected job": acknowledgements.unexpected_jobs,
    "a key gave two jobs": acknowledgements.keys,
    "a call was rejected without a reason": acknowledgements.rejections,
    "a cancellation was lost or not requested": acknowledgements.cancellations,
    "some jobs of one call are missing": bulk.many_jobs,
    "a retry was lost or not requested": bulk.manual_retries,
    "a due time was lost or not requested": bulk.due_times,
    "a bulk action has not done what it counts": bulk.bulk_actions,
    "a timeline is illegal": _timelines,
    "a job has not ended": outcomes.unfinished,
    "a job has a wrong purge time": outcomes.purge_times,
    "an effect is doubled or missing": outcomes.effects,
    "a counter is wrong": outcomes.counters,
    "a job scheduled too many or too few jobs": outcomes.children,
    "an action ran too often": outcomes.action_attempts,
    "a job ended wrongly": outcomes.final_states,
    "a tick is doubled or missing": ticks.ticks,
    "a cron and its ledger differ": cron_verbs.ledgers,
    "a call for a cron was lost or done twice": cron_verbs.calls,
    "a process ended by itself": _unexpected_ends,
    "recovery took too long": recovery.too_late,
}
"""The checks, by the name of the violation that each one finds."""


def violations(found: History) -> dict[str, list[str]]:
    """Return what each check found, empty if there is no violation."""
    results = {name: list(check(found)) for name, check in CHECKS.items()}
    return {name: descriptions for name, descriptions in results.items() if descriptions}


def formatted(found: dict[str, list[str]]) -> str:
    lines = []
    for name, descriptions in found.items():
        lines.append(f"{name} ({len(descriptions)}):")
        lines += [f"    {description[:MAX_CHARACTERS]}" for description in descriptions[:MAX_SHOWN]]
    return "\n".join(lines)


def main() -> None:
    found = violations(history.read(Path(sys.argv[1])))
    print(formatted(found) or "no violation found")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
