"""Measures how fast one process schedules many jobs, and what that costs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.measures.rounds import run_rounds
from benchmarks.processes import cpu_s
from benchmarks.servers import Servers
from benchmarks.systems import System


@dataclass(slots=True)
class Result:
    system: System
    rates: list[float] = field(default_factory=list)
    """Jobs scheduled per second."""
    client_us: list[float] = field(default_factory=list)
    """Processor time of the scheduling process per job."""
    servers_us: list[float] = field(default_factory=list)
    problem: str | None = None

    @property
    def label(self) -> str:
        return self.system.name


def measure(servers: Servers, systems: Sequence[System], jobs: int, rounds: int) -> list[Result]:
    """Schedule jobs that are due at once, without a worker; the systems rotate."""
    results = [Result(system) for system in systems]

    def run(result: Result) -> str:
        _measure(servers, result, jobs)
        return f"{result.rates[-1]:,.0f} a second"

    run_rounds(servers, results, rounds, run, rotates=True)
    return results


def _measure(servers: Servers, result: Result, jobs: int) -> None:
    processes = [servers.mongod, *servers.valkeys, *servers.postgreses]
    program = result.system.program(servers)
    program.call("enqueue", "1")  # creates tables and indexes
    before = cpu_s(processes)
    found = program.call("enqueue", str(jobs))
    result.rates.append(jobs / found["seconds"])
    result.client_us.append(found["cpu_s"] / jobs * 1e6)
    result.servers_us.append((cpu_s(processes) - before) / jobs * 1e6)
