"""Compares Ostinato's subscriptions with other servers, and writes its part of RESULTS.md."""

import argparse
import resource
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import live_sections, report, sections
from benchmarks.live_servers import OURS, OURS_PLAIN, systems
from benchmarks.machine import machine, versions
from benchmarks.measures import fan_out, following, quiet
from benchmarks.servers import Servers, started

SOCKETS: Final = (100, 1_000, 5_000)
TOPICS: Final = (1, 100, 1_000)
PARTS: Final = ("sockets", "topics", "quiet", "followed")


def options() -> argparse.Namespace:
    """Read the arguments; `--quick` lowers the defaults."""
    parser = argparse.ArgumentParser(prog="make bench-live", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and inexact, one round")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, help="measure only these parts"
    )
    parser.add_argument("--rounds", type=int, help="rounds per system (3; quick: 1)")
    parser.add_argument("--sockets", type=int, nargs="+", help="numbers of sockets")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="the file to write")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.sockets = args.sockets or (SOCKETS[:2] if args.quick else SOCKETS)
    return args


def run(servers: Servers, args: argparse.Namespace) -> list[str]:
    """Measure the chosen parts and return their sections."""
    servers_by_name = systems()
    max_sockets = max(sockets for sockets in args.sockets if sockets <= TOPICS[-1])
    sizes = [(sockets, 1) for sockets in args.sockets]
    topic_sizes = [(max_sockets, topics) for topics in TOPICS if topics <= max_sockets]
    fast_servers = {name: serve for name, serve in servers_by_name.items() if name != OURS_PLAIN}
    parts = {
        "sockets": lambda: live_sections.sockets(
            fan_out.measure(servers, servers_by_name, sizes, args.rounds)
        ),
        "topics": lambda: live_sections.topics(
            fan_out.measure(servers, fast_servers, topic_sizes, args.rounds)
        ),
        "quiet": lambda: live_sections.quiet(
            quiet.measure(servers, servers_by_name[OURS], args.rounds)
        ),
        "followed": lambda: live_sections.followed(following.measure(servers, args.rounds)),
    }
    sections_ = []
    for name in args.only:
        print(f"▸ {name}", flush=True)
        sections_.append(parts[name]())
        print(f"\n{sections_[-1]}\n", flush=True)
    return sections_


def raise_file_limit() -> None:
    """Raise the soft limit of open files, which the measured processes inherit."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def main() -> None:
    args = options()
    raise_file_limit()
    command = f"make bench-live ARGS={shlex.quote(' '.join(sys.argv[1:]))}"
    opening = sections.about(command, args.rounds, machine(), versions())
    print(opening, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="ostinato-bench-") as folder,
        started(Path(folder)) as servers,
    ):
        found = run(servers, args)
    report.write([opening, *found], args.output, report.LIVE)
    print(f"Written to {args.output}")


if __name__ == "__main__":
    main()
