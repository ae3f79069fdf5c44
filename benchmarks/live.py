"""Compares Ostinato's subscriptions with other servers, and writes its part of RESULTS.md."""

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import live_sections, measured, page, report, results, sections
from benchmarks.live_servers import OURS, OURS_PLAIN, systems
from benchmarks.machine import machine, versions
from benchmarks.measures import fan_out, following, quiet
from benchmarks.report import Found
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
    parser.add_argument("--output", type=Path, default=page.RESULTS, help="the file to write")
    parser.add_argument("--figures", type=Path, default=results.FILE, help="the JSON to write")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.sockets = args.sockets or (SOCKETS[:2] if args.quick else SOCKETS)
    return args


def parts(args: argparse.Namespace) -> dict[str, Callable[[Servers], Found]]:
    """Return the chosen parts."""
    serving = systems()
    max_sockets = max(sockets for sockets in args.sockets if sockets <= TOPICS[-1])
    sizes = [(sockets, 1) for sockets in args.sockets]
    topic_sizes = [(max_sockets, topics) for topics in TOPICS if topics <= max_sockets]
    fast = {name: serve for name, serve in serving.items() if name != OURS_PLAIN}

    def sockets(servers: Servers) -> Found:
        found = fan_out.measure(servers, serving, sizes, args.rounds)
        return live_sections.sockets(found), measured.delivered(found)

    def topics(servers: Servers) -> Found:
        found = fan_out.measure(servers, fast, topic_sizes, args.rounds)
        return live_sections.topics(found), measured.delivered(found)

    def write_to_socket(servers: Servers) -> Found:
        found = quiet.measure(servers, serving[OURS], args.rounds)
        return live_sections.quiet(found), measured.quietly(found)

    def followed(servers: Servers) -> Found:
        found = following.measure(servers, args.rounds)
        return live_sections.followed(found), measured.followed(found)

    all_parts = dict(zip(PARTS, (sockets, topics, write_to_socket, followed), strict=True))
    return {name: all_parts[name] for name in args.only}


def raise_file_limit() -> None:
    """Raise the soft limit of open files, which the measured processes inherit."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def main() -> None:
    args = options()
    raise_file_limit()
    command = results.command("bench-live", sys.argv[1:])
    run = results.start(command, machine(), versions(), is_quick=args.quick)
    save = partial(results.write, run, path=args.figures)
    opening = sections.about(command, args.rounds, run.machine, run.versions)
    print(opening, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="ostinato-bench-") as folder,
        started(Path(folder)) as servers,
    ):
        found = report.run(parts(args), servers, save)
    page.write([opening, *found], args.output, page.LIVE)
    print(f"Written to {args.output} and {args.figures}")


if __name__ == "__main__":
    main()
