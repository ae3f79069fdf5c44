"""Measures how long after `kill -9` of their worker jobs start again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.marks import clear, starts
from benchmarks.measures.rounds import run_rounds
from benchmarks.processes import wait_until
from benchmarks.servers import Servers
from benchmarks.systems import System

BEGIN_S = 60.0
JOBS = 20


@dataclass(slots=True)
class Result:
    system: System
    waits_s: list[float] = field(default_factory=list)
    """From the kill to the second start of each job, in all rounds."""
    problem: str | None = None

    @property
    def label(self) -> str:
        return self.system.name


def measure(
    servers: Servers, systems: Sequence[System], within_s: float, rounds: int
) -> list[Result]:
    """Kill the worker of each system, start another one at once, and wait for all its jobs."""
    results = [Result(system) for system in systems]

    def run(result: Result) -> str:
        result.waits_s += _kill(servers, result.system, within_s)
        return f"all within {max(result.waits_s):.1f} s"

    run_rounds(servers, results, rounds, run)
    return results


def _kill(servers: Servers, system: System, within_s: float) -> list[float]:
    clear(servers)
    program = system.program(servers)
    program.call("hold", str(JOBS))
    log = servers.folder / "worker.log"
    log.unlink(missing_ok=True)
    with program.running(log, "work") as worker:
        wait_until(lambda: len(starts(servers)) == JOBS, BEGIN_S, [worker])
        worker.popen.kill()
        worker.popen.wait()
    killed_at = time.time()
    with program.running(log, "work") as successor:
        wait_until(lambda: _second_starts(servers) == JOBS, within_s, [successor])
    return [times[1] - killed_at for times in starts(servers).values()]


def _second_starts(servers: Servers) -> int:
    return sum(len(times) > 1 for times in starts(servers).values())
