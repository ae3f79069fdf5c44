"""Measures the time from a write in MongoDB to the client's socket without other load."""

from dataclasses import dataclass, field
from typing import Final

from benchmarks.live_servers import Serve
from benchmarks.measures.fan_out import WITHIN_S, loading
from benchmarks.processes import CouldNotRun
from benchmarks.servers import Servers

WRITES: Final = 200
EVERY_S: Final = 0.053  # not a multiple of the product's timers


@dataclass(slots=True)
class Result:
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    problem: str | None = None


def measure(servers: Servers, serve: Serve, rounds: int) -> Result:
    """Subscribe with one socket, and write jobs at intervals."""
    result = Result()
    for number in range(rounds):
        servers.clean()
        try:
            _measure(servers, serve, result)
        except CouldNotRun as error:
            result.problem = str(error)
            print(f"  round {number + 1}: {error}", flush=True)
    return result


def _measure(servers: Servers, serve: Serve, result: Result) -> None:
    with serve(servers) as target, loading() as load:
        load.open(target, 1, 1)
        load.send(expect=WRITES)
        published = target.publish(WRITES, EVERY_S, 1)
        found = load.send(published=published, within_s=WITHIN_S)
        result.p50_ms.append(found["p50_ms"])
        result.p99_ms.append(found["p99_ms"])
