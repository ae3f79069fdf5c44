"""Measures the processor time and the memory of an idle worker and an idle API process."""

import time
from dataclasses import dataclass

from benchmarks.our_api import our_api
from benchmarks.processes import cpu_s, memory_mib, wait_until
from benchmarks.servers import Servers
from benchmarks.systems import DATABASE, OURS

START_S = 30.0
SETTLE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    name: str
    cpu_percent: float
    """Of one core."""
    mib: float


def measure(servers: Servers, seconds: float) -> list[Idle]:
    """Measure both processes and their servers while there are no jobs."""
    servers.clean()
    program = OURS.program(servers)
    log = servers.folder / "worker.log"
    with our_api(servers, {}) as api, program.running(log, "work") as worker:
        workers = servers.mongo[DATABASE]["workers"]
        wait_until(lambda: workers.find_one() is not None, START_S, [worker])
        time.sleep(SETTLE_S)
        processes = {
            "worker": worker,
            "API": api.child,
            "mongod": servers.mongod,
            "Valkey": servers.valkeys[0],
        }
        before = {name: cpu_s([child]) for name, child in processes.items()}
        time.sleep(seconds)
        return [
            Idle(
                name=name,
                cpu_percent=(cpu_s([child]) - before[name]) / seconds * 100,
                mib=memory_mib(child),
            )
            for name, child in processes.items()
        ]
