"""Measures how late scheduled jobs start, with and without other load."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.figures import percentile
from benchmarks.marks import clear, first_started_at, late_ms
from benchmarks.measures.rounds import run_rounds
from benchmarks.processes import wait_until
from benchmarks.servers import Servers
from benchmarks.systems import System

BEGIN_S = 60.0
MISSING_S = 20.0  # a scheduled job that is later counts as lost
JOBS_PER_S = 10  # so few that jobs do not wait for each other


@dataclass(slots=True)
class Result:
    system: System
    load: int
    """Other jobs per second."""
    late_ms: list[float] = field(default_factory=list)
    problem: str | None = None

    @property
    def label(self) -> str:
        return f"{self.system.name}, {self.load} others a second"

    def percentile(self, percent: float) -> float:
        return percentile(self.late_ms, percent)


def measure(
    servers: Servers,
    systems: Sequence[System],
    loads: Sequence[int],
    jobs: int,
    rounds: int,
) -> list[Result]:
    """Measure all systems under each load in each round; the rounds share the jobs."""
    results = [Result(system, load) for load in loads for system in systems]

    def run(result: Result) -> str:
        result.late_ms += _plan(servers, result.system, result.load, jobs // rounds)
        return f"p50 {result.percentile(50):.1f} ms, p99 {result.percentile(99):.1f} ms"

    run_rounds(servers, results, rounds, run)
    return results


def _plan(servers: Servers, system: System, load: int, jobs: int) -> list[float]:
    """Schedule jobs for random times while a worker runs; return how late each started."""
    clear(servers)
    program = system.program(servers)
    log = servers.folder / "worker.log"
    log.unlink(missing_ok=True)
    program.call("enqueue", "1")  # also creates tables
    with program.running(log, "work") as worker:
        wait_until(lambda: first_started_at(servers) is not None, BEGIN_S, [worker])
        program.call("plan", str(jobs), str(jobs / JOBS_PER_S), str(load))
        within_s = jobs / JOBS_PER_S + MISSING_S
        wait_until(lambda: len(late_ms(servers)) == jobs, within_s, [worker])
    return late_ms(servers)
