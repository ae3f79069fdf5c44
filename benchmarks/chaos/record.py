"""Owns the log of the runs that were recorded, a line each, and the page that is made of it.

Lines are only appended, by several processes at once if need be. `python -m
benchmarks.chaos.record` makes the page again, of logs that were put together.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from benchmarks import report
from benchmarks.chaos.recovery import Recovery
from benchmarks.chaos.run import Verdict
from benchmarks.chaos.summary import Entry, Surroundings, page
from benchmarks.machine import OUR_PACKAGES, machine, versions

HERE: Final = Path(__file__).parent.parent
SERVERS: Final = ("Python", "mongod", "Valkey")
START: Final = "<!-- runs: written by `make chaos ARGS=--record` -->"
END: Final = "<!-- end of runs -->"


@dataclass(frozen=True, slots=True)
class Record:
    """Two files, of which the second is made from the first."""

    log: Path = HERE / "chaos.log"
    page: Path = HERE / "CHAOS.md"

    def add(self, verdict: Verdict, around: Surroundings) -> None:
        """Append a run, and make the page anew."""
        entry = Entry.of(verdict, around)
        with self._alone() as file:
            file.write(f"{json.dumps(asdict(entry))}\n")
            file.flush()
            self._write_page()

    def renew(self) -> None:
        """Make the page anew."""
        with self._alone():
            self._write_page()

    def read(self) -> list[Entry]:
        """Give the runs in the order in which they ended."""
        return [_entry(json.loads(line)) for line in self.log.read_text().splitlines()]

    def _write_page(self) -> None:
        report.write(page(self.read()), self.page, (START, END))

    @contextmanager
    def _alone(self) -> Iterator[TextIO]:
        """Hold the log, so that nobody else appends to it meanwhile."""
        with self.log.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def surroundings() -> Surroundings:
    """Say what a run depends on beside its seed."""
    found, about = versions(), machine()
    load = about.pop("load average at the start")
    return Surroundings(
        machine=about,
        load=float(load),
        versions={name: found[name] for name in (*SERVERS, *OUR_PACKAGES)},
    )


def _entry(found: Mapping[str, Any]) -> Entry:
    recovery, around = Recovery(**found["recovery"]), Surroundings(**found["around"])
    return Entry(**{**found, "recovery": recovery, "around": around})


if __name__ == "__main__":
    Record().renew()
