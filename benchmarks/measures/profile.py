"""Measures where the time of a drain of ours goes: by MongoDB command, as the worker sees it."""

import json
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
    """Drain once with a worker that listens to its own commands."""
    return [_profile(servers, contestant, jobs) for contestant in contestants]


def _profile(servers: Servers, contestant: Contestant, jobs: int) -> Result:
    servers.clean()
    path = servers.folder / "commands.json"
    path.unlink(missing_ok=True)
    env = {**contestant.env, "OSTINATO_FUNCTIONS": FUNCTIONS, "BENCH_COMMANDS": str(path)}
    result = Result(contestant, jobs)
    try:
        result.drained = drain(servers, replace(contestant, env=env), jobs)
        found = json.loads(path.read_text())
    except (CouldNotRun, FileNotFoundError) as error:
        result.problem = str(error)
        return result
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
