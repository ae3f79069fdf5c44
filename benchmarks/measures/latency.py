"""Measures how late planned jobs start: when quiet, and while others run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.contestants import Contestant
from benchmarks.figures import percentile
from benchmarks.marks import begun_at, forget, late_ms
from benchmarks.processes import CouldNotRun, wait_until
from benchmarks.servers import Servers

BEGIN_S = 60.0
MISSING_S = 20.0  # that a planned job may start late before it counts as lost
JOBS_PER_S = 10  # so few that none waits for another


@dataclass(slots=True)
class Result:
    contestant: Contestant
    load: int
    """Other jobs a second, meanwhile."""
    late_ms: list[float] = field(default_factory=list)
    problem: str | None = None

    def percentile(self, percent: float) -> float:
        return percentile(self.late_ms, percent)


def measure(
    servers: Servers, entrants: Sequence[Contestant], loads: Sequence[int], jobs: int, rounds: int
) -> list[Result]:
    """Let the entrants take turns under each load; the rounds share the jobs."""
    results = [Result(contestant, load) for load in loads for contestant in entrants]
    for number in range(rounds):
        for result in results:
            servers.clean()
            try:
                result.late_ms += _plan(servers, result.contestant, result.load, jobs // rounds)
                found = f"p50 {result.percentile(50):.1f} ms, p99 {result.percentile(99):.1f} ms"
            except CouldNotRun as error:
                result.problem = found = str(error)
            named = f"{result.contestant.name}, {result.load} others a second"
            print(f"  round {number + 1}: {named}: {found}", flush=True)
    return results


def _plan(servers: Servers, contestant: Contestant, load: int, jobs: int) -> list[float]:
    """Plan jobs at random instants beside a running worker; return how late each started."""
    forget(servers)
    program = contestant.program(servers)
    log = servers.folder / "worker.log"
    log.unlink(missing_ok=True)
    with program.running(log, "work") as worker:
        program.call("enqueue", "1")
        wait_until(lambda: begun_at(servers) is not None, BEGIN_S, [worker])
        program.call("plan", str(jobs), str(jobs / JOBS_PER_S), str(load))
        within_s = jobs / JOBS_PER_S + MISSING_S
        wait_until(lambda: len(late_ms(servers)) == jobs, within_s, [worker])
    return late_ms(servers)
