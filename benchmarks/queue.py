"""Compares Ostinato with other job queues in one run; writes RESULTS.md and results.json."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import load_sections, measured, page, report, results, sections
from benchmarks.machine import machine, versions
from benchmarks.measures import (
    backlog,
    bulk,
    drain,
    flood,
    idle,
    latency,
    mixed,
    profile,
    requests,
    rescue,
)
from benchmarks.report import Found
from benchmarks.servers import Servers, started
from benchmarks.systems import (
    ALL,
    ARQ,
    ARQ_TUNED,
    BULLMQ,
    BULLMQ_FSYNCED,
    DBOS,
    OBAN,
    OUR_BULK,
    OUR_CALLS,
    OUR_MUTATIONS,
    OURS,
    PGQUEUER,
    PROCRASTINATE,
)

WITH_TWO_WORKERS: Final = (OURS, OUR_MUTATIONS, ARQ_TUNED, BULLMQ_FSYNCED, PGQUEUER)
BACKLOGS: Final = (1_000, 100_000, 1_000_000)
WORKERS: Final = (1, 2, 4)
ON_POSTGRES: Final = (PGQUEUER, OBAN, PROCRASTINATE, DBOS)
LATENCY_SYSTEMS: Final = (OURS, ARQ, ARQ_TUNED, BULLMQ, BULLMQ_FSYNCED, *ON_POSTGRES)
BULK_SYSTEMS: Final = (OUR_BULK, OUR_CALLS, BULLMQ_FSYNCED, *ON_POSTGRES)
RESCUED_SYSTEMS: Final = (OURS, ARQ_TUNED, BULLMQ_FSYNCED, *ON_POSTGRES)


def options() -> argparse.Namespace:
    """Read the arguments; `--quick` lowers the defaults."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and inexact, one round")
    parser.add_argument(
        "--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS), help="only these parts"
    )
    parser.add_argument("--rounds", type=int, help="rounds per system (3; quick: 1)")
    parser.add_argument("--jobs", type=int, help="jobs per drain (10,000; quick: 1,000)")
    parser.add_argument("--backlog", type=int, help="largest backlog (1,000,000; quick: 10,000)")
    parser.add_argument(
        "--planned", type=int, help="jobs whose latency is measured (201; quick: 40)"
    )
    parser.add_argument("--load", type=int, default=100, help="other jobs per second (100)")
    parser.add_argument("--flood", type=int, help="jobs of a flood (100,000; quick: 10,000)")
    parser.add_argument("--seconds", type=float, help="seconds of load on each API (5; quick: 2)")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds to idle (10)")
    parser.add_argument("--within", type=float, help="seconds to a rerun (150; quick: 15)")
    parser.add_argument("--output", type=Path, default=page.RESULTS, help="the file to write")
    parser.add_argument("--figures", type=Path, default=results.FILE, help="the JSON to write")
    args = parser.parse_args()
    quick = {"rounds": 1, "jobs": 1_000, "backlog": 10_000, "planned": 40, "seconds": 2.0}
    normal = {"rounds": 3, "jobs": 10_000, "backlog": 1_000_000, "planned": 201, "seconds": 5.0}
    quick |= {"flood": 10_000, "within": 15.0}
    normal |= {"flood": 100_000, "within": 150.0}
    for name, value in (quick if args.quick else normal).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def _drain(args: argparse.Namespace, servers: Servers) -> Found:
    systems = [(system, 1) for system in ALL] + [(system, 2) for system in WITH_TWO_WORKERS]
    found = drain.measure(servers, systems, args.jobs, args.rounds)
    return sections.drained(found, args.jobs), measured.drained(found)


def _bulk(args: argparse.Namespace, servers: Servers) -> Found:
    found = bulk.measure(servers, BULK_SYSTEMS, args.jobs, args.rounds)
    return load_sections.scheduled(found, args.jobs), measured.scheduled(found)


def _latency(args: argparse.Namespace, servers: Servers) -> Found:
    loads = (0, args.load)
    found = latency.measure(servers, LATENCY_SYSTEMS, loads, args.planned, args.rounds)
    return sections.late(found), measured.late(found)


def _rescue(args: argparse.Namespace, servers: Servers) -> Found:
    found = rescue.measure(servers, RESCUED_SYSTEMS, args.within, rounds=1)
    return load_sections.rescued(found, args.within), measured.rescued(found)


def _scaling(args: argparse.Namespace, servers: Servers) -> Found:
    systems = [(OURS, count) for count in WORKERS]
    found = drain.measure(servers, systems, args.jobs, args.rounds)
    return load_sections.scaled(found, os.cpu_count() or 1), measured.drained(found)


def _mixed(args: argparse.Namespace, servers: Servers) -> Found:
    found = mixed.measure(servers, args.jobs, args.rounds)
    return load_sections.mixed_with(found, args.jobs), measured.mixed_with(found)


def _flood(args: argparse.Namespace, servers: Servers) -> Found:
    found = flood.measure(servers, args.flood, args.planned, args.rounds)
    return load_sections.flooded(found), measured.flooded(found)


def _backlog(args: argparse.Namespace, servers: Servers) -> Found:
    levels = [level for level in BACKLOGS if level < args.backlog] + [args.backlog]
    found = backlog.measure(servers, levels, args.jobs, args.rounds)
    return sections.planned(found), measured.planned(found)


def _requests(args: argparse.Namespace, servers: Servers) -> Found:
    found = requests.measure(servers, args.seconds, args.rounds)
    return sections.answered(found), measured.answered(found)


def _idle(args: argparse.Namespace, servers: Servers) -> Found:
    found = idle.measure(servers, args.idle)
    return sections.idling(found, args.idle), measured.idling(found)


def _profile(args: argparse.Namespace, servers: Servers) -> Found:
    found = profile.measure(servers, [OURS, OUR_MUTATIONS], args.jobs)
    return sections.profiled(found), measured.profiled(found)


PARTS: Final[dict[str, Callable[[argparse.Namespace, Servers], Found]]] = {
    "drain": _drain,
    "bulk": _bulk,
    "latency": _latency,
    "rescue": _rescue,
    "scaling": _scaling,
    "mixed": _mixed,
    "flood": _flood,
    "backlog": _backlog,
    "requests": _requests,
    "idle": _idle,
    "profile": _profile,
}


def main() -> None:
    args = options()
    command = results.command("bench", sys.argv[1:])
    run = results.start(command, machine(), versions(), is_quick=args.quick)
    save = partial(results.write, run, path=args.figures)
    opening = sections.about(command, args.rounds, run.machine, run.versions)
    print(opening, flush=True)
    parts = {name: partial(PARTS[name], args) for name in args.only}
    with (
        tempfile.TemporaryDirectory(prefix="ostinato-bench-") as folder,
        started(Path(folder), with_postgres=True) as servers,
    ):
        found = report.run(parts, servers, save)
    page.write([opening, *found], args.output)
    print(f"Written to {args.output} and {args.figures}")


if __name__ == "__main__":
    main()
