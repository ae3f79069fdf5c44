"""Compares our subscriptions with other servers in one run; writes its part of RESULTS.md."""

import argparse
import resource
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import live_sections, report, sections
from benchmarks.live_servers import OURS, OURS_PLAIN, contestants
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
    given = parser.parse_args()
    given.rounds = given.rounds or (1 if given.quick else 3)
    given.sockets = given.sockets or (SOCKETS[:2] if given.quick else SOCKETS)
    return given


def run(servers: Servers, given: argparse.Namespace) -> list[str]:
    """Measure the chosen parts and return their sections."""
    every = contestants()
    most = max(each for each in given.sockets if each <= TOPICS[-1])
    sizes = [(each, 1) for each in given.sockets]
    spread = [(most, each) for each in TOPICS if each <= most]
    fewer = {name: serve for name, serve in every.items() if name != OURS_PLAIN}
    parts = {
        "sockets": lambda: live_sections.sockets(
            fan_out.measure(servers, every, sizes, given.rounds)
        ),
        "topics": lambda: live_sections.topics(
            fan_out.measure(servers, fewer, spread, given.rounds)
        ),
        "quiet": lambda: live_sections.quiet(quiet.measure(servers, every[OURS], given.rounds)),
        "followed": lambda: live_sections.followed(following.measure(servers, given.rounds)),
    }
    found = []
    for name in given.only:
        print(f"▸ {name}", flush=True)
        found.append(parts[name]())
        print(f"\n{found[-1]}\n", flush=True)
    return found


def allow_sockets() -> None:
    """Raise the soft limit of open files, which the measured processes inherit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    given = options()
    allow_sockets()
    command = f"make bench-live ARGS={shlex.quote(' '.join(sys.argv[1:]))}"
    opening = sections.about(command, given.rounds, machine(), versions())
    print(opening, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="ostinato-bench-") as folder,
        started(Path(folder)) as servers,
    ):
        found = run(servers, given)
    report.write([opening, *found], given.output, report.LIVE)
    print(f"Written to {given.output}")


if __name__ == "__main__":
    main()
