"""`make chaos`: harms an installation under load, again and again, and says what became of it."""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from benchmarks.chaos.checker import in_words
from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.live import run as live
from benchmarks.chaos.record import Record, surroundings
from benchmarks.chaos.run import Verdict, broken_down, clean, run
from benchmarks.chaos.summary import line

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
    parser.add_argument(
        "--record", action="store_true", help="add to benchmarks/chaos.log and CHAOS.md"
    )
    return parser.parse_args()


def judged(fault: str, seed: int, jobs: int, folder: Path) -> Verdict:
    """Run once and say what became of it."""
    began = time.monotonic()
    try:
        verdict = RUNS[fault](fault, seed, jobs, folder)
    except Exception as error:  # a run that breaks down must not take the others with it
        traceback.print_exc()
        verdict = broken_down(fault, seed, error, time.monotonic() - began)
    print(line(verdict), flush=True)
    if not verdict.is_ok:
        said = in_words(verdict.violations)
        (folder / "violations.txt").write_text(said)
        print(f"{said}\nSee {folder}", flush=True)
    return verdict


def main() -> None:
    given = options()
    folder: Path = given.log or Path(tempfile.mkdtemp(prefix="ostinato-chaos-"))
    all_ok = True
    for seed in range(given.seed, given.seed + given.runs):
        for fault in given.fault:
            own = folder / f"{fault}-{seed}"
            own.mkdir(parents=True)
            around = surroundings() if given.record else None
            verdict = judged(fault, seed, given.jobs, own)
            if around is not None:
                Record().add(verdict, around)
            clean(own, entirely=verdict.is_ok and given.log is None)
            all_ok &= verdict.is_ok
    sys.exit(not all_ok)


if __name__ == "__main__":
    main()
