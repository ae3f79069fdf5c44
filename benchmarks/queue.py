"""Compares Ostinato with other job queues in one run, and writes RESULTS.md."""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import report, sections
from benchmarks.machine import machine, versions
from benchmarks.measures import backlog, drain, idle, latency, profile, requests
from benchmarks.servers import Servers, started
from benchmarks.systems import (
    ALL,
    ARQ,
    ARQ_TUNED,
    BULLMQ,
    BULLMQ_FSYNCED,
    OUR_MUTATIONS,
    OURS,
)

PARTS: Final = ("drain", "latency", "backlog", "requests", "idle", "profile")
WITH_TWO_WORKERS: Final = (OURS, OUR_MUTATIONS, ARQ_TUNED, BULLMQ_FSYNCED)
BACKLOGS: Final = (1_000, 100_000, 1_000_000)
LATENCY_SYSTEMS: Final = (OURS, ARQ, ARQ_TUNED, BULLMQ, BULLMQ_FSYNCED)


def options() -> argparse.Namespace:
    """Read the arguments; `--quick` lowers the defaults."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and inexact, one round")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, help="measure only these parts"
    )
    parser.add_argument("--rounds", type=int, help="rounds per system (3; quick: 1)")
    parser.add_argument("--jobs", type=int, help="jobs per drain (10,000; quick: 1,000)")
    parser.add_argument("--backlog", type=int, help="largest backlog (1,000,000; quick: 10,000)")
    parser.add_argument(
        "--planned", type=int, help="jobs whose latency is measured (201; quick: 40)"
    )
    parser.add_argument("--load", type=int, default=100, help="other jobs per second (100)")
    parser.add_argument("--seconds", type=float, help="seconds of load on each API (5; quick: 2)")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds to idle (10)")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="the file to write")
    args = parser.parse_args()
    quick = {"rounds": 1, "jobs": 1_000, "backlog": 10_000, "planned": 40, "seconds": 2.0}
    normal = {"rounds": 3, "jobs": 10_000, "backlog": 1_000_000, "planned": 201, "seconds": 5.0}
    for name, value in (quick if args.quick else normal).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def run(servers: Servers, args: argparse.Namespace) -> list[str]:
    """Measure the chosen parts and return their sections."""
    systems = [(system, 1) for system in ALL]
    systems += [(system, 2) for system in WITH_TWO_WORKERS]
    levels = [level for level in BACKLOGS if level < args.backlog] + [args.backlog]
    jobs, rounds = args.jobs, args.rounds
    parts = {
        "drain": lambda: sections.drained(drain.measure(servers, systems, jobs, rounds), jobs),
        "latency": lambda: sections.late(
            latency.measure(servers, LATENCY_SYSTEMS, (0, args.load), args.planned, rounds)
        ),
        "backlog": lambda: sections.planned(backlog.measure(servers, levels, jobs, rounds)),
        "requests": lambda: sections.answered(requests.measure(servers, args.seconds, rounds)),
        "idle": lambda: sections.idling(idle.measure(servers, args.idle), args.idle),
        "profile": lambda: sections.profiled(profile.measure(servers, [OURS, OUR_MUTATIONS], jobs)),
    }
    found = []
    for name in args.only:
        print(f"▸ {name}", flush=True)
        found.append(parts[name]())
        print(f"\n{found[-1]}\n", flush=True)
    return found


def main() -> None:
    args = options()
    command = f"make bench ARGS={shlex.quote(' '.join(sys.argv[1:]))}"
    opening = sections.about(command, args.rounds, machine(), versions())
    print(opening, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="ostinato-bench-") as folder,
        started(Path(folder)) as servers,
    ):
        found = run(servers, args)
    report.write([opening, *found], args.output)
    print(f"Written to {args.output}")


if __name__ == "__main__":
    main()
