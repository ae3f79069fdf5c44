"""Measures how fast no-op jobs are enqueued, and drained by one or more workers."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.marks import clear, first_started_at
from benchmarks.measures.rounds import run_rounds
from benchmarks.our_api import our_api
from benchmarks.processes import cpu_s, memory_mib, wait_until
from benchmarks.servers import Servers
from benchmarks.systems import System
from ostinato.jobs.embedded.process import Child

BEGIN_S = 60.0
FINISH_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """One round: rates in jobs per second, processor time in ms per job."""

    enqueued: float
    drained: float
    worker_ms: float
    mongod_ms: float
    valkey_ms: float
    postgres_ms: float
    watch_ms: float
    """The processor time of the API process, whose change feed follows every change."""
    worker_mib: float
    watch_mib: float

    @property
    def servers_ms(self) -> float:
        """The processor time of all but the workers."""
        return self.mongod_ms + self.valkey_ms + self.postgres_ms + self.watch_ms


@dataclass(slots=True)
class Result:
    system: System
    workers: int
    rounds: list[Drained] = field(default_factory=list)
    problem: str | None = None

    @property
    def label(self) -> str:
        return f"{self.system.name}, {self.workers} worker(s)"


def measure(
    servers: Servers, systems: Sequence[tuple[System, int]], jobs: int, rounds: int
) -> list[Result]:
    """Measure all systems in each round, in rotating order."""
    results = [Result(system, workers) for system, workers in systems]

    def run(result: Result) -> str:
        result.rounds.append(drain(servers, result.system, jobs, result.workers))
        return f"{result.rounds[-1].drained:,.0f} jobs/s"

    run_rounds(servers, results, rounds, run, rotates=True)
    return results


def drain(servers: Servers, system: System, jobs: int, workers: int = 1) -> Drained:
    """Enqueue jobs, start the workers, and measure from the start of the first job to the end."""
    clear(servers)
    program = system.program(servers)
    with ExitStack() as stack:
        watching: list[Child] = []
        if system.ours:
            watching = [stack.enter_context(our_api(servers, system.env)).child]
        enqueued_s = program.call("enqueue", str(jobs))["seconds"]
        log = servers.folder / "worker.log"
        log.unlink(missing_ok=True)
        working = [stack.enter_context(program.running(log, "work")) for _ in range(workers)]
        wait_until(lambda: first_started_at(servers) is not None, BEGIN_S, working)
        groups = (working, [servers.mongod], servers.valkeys, servers.postgreses, watching)
        before = [cpu_s(group) for group in groups]
        seconds = until_empty(servers, system, working)
        used = [(cpu_s(group) - b) * 1000 / jobs for group, b in zip(groups, before, strict=True)]
        worker_ms, mongod_ms, valkey_ms, postgres_ms, watch_ms = used
        return Drained(
            enqueued=jobs / enqueued_s,
            drained=jobs / seconds,
            worker_ms=worker_ms,
            mongod_ms=mongod_ms,
            valkey_ms=valkey_ms,
            postgres_ms=postgres_ms,
            watch_ms=watch_ms,
            worker_mib=max(memory_mib(worker) for worker in working),
            watch_mib=max(map(memory_mib, watching), default=0.0),
        )


def until_empty(servers: Servers, system: System, working: Sequence[Child]) -> float:
    """Wait until no job is left; return the seconds since the first one started."""

    def is_empty() -> bool:
        time.sleep(system.poll_s)
        return system.is_empty(servers)

    wait_until(is_empty, FINISH_S, working)
    ended = time.time()
    begun = first_started_at(servers)
    assert begun is not None
    return ended - begun
