"""The append-only log of recorded runs, and the page that is generated from it.

Several processes may append concurrently. `python -m benchmarks.chaos.record` regenerates the
page, for example after logs were merged.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from benchmarks.chaos.recovery import Recovery
from benchmarks.chaos.run import RunResult
from benchmarks.chaos.summary import Entry, Environment, page
from benchmarks.machine import OUR_PACKAGES, machine, versions
from benchmarks.page import write

FOLDER: Final = Path(__file__).parent.parent
SERVERS: Final = ("Python", "mongod", "Valkey")
START: Final = "<!-- runs: written by `make chaos ARGS=--record` -->"
END: Final = "<!-- end of runs -->"


@dataclass(frozen=True, slots=True)
class Record:
    """The log, and the page that is generated from it."""

    log: Path = FOLDER / "chaos.log"
    page: Path = FOLDER / "CHAOS.md"

    def add(self, result: RunResult, environment: Environment) -> None:
        """Append a run, and regenerate the page."""
        entry = Entry.of(result, environment)
        with self._locked() as file:
            file.write(f"{json.dumps(asdict(entry))}\n")
            file.flush()
            self._write_page()

    def regenerate(self) -> None:
        """Regenerate the page."""
        with self._locked():
            self._write_page()

    def read(self) -> list[Entry]:
        """Return the runs in the order in which they ended."""
        return [_entry(json.loads(line)) for line in self.log.read_text().splitlines()]

    def _write_page(self) -> None:
        write(page(self.read()), self.page, (START, END))

    @contextmanager
    def _locked(self) -> Iterator[TextIO]:
        """Lock the log against concurrent appends."""
        with self.log.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def current_environment() -> Environment:
    """Return the environment of a run on this machine."""
    found, about = versions(), machine()
    load = about.pop("load average at the start")
    return Environment(
        machine=about,
        load=float(load),
        versions={name: found[name] for name in (*SERVERS, *OUR_PACKAGES)},
    )


def _entry(found: Mapping[str, Any]) -> Entry:
    recovery, environment = Recovery(**found["recovery"]), Environment(**found["environment"])
    return Entry(**{**found, "recovery": recovery, "environment": environment})


if __name__ == "__main__":
    Record().regenerate()
