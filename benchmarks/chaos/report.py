"""Says in a line how a run went, and writes all of them into CHAOS.md when asked."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.chaos.recovery import percentile
from benchmarks.chaos.run import Verdict
from benchmarks.machine import OUR_PACKAGES, machine, versions

RECORD: Final = Path(__file__).parent.parent / "CHAOS.md"
SERVERS: Final = ("Python", "mongod", "Valkey")
OPENING: Final = """# Torture

Three workers under load are killed, stopped and cut off from their servers, as the fault says. Each
run is judged offline from the log of every operation, the database at the end, and what actions
noted. *Recovered* is when the last job ended after the last fault was made good. *Waiting* are the
jobs that had not ended then, with the time at which half of them, 99 % of them and all of them had.
"""


def line(verdict: Verdict) -> str:
    found = verdict.recovery
    said = "ok" if verdict.is_ok else f"BROKEN: {', '.join(verdict.violations)}"
    besides = f"{verdict.besides}  " if verdict.besides else ""
    return (
        f"{verdict.fault:7} seed {verdict.seed:<4} {verdict.faults:3} faults  "
        f"{verdict.acknowledged:6,} acknowledged  {verdict.unknown:4} unknown  "
        f"recovered in {found.last_s:4.1f} s "
        f"({found.waiting:4} waiting: {found.p50_s:4.1f} {found.p99_s:4.1f} {found.max_s:4.1f})  "
        f"took {verdict.took_s:3.0f} s  {besides}{said}"
    )


def record(verdicts: Sequence[Verdict], arguments: Sequence[str], path: Path = RECORD) -> None:
    """Write the machine, the versions, what each fault led to, and each run's line."""
    command = f"make chaos ARGS={shlex.quote(' '.join(arguments))}"
    parts = [
        OPENING,
        f"Written by `{command}`.\n",
        _table({"machine": "", **machine()}),
        _table({"version of": "", **_ours()}),
        _summary(verdicts),
        "```\n" + "\n".join(line(verdict) for verdict in verdicts) + "\n```\n",
    ]
    path.write_text("\n".join(parts))


def _ours() -> dict[str, str]:
    found = versions()
    return {name: found[name] for name in (*SERVERS, *OUR_PACKAGES)}


def _summary(verdicts: Sequence[Verdict]) -> str:
    rows = [
        "| fault | runs | promises kept | faults | acknowledged | unknown | recovered: p50 | max |",
        "|---|---|---|---|---|---|---|---|",
    ]
    faults = dict.fromkeys(verdict.fault for verdict in verdicts)
    rows += [_row(fault, [each for each in verdicts if each.fault == fault]) for fault in faults]
    return "\n".join(rows) + "\n"


def _row(fault: str, runs: Sequence[Verdict]) -> str:
    times = [run.recovery.last_s for run in runs]
    cells = [
        fault,
        f"{len(runs)}",
        f"{sum(run.is_ok for run in runs)}",
        f"{sum(run.faults for run in runs):,}",
        f"{sum(run.acknowledged for run in runs):,}",
        f"{sum(run.unknown for run in runs):,}",
        f"{percentile(times, 0.5):.1f} s",
        f"{max(times):.1f} s",
    ]
    return _joined(cells)


def _table(found: Mapping[str, str]) -> str:
    head, *rows = found.items()
    return "\n".join([_joined(head), "|---|---|", *map(_joined, rows)]) + "\n"


def _joined(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
