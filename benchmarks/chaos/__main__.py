"""`make chaos`: harms an installation under load, again and again, and says what became of it."""

import argparse
import sys
import tempfile
import traceback
from pathlib import Path

from benchmarks.chaos import report
from benchmarks.chaos.checker import in_words
from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.live import run as live
from benchmarks.chaos.run import Verdict, clean, run

JOBS = 10_000
RUNS = {**dict.fromkeys(FAULTS, run), live.FAULT: live.run}
"""How each kind is run."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--fault", nargs="+", choices=RUNS, default=list(RUNS), help="these")
    parser.add_argument("--runs", type=int, default=1, help="runs of each fault (1)")
    parser.add_argument("--jobs", type=int, default=JOBS, help="acknowledged at least (10,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run (1)")
    parser.add_argument("--log", type=Path, help="keep each run's logs here, of good ones too")
    parser.add_argument("--record", action="store_true", help="write benchmarks/CHAOS.md")
    return parser.parse_args()


def judged(given: argparse.Namespace, fault: str, seed: int, folder: Path) -> Verdict | None:
    """Run once and say what became of it; None if the run itself did not work."""
    try:
        verdict = RUNS[fault](fault, seed, given.jobs, folder)
    except Exception:  # a run that breaks down must not take the others with it
        traceback.print_exc()
        print(f"{fault:7} seed {seed:<4} did not come to its end: see {folder}", flush=True)
        return None
    print(report.line(verdict), flush=True)
    if not verdict.is_ok:
        said = in_words(verdict.violations)
        (folder / "violations.txt").write_text(said)
        print(f"{said}\nSee {folder}", flush=True)
    return verdict


def main() -> None:
    given = options()
    folder: Path = given.log or Path(tempfile.mkdtemp(prefix="ostinato-chaos-"))
    found: list[Verdict | None] = []
    for seed in range(given.seed, given.seed + given.runs):
        for fault in given.fault:
            own = folder / f"{fault}-{seed}"
            own.mkdir(parents=True)
            found.append(judged(given, fault, seed, own))
            clean(own, found[-1] is not None and found[-1].is_ok and given.log is None)
    verdicts = [verdict for verdict in found if verdict is not None]
    if given.record:
        report.record(verdicts, sys.argv[1:])
    sys.exit(any(verdict is None or not verdict.is_ok for verdict in found))


if __name__ == "__main__":
    main()
