"""Profiles a drain of Ostinato by MongoDB command, as measured in its processes."""

import json
import shutil
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.measures.drain import Drained, drain
from benchmarks.processes import CouldNotRun
from benchmarks.servers import Servers
from benchmarks.systems import System

SHOWN = 12
FUNCTIONS = "benchmarks.noop,benchmarks.commands"
CLAIMS = "update jobs, from pending"  # one for each chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    count: int
    seconds: float
    """The total time until the answers; commands may run concurrently."""
    changed: int
    """The number of documents in the answers."""


@dataclass(slots=True)
class Result:
    system: System
    jobs: int
    drained: Drained | None = None
    commands: list[Command] = field(default_factory=list)
    redis_per_chunk: float | None = None
    """Commands that Redis processed, of all processes, per chunk that was claimed."""
    problem: str | None = None


def measure(servers: Servers, systems: list[System], jobs: int) -> list[Result]:
    """Drain once with processes that record their own commands."""
    return [_profile(servers, system, jobs) for system in systems]


def _profile(servers: Servers, system: System, jobs: int) -> Result:
    servers.clean()
    path = servers.folder / "commands"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    env = {**system.env, "OSTINATO_FUNCTIONS": FUNCTIONS, "BENCH_COMMANDS": str(path)}
    result = Result(system, jobs)
    redis_before = _redis_commands(servers)
    try:
        result.drained = drain(servers, replace(system, env=env), jobs)
    except CouldNotRun as error:
        result.problem = str(error)
        return result
    redis_commands = _redis_commands(servers) - redis_before
    found = _totals([json.loads(file.read_text()) for file in path.iterdir()])
    if CLAIMS in found:
        result.redis_per_chunk = redis_commands / found[CLAIMS]["count"]
    commands = [
        Command(
            name=name,
            count=int(entry["count"]),
            seconds=entry["seconds"],
            changed=int(entry["changed"]),
        )
        for name, entry in found.items()
    ]
    result.commands = sorted(commands, key=lambda command: -command.seconds)[:SHOWN]
    return result


def _redis_commands(servers: Servers) -> int:
    info: Any = servers.redis.info("stats")
    return int(info["total_commands_processed"])


def _totals(processes: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    total: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for commands in processes:
        for name, entry in commands.items():
            for field_name, figure in entry.items():
                total[name][field_name] += figure
    return total
