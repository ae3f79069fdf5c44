"""Formats recorded runs as lines and tables. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.recovery import Recovery, percentile
from benchmarks.chaos.run import NOT_FINISHED, RunResult
from benchmarks.figures import table

HEADER: Final = (
    *("fault", "runs", "without violation", "faults", "acknowledged", "unknown"),
    *("recovered: p50", "max"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The machine and the versions of a run."""

    machine: Mapping[str, str]
    load: float
    """The load average at the start of the run."""
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A recorded run."""

    fault: str
    seed: int
    acknowledged: int
    unknown: int
    faults: int
    recovery: Recovery
    took_s: float
    violations: Sequence[str]
    """The names of the violations."""
    details: str
    environment: Environment

    @classmethod
    def of(cls, result: RunResult, environment: Environment) -> "Entry":
        return cls(
            fault=result.fault,
            seed=result.seed,
            acknowledged=result.acknowledged,
            unknown=result.unknown,
            faults=result.faults,
            recovery=result.recovery,
            took_s=round(result.took_s, 1),
            violations=list(result.violations),
            details=result.details,
            environment=environment,
        )

    @property
    def is_ok(self) -> bool:
        return not self.violations


def line(run: RunResult | Entry) -> str:
    found = run.recovery
    outcome = "ok" if run.is_ok else f"FAILED: {', '.join(run.violations)}"
    details = f"{run.details}  " if run.details else ""
    return (
        f"{run.fault:7} seed {run.seed:<4} {run.faults:3} faults  "
        f"{run.acknowledged:6,} acknowledged  {run.unknown:4} unknown  "
        f"recovered in {found.last_s:4.1f} s "
        f"({found.waiting:4} waiting: {found.p50_s:4.1f} {found.p99_s:4.1f} {found.max_s:4.1f})  "
        f"took {run.took_s:3.0f} s  {details}{outcome}"
    )


def page(runs: Sequence[Entry]) -> list[str]:
    """Return a table of the runs of each fault, their environments, and a line for each run."""
    order = [*FAULTS, *(run.fault for run in runs)]
    ordered = sorted(runs, key=lambda run: order.index(run.fault))
    by_fault = groupby(ordered, key=lambda run: run.fault)
    return [
        table(HEADER, [_row(fault, list(runs_of_fault)) for fault, runs_of_fault in by_fault]),
        _environments(runs),
        "```\n" + "\n".join(map(line, ordered)) + "\n```",
    ]


def _row(fault: str, runs: Sequence[Entry]) -> list[str]:
    times = [run.recovery.last_s for run in runs if NOT_FINISHED not in run.violations]
    return [
        fault,
        f"{len(runs)}",
        f"{sum(run.is_ok for run in runs)}",
        f"{sum(run.faults for run in runs):,}",
        f"{sum(run.acknowledged for run in runs):,}",
        f"{sum(run.unknown for run in runs):,}",
        f"{percentile(times, 0.5):.1f} s",
        f"{max(times, default=0.0):.1f} s",
    ]


def _environments(runs: Sequence[Entry]) -> str:
    loads = [run.environment.load for run in runs]
    busy = (
        f"load average at the start of a run: {min(loads):.1f} to {max(loads):.1f}" if runs else ""
    )
    return "\n".join(
        [
            f"- Machine: {_all_of(run.environment.machine for run in runs)}; {busy}",
            f"- Versions: {_all_of(run.environment.versions for run in runs)}",
        ]
    )


def _all_of(found: Iterable[Mapping[str, str]]) -> str:
    """Format each name with all its values."""
    values: dict[str, dict[str, None]] = {}
    for values_by_name in found:
        for name, value in values_by_name.items():
            values.setdefault(name, {})[value] = None
    return "; ".join(f"{name}: {', '.join(seen)}" for name, seen in values.items())
