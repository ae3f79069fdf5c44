"""Judges a run from what it left, with no server running: `python -m benchmarks.chaos.checker DIR`.

It reads the operation log, the database at the end, and the notes of actions; nothing else.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.chaos import asked, history, left, recovery, ticks, timelines
from benchmarks.chaos.history import History

LONGEST: Final = 300  # characters of one; an error may bring its traceback
SHOWN: Final = 5  # violations of one check; there is no end to them once something is wrong


def _timelines(found: History) -> Iterator[str]:
    for job in found.jobs.values():
        for flaw in timelines.flaws(job):
            yield f"{job.id} ({job.function_name}): {flaw}"


def _deaths(found: History) -> Iterable[str]:
    return found.deaths


CHECKS: Final[dict[str, Callable[[History], Iterable[str]]]] = {
    "an acknowledged job is lost": asked.lost,
    "a call was answered by more than it asked": asked.answered_twice,
    "a key gave two jobs": asked.keys,
    "a call was refused without a reason": asked.refusals,
    "a cancellation was not kept": asked.cancellations,
    "a timeline is illegal": _timelines,
    "a job is undone": left.undone,
    "a job is not kept": left.kept,
    "an effect is doubled or missing": left.effects,
    "a counter is wrong": left.tallies,
    "a job scheduled too much or too little": left.children,
    "an action ran too often": left.runs_of_actions,
    "a job ended wrongly": left.endings,
    "a tick is doubled or missing": ticks.ticks,
    "a process ended by itself": _deaths,
    "it took too long": recovery.too_late,
}
"""What is wrong if a check finds anything."""


def violations(found: History) -> dict[str, list[str]]:
    """Give what each check found; empty if all is well."""
    judged = {name: list(check(found)) for name, check in CHECKS.items()}
    return {name: said for name, said in judged.items() if said}


def in_words(found: dict[str, list[str]]) -> str:
    lines = []
    for name, said in found.items():
        lines.append(f"{name} ({len(said)}):")
        lines += [f"    {one[:LONGEST]}" for one in said[:SHOWN]]
    return "\n".join(lines)


def main() -> None:
    found = violations(history.read(Path(sys.argv[1])))
    print(in_words(found) or "every promise was kept")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
