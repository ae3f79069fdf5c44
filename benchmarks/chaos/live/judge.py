"""Judges a run from what it left, with no server running.

`python -m benchmarks.chaos.live.judge DIR`
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.chaos import checker, history
from benchmarks.chaos.history import History
from benchmarks.chaos.live import checks, facts, log
from benchmarks.chaos.live.facts import Facts
from benchmarks.chaos.live.views import Diary, diary
from ostinato.jobs.records import CauseKind

GONE_FOR_GOOD: Final = "a socket was closed for good"
RETURNABLE: Final = frozenset({None, 1000, 1001, 1006, 1012, 1013, 4408})
SLOW: Final = 1013
OTHERS: Final = frozenset({CauseKind.REQUEST, CauseKind.BATCH, CauseKind.RECURRING})


def violations(diaries: Sequence[Diary], found: Facts) -> dict[str, list[str]]:
    """Give what each check of the live layer found; empty if all is well."""
    said = defaultdict(list)
    for each in diaries:
        for story in each.stories:
            for name, flaw in checks.flaws(story, found):
                said[name].append(f"{story.name} ({story.want.root} {story.want.filter}): {flaw}")
        for code in each.codes:
            if code not in RETURNABLE:
                said[GONE_FOR_GOOD].append(f"with code {code}")
    return dict(said)


def besides(diaries: Sequence[Diary]) -> str:
    """Say in a few words what the clients went through."""
    stories = [story for each in diaries for story in each.stories]
    codes = Counter(code for each in diaries for code in each.codes)
    moved = sum(_moves(each.opened) for each in diaries)
    left = sum(each.left for each in diaries)
    return (
        f"{len(diaries)} clients, {len(stories)} subscriptions: "
        f"{sum(story.messages for story in stories):,} messages, "
        f"{sum(story.resumed for story in stories):,} resumed "
        f"({moved} at another API, {codes[SLOW]} too slow, {left} left), "
        f"{sum(len(story.lives) - 1 for story in stories)} began anew"
    )


def _moves(apis: Sequence[int]) -> int:
    return sum(before != after for before, after in pairwise(apis))


def of_the_load(found: History) -> History:
    """Leave out the jobs of what is no job: the load's promises say nothing of them."""
    jobs = {job.id: job for job in found.jobs.values() if job.cause.kind not in OTHERS}
    return replace(found, jobs=jobs, failures=found.failures & jobs.keys())


def read(folder: Path) -> tuple[History, list[Diary], Facts]:
    diaries = [diary(f"{number:03}", lines) for number, lines in enumerate(log.read(folder))]
    return history.read(folder), diaries, facts.read(folder)


def all_violations(found: History, diaries: Sequence[Diary], known: Facts) -> dict[str, list[str]]:
    return {**violations(diaries, known), **checker.violations(of_the_load(found))}


def main() -> None:
    said = all_violations(*read(Path(sys.argv[1])))
    print(checker.in_words(said) or "every promise was kept")
    sys.exit(bool(said))


if __name__ == "__main__":
    main()
