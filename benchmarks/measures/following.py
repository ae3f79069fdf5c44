"""Measures how fast a process follows the changes of jobs, compared with motor's change stream."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx

from benchmarks.live_servers import OUR_COMMAND, job, ours
from benchmarks.measures.fan_out import loading
from benchmarks.processes import CouldNotRun, Program, cpu_s, memory_mib, wait_until
from benchmarks.servers import Servers
from benchmarks.systems import DATABASE, SECRET
from ostinato.jobs.embedded.process import Child
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.mongo import transitions

CHANGES: Final = 100_000
TOPICS: Final = 1_000  # the subscriber receives one change in 1,000
COUNTED: Final = "ostinato_hub_changes_total"
POLL_S: Final = 0.1
READY_S: Final = 30.0
WITHIN_S: Final = 120.0
CLAIM: Final = transitions.pipeline(
    TransitionName.CLAIM,
    transitions.now(0),
    fields={
        "attempt": {"$add": ["$attempt", 1]},
        "lease": transitions.literal({"worker": "worker", "token": "token"}),
    },
    event={"attempt": {"$add": ["$attempt", 1]}, "worker": transitions.literal("worker")},
)
RETURNED_DOCUMENTS: Final[list[dict[str, Any]]] = [
    {"$currentOp": {"idleCursors": True}},
    {"$match": {"cursor.awaitData": True}},
    {"$group": {"_id": None, "returned": {"$sum": "$cursor.nDocsReturned"}}},
]

FEED: Final = "Ostinato's change feed, no subscribers: kept as BSON"
FEED_COUNTED: Final = "Ostinato's change feed, only `/metrics`: each change decoded and counted"
FEED_WITH_SUBSCRIBER: Final = (
    "Ostinato's change feed, `/metrics` and one subscriber to one change in 1,000"
)
MOTOR: Final = "motor, `async for` over `watch()`"


@dataclass(slots=True)
class Result:
    name: str
    rates: list[float] = field(default_factory=list)
    """Followed changes per second."""
    change_us: list[float] = field(default_factory=list)
    """Processor time of the process per change."""
    mib: list[float] = field(default_factory=list)
    """Memory of the process after all changes, including the full history of the change feed."""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Follower:
    child: Child
    followed: Callable[[], int]
    """Returns the number of changes followed so far."""


Follow = Callable[[Servers], AbstractContextManager[Follower]]


def measure(servers: Servers, rounds: int) -> list[Result]:
    """Measure all followers with the same changes in each round."""
    following: dict[str, Follow] = {
        FEED: _quiet_feed,
        FEED_COUNTED: _feed,
        FEED_WITH_SUBSCRIBER: partial(_feed, has_subscriber=True),
        MOTOR: _motor,
    }
    results = [Result(name) for name in following]
    for number in range(rounds):
        for result in results:
            servers.clean()
            try:
                _measure(servers, following[result.name], result)
                text = f"{result.rates[-1]:,.0f} changes a second, {result.change_us[-1]:.1f} us"
                text += f", {result.mib[-1]:.0f} MiB"
            except CouldNotRun as error:
                result.problem = text = str(error)
            print(f"  round {number + 1}: {result.name}: {text}", flush=True)
    return results


def _measure(servers: Servers, follow: Follow, result: Result) -> None:
    """Write while the follower is suspended, so that it does not wait for the writer later."""
    jobs = servers.mongo[DATABASE]["jobs"]
    jobs.insert_many([job(number % TOPICS) for number in range(CHANGES)])
    with follow(servers) as follower:
        before = follower.followed()
        follower.child.popen.send_signal(signal.SIGSTOP)
        try:
            jobs.update_many({}, CLAIM)
            used, start = cpu_s([follower.child]), time.monotonic()
        finally:
            follower.child.popen.send_signal(signal.SIGCONT)
        while (followed := follower.followed() - before) < CHANGES:
            if time.monotonic() > start + WITHIN_S:
                raise CouldNotRun(f"{followed:,} of {CHANGES:,} within {WITHIN_S:.0f} s")
            time.sleep(POLL_S)
        result.rates.append(CHANGES / (time.monotonic() - start))
        result.mib.append(memory_mib(follower.child))
        result.change_us.append((cpu_s([follower.child]) - used) / CHANGES * 1e6)


@contextmanager
def _quiet_feed(servers: Servers) -> Iterator[Follower]:
    """Count the documents that MongoDB has returned: the API counts only if metrics are enabled."""
    with ours(servers, OUR_COMMAND, {"OSTINATO_HUB_HISTORY_MS": "0"}) as target:
        admin = servers.mongo.admin
        yield Follower(
            target.child,
            lambda: sum(row["returned"] for row in admin.aggregate(RETURNED_DOCUMENTS)),
        )


@contextmanager
def _feed(servers: Servers, *, has_subscriber: bool = False) -> Iterator[Follower]:
    settings = {"OSTINATO_HUB_HISTORY_MS": "0", "OSTINATO_METRICS_TOKEN": SECRET}
    headers = {"Authorization": f"Bearer {SECRET}"}
    with (
        ours(servers, OUR_COMMAND, settings) as target,
        loading() as load,
        httpx.Client(headers=headers, timeout=WITHIN_S, trust_env=False) as client,
    ):
        if has_subscriber:
            load.open(target, 1, 1)
        url = f"http://127.0.0.1:{target.port}/metrics"
        yield Follower(target.child, lambda: _counted(client.get(url).text))


def _counted(metrics: str) -> int:
    lines = (line for line in metrics.splitlines() if line.startswith(f"{COUNTED} "))
    return int(float(next(lines).split()[1]))


@contextmanager
def _motor(servers: Servers) -> Iterator[Follower]:
    command = (sys.executable, "-m", "benchmarks.peers.live_motor")
    env = {"BENCH_URL": servers.mongo_url, "BENCH_DATABASE": DATABASE}
    log = servers.folder / "motor.log"
    log.unlink(missing_ok=True)
    with Program(command, env).running(log) as child:
        wait_until(lambda: bool(child.tail()), READY_S, [child])
        yield Follower(child, lambda: int(child.tail().split()[-1]))
