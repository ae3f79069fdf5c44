"""`make chaos`: injects faults into an installation under load, and prints the results."""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from benchmarks.chaos.checker import formatted
from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.live import run as live
from benchmarks.chaos.outbox import run as outbox
from benchmarks.chaos.record import Record, current_environment
from benchmarks.chaos.run import RunResult, clean, crashed, run
from benchmarks.chaos.summary import line

JOBS = 10_000
RUNS = {**dict.fromkeys(FAULTS, run), live.FAULT: live.run, outbox.FAULT: outbox.run}
"""The function that runs each kind of fault."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument(
        "--fault", nargs="+", choices=RUNS, default=list(RUNS), help="faults to inject (all)"
    )
    parser.add_argument("--runs", type=int, default=1, help="runs of each fault (1)")
    parser.add_argument(
        "--jobs", type=int, default=JOBS, help="minimum of acknowledged jobs (10,000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first run (1)")
    parser.add_argument("--log", type=Path, help="keep the logs of all runs here")
    parser.add_argument(
        "--record", action="store_true", help="append to benchmarks/chaos.log and CHAOS.md"
    )
    return parser.parse_args()


def run_once(fault: str, seed: int, jobs: int, folder: Path) -> RunResult:
    """Run once, and print the result."""
    started = time.monotonic()
    try:
        result = RUNS[fault](fault, seed, jobs, folder)
    except Exception as error:  # a run that crashes must not prevent the others
        traceback.print_exc()
        result = crashed(fault, seed, error, time.monotonic() - started)
    print(line(result), flush=True)
    if not result.is_ok:
        text = formatted(result.violations)
        (folder / "violations.txt").write_text(text)
        print(f"{text}\nSee {folder}", flush=True)
    return result


def main() -> None:
    args = options()
    folder: Path = args.log or Path(tempfile.mkdtemp(prefix="ostinato-chaos-"))
    all_ok = True
    for seed in range(args.seed, args.seed + args.runs):
        for fault in args.fault:
            run_folder = folder / f"{fault}-{seed}"
            run_folder.mkdir(parents=True)
            environment = current_environment() if args.record else None
            result = run_once(fault, seed, args.jobs, run_folder)
            if environment is not None:
                Record().add(result, environment)
            clean(run_folder, entirely=result.is_ok and args.log is None)
            all_ok &= result.is_ok
    sys.exit(not all_ok)


if __name__ == "__main__":
    main()
