"""Measures where the time of a drain of ours goes: by MongoDB command, as our processes see it."""

import json
import shutil
from collections import defaultdict
from dataclasses import dataclass, field, replace

from benchmarks.contestants import Contestant
from benchmarks.measures.drain import Drained, drain
from benchmarks.processes import CouldNotRun
from benchmarks.servers import Servers

SHOWN = 12
FUNCTIONS = "benchmarks.noop,benchmarks.commands"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    count: int
    seconds: float
    """From sending to the answer, summed over commands that may run side by side."""
    changed: int
    """Documents that the answers count."""


@dataclass(slots=True)
class Result:
    contestant: Contestant
    jobs: int
    drained: Drained | None = None
    commands: list[Command] = field(default_factory=list)
    problem: str | None = None


def measure(servers: Servers, contestants: list[Contestant], jobs: int) -> list[Result]:
    """Drain once with processes that listen to their own commands."""
    return [_profile(servers, contestant, jobs) for contestant in contestants]


def _profile(servers: Servers, contestant: Contestant, jobs: int) -> Result:
    servers.clean()
    path = servers.folder / "commands"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    env = {**contestant.env, "OSTINATO_FUNCTIONS": FUNCTIONS, "BENCH_COMMANDS": str(path)}
    result = Result(contestant, jobs)
    try:
        result.drained = drain(servers, replace(contestant, env=env), jobs)
    except CouldNotRun as error:
        result.problem = str(error)
        return result
    found = _added_up([json.loads(own.read_text()) for own in path.iterdir()])
    commands = [
        Command(
            name=name,
            count=int(entry["count"]),
            seconds=entry["seconds"],
            changed=int(entry["changed"]),
        )
        for name, entry in found.items()
    ]
    result.commands = sorted(commands, key=lambda each: -each.seconds)[:SHOWN]
    return result


def _added_up(processes: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    total: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for commands in processes:
        for name, entry in commands.items():
            for what, figure in entry.items():
                total[name][what] += figure
    return total
