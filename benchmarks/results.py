"""The figures of all runs, by part: benchmarks/results.json. Imports nothing of the product."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

FILE: Final = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One figure of one system in all rounds."""

    system: str
    case: str
    """What distinguishes measurements of the system in this part: workers, load, sockets."""
    metric: str
    """What was measured, with its unit."""
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a part was measured."""

    command: str
    measured_at: str
    is_quick: bool
    machine: Mapping[str, str]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    run: Run
    figures: Sequence[Measured]


class Results:
    """The newest run of each part."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self.parts = parts

    def median(self, part: str, system: str, metric: str, case: str = "") -> float | None:
        """Return the median of the rounds; None if it was not measured."""
        for figure in self.parts[part].figures if part in self.parts else ():
            if (figure.system, figure.metric, figure.case) == (system, metric, case):
                return median(figure.values) if figure.values else None
        return None

    def values(self, part: str, metric: str, case: str = "") -> dict[str, float]:
        """Return the median of each system that was measured."""
        figures = self.parts[part].figures if part in self.parts else ()
        return {
            figure.system: median(figure.values)
            for figure in figures
            if (figure.metric, figure.case) == (metric, case) and figure.values
        }


def read(path: Path = FILE) -> Results:
    stored: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return Results({name: _part(part) for name, part in stored.items()})


def command(target: str, arguments: Sequence[str]) -> str:
    """Return how a person runs a benchmark: a target of the Makefile, with arguments."""
    return (
        f"make {target} ARGS={shlex.quote(' '.join(arguments))}" if arguments else f"make {target}"
    )


def start(
    command: str, machine: Mapping[str, str], versions: Mapping[str, str], *, is_quick: bool
) -> Run:
    """Describe a run that begins now."""
    today = datetime.now(UTC).date().isoformat()
    return Run(
        command=command,
        measured_at=today,
        is_quick=is_quick,
        machine=machine,
        versions=versions,
    )


def write(run: Run, found: Mapping[str, Iterable[Measured]], path: Path = FILE) -> None:
    """Replace the parts that were measured, and keep the others."""
    new = {name: Part(run, list(figures)) for name, figures in found.items()}
    kept = {**read(path).parts, **new}
    stored = {name: asdict(part) for name, part in sorted(kept.items())}
    path.write_text(f"{json.dumps(stored, indent=1)}\n")


def _part(stored: Mapping[str, Any]) -> Part:
    figures = [
        Measured(**{**figure, "values": tuple(figure["values"])}) for figure in stored["figures"]
    ]
    return Part(Run(**stored["run"]), figures)
