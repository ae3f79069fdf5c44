"""Says in words and tables how recorded runs went. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.recovery import Recovery, percentile
from benchmarks.chaos.run import NOT_ENDED, Verdict
from benchmarks.figures import table

HEAD: Final = (
    *("fault", "runs", "promises kept", "faults", "acknowledged", "unknown"),
    *("recovered: p50", "max"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run depends on beside its seed."""

    machine: Mapping[str, str]
    load: float
    """The load average when it began."""
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run as it is recorded."""

    fault: str
    seed: int
    acknowledged: int
    unknown: int
    faults: int
    recovery: Recovery
    took_s: float
    violations: Sequence[str]
    """What is wrong."""
    besides: str
    around: Surroundings

    @classmethod
    def of(cls, verdict: Verdict, around: Surroundings) -> "Entry":
        return cls(
            fault=verdict.fault,
            seed=verdict.seed,
            acknowledged=verdict.acknowledged,
            unknown=verdict.unknown,
            faults=verdict.faults,
            recovery=verdict.recovery,
            took_s=round(verdict.took_s, 1),
            violations=list(verdict.violations),
            besides=verdict.besides,
            around=around,
        )

    @property
    def is_ok(self) -> bool:
        return not self.violations


def line(run: Verdict | Entry) -> str:
    found = run.recovery
    said = "ok" if run.is_ok else f"BROKEN: {', '.join(run.violations)}"
    besides = f"{run.besides}  " if run.besides else ""
    return (
        f"{run.fault:7} seed {run.seed:<4} {run.faults:3} faults  "
        f"{run.acknowledged:6,} acknowledged  {run.unknown:4} unknown  "
        f"recovered in {found.last_s:4.1f} s "
        f"({found.waiting:4} waiting: {found.p50_s:4.1f} {found.p99_s:4.1f} {found.max_s:4.1f})  "
        f"took {run.took_s:3.0f} s  {besides}{said}"
    )


def page(runs: Sequence[Entry]) -> list[str]:
    """Give a table over the runs of each fault, where they were made, and a line for each."""
    order = [*FAULTS, *(run.fault for run in runs)]
    ordered = sorted(runs, key=lambda run: order.index(run.fault))
    by_fault = groupby(ordered, key=lambda run: run.fault)
    return [
        table(HEAD, [_row(fault, list(of_it)) for fault, of_it in by_fault]),
        _where(runs),
        "```\n" + "\n".join(map(line, ordered)) + "\n```",
    ]


def _row(fault: str, runs: Sequence[Entry]) -> list[str]:
    times = [run.recovery.last_s for run in runs if NOT_ENDED not in run.violations]
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


def _where(runs: Sequence[Entry]) -> str:
    loads = [run.around.load for run in runs]
    busy = f"load average when a run began: {min(loads):.1f} to {max(loads):.1f}" if runs else ""
    return "\n".join(
        [
            f"- Machine: {_all_of(run.around.machine for run in runs)}; {busy}",
            f"- Versions: {_all_of(run.around.versions for run in runs)}",
        ]
    )


def _all_of(found: Iterable[Mapping[str, str]]) -> str:
    """Write each name with all values that it had."""
    values: dict[str, dict[str, None]] = {}
    for one in found:
        for name, value in one.items():
            values.setdefault(name, {})[value] = None
    return "; ".join(f"{name}: {', '.join(seen)}" for name, seen in values.items())
