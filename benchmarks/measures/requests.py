"""Measures how many mutations per second one API process answers, each with an insert."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from pydantic import SecretStr

from benchmarks.measures.rounds import run_rounds
from benchmarks.our_api import our_api
from benchmarks.processes import ROOT, CouldNotRun, Program, wait_until
from benchmarks.servers import Servers
from benchmarks.systems import NODE, NODE_PEERS, SECRET
from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token

CONNECTIONS = 32
WARM_UP_S = 1.0
READY_S = 30.0
NEXT_WEEK_MS = 7 * 86_400_000

OURS = "Ostinato, GraphQL scheduleJob"
YOGA = "graphql-yoga on Node, GraphQL and one insert"
REST = "Starlette, bare REST and one insert"

SCHEDULE_MUTATION = """mutation Schedule($input: ScheduleJobInput!) {
  scheduleJob(input: $input) { jobId job { id state scheduledTime } }
}"""


@dataclass(frozen=True, slots=True)
class Target:
    port: int
    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Result:
    name: str
    rates: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    problem: str | None = None

    @property
    def label(self) -> str:
        return self.name


def measure(servers: Servers, seconds: float, rounds: int) -> list[Result]:
    """Measure the three servers in each round."""
    serving: dict[str, Callable[[Servers], AbstractContextManager[Target]]] = {
        OURS: _ours,
        YOGA: _yoga,
        REST: _rest,
    }
    results = [Result(name) for name in serving]

    def run(result: Result) -> str:
        found = _measure(serving[result.name](servers), seconds)
        result.rates.append(len(found["latencies_ms"]) / found["seconds"])
        result.latencies_ms += found["latencies_ms"]
        return f"{result.rates[-1]:,.0f} a second"

    run_rounds(servers, results, rounds, run)
    return results


def _measure(serving: AbstractContextManager[Target], seconds: float) -> dict[str, Any]:
    with serving as target:
        _generate_load(target, WARM_UP_S)
        return _generate_load(target, seconds)


@contextmanager
def _ours(servers: Servers) -> Iterator[Target]:
    token = issue_token(Settings(jwt_secret=SecretStr(SECRET)), "bench")
    variables = {"functionName": "noop.act", "args": {"n": 1}, "runAfterMs": NEXT_WEEK_MS}
    body = {"query": SCHEDULE_MUTATION, "variables": {"input": variables}}
    with our_api(servers, {}) as api:
        yield Target(api.port, "/graphql", body, {"Authorization": f"Bearer {token}"})


@contextmanager
def _yoga(servers: Servers) -> Iterator[Target]:
    variables = {"functionName": "noop.act", "n": 1, "runAfterMs": NEXT_WEEK_MS}
    body = {"query": SCHEDULE_MUTATION, "variables": {"input": variables}}
    command = (NODE, str(NODE_PEERS / "yoga.mjs"))
    with _serving(servers, command) as port:
        yield Target(port, "/graphql", body, {"Accept": "application/json"})


@contextmanager
def _rest(servers: Servers) -> Iterator[Target]:
    body = {"functionName": "noop.act", "n": 1, "runAfterMs": NEXT_WEEK_MS}
    with _serving(servers, (sys.executable, "-m", "benchmarks.peers.rest")) as port:
        yield Target(port, "/jobs", body)


@contextmanager
def _serving(servers: Servers, command: tuple[str, ...]) -> Iterator[int]:
    port = free_port()
    program = Program(command, {"BENCH_URL": servers.mongo_url, "BENCH_PORT": str(port)})
    with program.running(servers.folder / "server.log") as child:
        wait_until(lambda: _is_ready(port), READY_S, [child])
        yield port


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port)
    with suppress(OSError):
        connection.connect()
        return True
    return False


def _generate_load(target: Target, seconds: float) -> dict[str, Any]:
    """Load a server from another process; raises CouldNotRun if it rejected a request."""
    config = {
        "port": target.port,
        "path": target.path,
        "body": target.body,
        "headers": dict(target.headers),
        "connections": CONNECTIONS,
        "seconds": seconds,
    }
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=json.dumps(config),
        capture_output=True,
        text=True,
        timeout=seconds + READY_S,
        check=True,
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    if found["rejected"]:
        raise CouldNotRun(f"{found['rejected']} rejected, such as: {found['rejection']}")
    return found
