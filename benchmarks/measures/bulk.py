"""Measures how fast one process schedules many jobs, and what that costs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.processes import CouldNotRun, cpu_s
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


def measure(servers: Servers, systems: Sequence[System], jobs: int, rounds: int) -> list[Result]:
    """Schedule jobs that are due at once, without a worker; the systems rotate."""
    results = [Result(system) for system in systems]
    for number in range(rounds):
        for result in results[number % len(results) :] + results[: number % len(results)]:
            servers.clean()
            try:
                _measure(servers, result, jobs)
                text = f"{result.rates[-1]:,.0f} a second"
            except CouldNotRun as error:
                result.problem = text = str(error)
            print(f"  round {number + 1}: {result.system.name}: {text}", flush=True)
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
