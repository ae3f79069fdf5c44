"""Measures the rate, the latency and the cost of the delivery of events to many sockets."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.live_servers import Serve, Target
from benchmarks.processes import ROOT, CouldNotRun, cpu_s, memory_mib
from benchmarks.servers import Servers

BURST_FRAMES: Final = 50_000  # of one burst, over all sockets
PACED_EVENTS: Final = 30
PACE_S: Final = 0.2
WITHIN_S: Final = 120.0
KIBIBYTES: Final = 1_024


@dataclass(slots=True)
class Result:
    """The results of one server in all rounds."""

    name: str
    sockets: int
    topics: int
    rates: list[float] = field(default_factory=list)
    """Deliveries per second in a burst."""
    burst_us: list[float] = field(default_factory=list)
    """The server's processor time per delivery in a burst."""
    paced_us: list[float] = field(default_factory=list)
    """The server's processor time per delivery with paced events."""
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    socket_kib: list[float] = field(default_factory=list)
    problem: str | None = None


class Load:
    """The process that holds the sockets."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def send(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise CouldNotRun("the load ended")
        answer: dict[str, Any] = json.loads(line)
        if "problem" in answer:
            raise CouldNotRun(answer["problem"])
        return answer

    def open(self, target: Target, sockets: int, topics: int) -> None:
        setup = {
            "port": target.port,
            "path": target.path,
            "messages": target.messages,
            "protocol": target.protocol,
            "setup_frames": target.setup_frames,
            "sockets": sockets,
            "topics": topics,
        }
        self.send(open=setup)


@contextmanager
def loading() -> Iterator[Load]:
    command = [sys.executable, "-m", "benchmarks.live_load"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Load(process)
        finally:
            process.kill()


def measure(
    servers: Servers, serving: dict[str, Serve], sizes: list[tuple[int, int]], rounds: int
) -> list[Result]:
    """Measure all servers with each number of sockets and topics in each round."""
    results = [Result(name, *size) for size in sizes for name in serving]
    for number in range(rounds):
        for result in results:
            servers.clean()
            try:
                _measure(servers, serving[result.name], result)
                text = f"{result.rates[-1]:,.0f} deliveries a second, {result.p50_ms[-1]:.1f} ms"
            except CouldNotRun as error:
                result.problem = text = str(error)
            size = f"{result.sockets} sockets, {result.topics} topics"
            print(f"  round {number + 1}: {size}: {result.name}: {text}", flush=True)
    return results


def _measure(servers: Servers, serve: Serve, result: Result) -> None:
    with serve(servers) as target, loading() as load:
        before = memory_mib(target.child)
        load.open(target, result.sockets, result.topics)
        after = memory_mib(target.child)
        result.socket_kib.append((after - before) * KIBIBYTES / result.sockets)
        _publish(target, load, result, result.topics, 0)
        burst = max(1, BURST_FRAMES // result.sockets) * result.topics
        found = _publish(target, load, result, burst, 0)
        result.rates.append(found["frames"] / found["seconds"])
        result.burst_us.append(found["us"])
        paced = -(-PACED_EVENTS // result.topics) * result.topics
        found = _publish(target, load, result, paced, PACED_EVENTS * PACE_S / paced)
        result.paced_us.append(found["us"])
        result.p50_ms.append(found["p50_ms"])
        result.p99_ms.append(found["p99_ms"])


def _publish(
    target: Target, load: Load, result: Result, events: int, interval_s: float
) -> dict[str, Any]:
    """Publish and wait for all deliveries; `us` is the server's processor time per delivery."""
    before = cpu_s([target.child])
    load.send(expect=events * result.sockets // result.topics)
    published = target.publish(events, interval_s, result.topics)
    found = load.send(published=published, within_s=WITHIN_S)
    return found | {"us": (cpu_s([target.child]) - before) / found["frames"] * 1e6}
