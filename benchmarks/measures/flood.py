"""Measures how late the jobs of one owner start while another owner floods the queue."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from benchmarks.figures import percentile
from benchmarks.marks import clear, late_ms
from benchmarks.measures.rounds import run_rounds
from benchmarks.processes import CouldNotRun, wait_until
from benchmarks.servers import Servers
from benchmarks.systems import DATABASE, OURS

JOBS_PER_S = 50
BEGIN_S = 60.0
MISSING_S = 20.0
FLOODING: Mapping[str, str] = MappingProxyType({"BENCH_OWNER": "flood"})


@dataclass(slots=True)
class Result:
    flood: int
    """Jobs of the other owner that are due when the worker starts."""
    late_ms: list[float] = field(default_factory=list)
    problem: str | None = None

    @property
    def label(self) -> str:
        return f"a flood of {self.flood:,}"

    def percentile(self, percent: float) -> float:
        return percentile(self.late_ms, percent)


def measure(servers: Servers, flood: int, jobs: int, rounds: int) -> list[Result]:
    """Measure with and without a flood in each round."""
    results = [Result(0), Result(flood)]

    def run(result: Result) -> str:
        result.late_ms += _plan(servers, result.flood, jobs)
        return f"p50 {result.percentile(50):.1f} ms, p99 {result.percentile(99):.1f} ms"

    run_rounds(servers, results, rounds, run)
    return results


def _plan(servers: Servers, flood: int, jobs: int) -> list[float]:
    clear(servers)
    program = OURS.program(servers)
    if flood:
        replace(program, env={**program.env, **FLOODING}).call("enqueue", str(flood))
    log = servers.folder / "worker.log"
    log.unlink(missing_ok=True)
    with program.running(log, "work") as worker:
        workers = servers.mongo[DATABASE]["workers"]
        wait_until(lambda: workers.find_one() is not None, BEGIN_S, [worker])
        program.call("plan", str(jobs), str(jobs / JOBS_PER_S), "0")
        within_s = jobs / JOBS_PER_S + MISSING_S
        wait_until(lambda: len(late_ms(servers)) == jobs, within_s, [worker])
        pending = servers.mongo[DATABASE]["jobs"].find_one({"state": "pending", "owner": "flood"})
        if flood and pending is None:
            raise CouldNotRun("the flood ended before the others: enlarge it with --flood")
    return late_ms(servers)
