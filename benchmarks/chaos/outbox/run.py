"""One run: applications commit and abort transactions with jobs, while processes are killed.

Each committed order must have exactly one job, which has run once; no aborted one may have any.
"""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from pymongo.database import Database

from benchmarks.chaos.installation import DATABASE, WORKERS, running
from benchmarks.chaos.ledger import EFFECTS
from benchmarks.chaos.live.installation import LiveInstallation
from benchmarks.chaos.live.replica_set import MEMBERS, ReplicaSet
from benchmarks.chaos.outbox.ordering import Config
from benchmarks.chaos.recovery import MAX_RECOVERY_S, Recovery, percentile
from benchmarks.chaos.run import POLL_S, RunResult
from benchmarks.processes import ROOT

FAULT: Final = "outbox"
NODE: Final = "node"
APPLICATIONS: Final = ("motor", "async", "sync", NODE)
JOBS_SHARE: Final = 0.1  # of the other kinds of runs: each job is a transaction of its own
PAUSE_S: Final = 2.0
WITHIN_S: Final = 600.0
NODE_PROGRAM: Final = str(ROOT / "tests" / "node" / "outbox.mjs")

Rows = Database[dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class OutboxInstallation(LiveInstallation):
    """Three mongods, workers and applications; no API."""

    orders: int
    """Number of orders of each application."""

    @property
    def supervised(self) -> tuple[str, ...]:
        return WORKERS

    async def start_api(self) -> None:
        """Start no API: applications write to MongoDB."""

    def start_application(self, name: str) -> None:
        config = Config(url=self.mongo_url, database=DATABASE, name=name, count=self.orders)
        if name == NODE:
            self.start_command(name, shutil.which("node") or "node", NODE_PROGRAM, config.encode())
        else:
            self.start(name, "-m", "benchmarks.chaos.outbox.ordering", config.encode())


@dataclass(slots=True)
class Nemesis:
    """Kills applications and workers, and makes the primary step down."""

    target: OutboxInstallation
    random: Random
    count: int = 0
    last_fault_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def inject(self) -> None:
        """Inject the next fault: each kind once in three."""
        fault = (self.application, self.worker, self.step_down)[self.count % 3]
        await fault()
        self.count += 1
        self.last_fault_at = datetime.now(UTC)

    async def application(self) -> None:
        running_ones = [name for name in APPLICATIONS if name in self.target.children]
        if running_ones:
            name = self.random.choice(running_ones)
            await self.target.kill(name)
            self.target.start_application(name)

    async def worker(self) -> None:
        """Kill the leader, or another worker."""
        leader = await asyncio.to_thread(self.target.leader)
        name = leader if leader and self.random.random() < 0.5 else self.random.choice(WORKERS)
        await self.target.kill(name)
        self.target.start(name)

    async def step_down(self) -> None:
        await self.target.replica_set.step_down()
        for number in range(MEMBERS):
            await self.target.replica_set.wait_for_member(number)
        await self.target.replica_set.wait_for_primary()
        self.target.note_primary()


def run(fault: str, seed: int, jobs: int, folder: Path, min_faults: int = 6) -> RunResult:
    """Run an installation in the folder, inject faults, and check the result."""
    started = time.monotonic()
    orders = max(1, round(jobs * JOBS_SHARE / len(APPLICATIONS)))
    installation = OutboxInstallation(
        folder=folder, replica_set=ReplicaSet(folder=folder), orders=orders
    )
    nemesis = Nemesis(installation, Random(f"{fault}-{seed}"))  # noqa: S311 - no secret
    expected = {f"{name}-{number}" for name in APPLICATIONS for number in range(orders)}
    violations, recovery = asyncio.run(_run_with_faults(nemesis, min_faults, expected))
    return RunResult(
        fault=fault,
        seed=seed,
        acknowledged=len(expected),
        unknown=0,
        faults=nemesis.count,
        recovery=recovery,
        took_s=time.monotonic() - started,
        violations=violations,
        details=f"{len(expected):,} commits and as many aborts of {', '.join(APPLICATIONS)};",
    )


async def _run_with_faults(
    nemesis: Nemesis, min_faults: int, expected: set[str]
) -> tuple[dict[str, list[str]], Recovery]:
    """Return the violations, and how long the last jobs took."""
    async with running(nemesis.target) as installation:
        with installation.mongo() as mongo:
            database = mongo[DATABASE]
            database.create_collection("orders")
            async with installation.supervision():
                await _run_applications(nemesis, min_faults)
                await _wait_until_settled(database, len(expected))
            return dict(_violations(database, expected)), _recovery(database, nemesis.last_fault_at)


async def _run_applications(nemesis: Nemesis, min_faults: int) -> None:
    """Run the applications to their ends, under faults."""
    target = nemesis.target
    for name in APPLICATIONS:
        target.start_application(name)
    async with asyncio.timeout(WITHIN_S):
        while nemesis.count < min_faults or any(name in target.children for name in APPLICATIONS):
            await asyncio.sleep(nemesis.random.uniform(0.5, 1.5) * PAUSE_S)
            await nemesis.inject()
            await target.wait_until_started()


async def _wait_until_settled(database: Rows, count: int) -> None:
    """Wait until so many jobs have ended, or for MAX_RECOVERY_S."""
    deadline = time.monotonic() + MAX_RECOVERY_S
    while database["jobs"].count_documents({"state": "success"}) < count:
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(POLL_S)


def _violations(database: Rows, expected: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Compare the orders with the jobs and with what these have written."""
    stored = Counter(row["_id"] for row in database["orders"].find())
    jobs = Counter(row["args"]["mark"] for row in database["jobs"].find({"state": "success"}))
    existing = Counter(row["args"]["mark"] for row in database["jobs"].find())
    effects = Counter(row["mark"] for row in database[EFFECTS].find())
    for name, found in (
        ("an order is missing or was aborted", stored),
        ("an order has no job or two, or an aborted one has a job", existing),
        ("a job has not succeeded", jobs),
        ("a job has not run, or twice", effects),
    ):
        if wrong := sorted(
            mark for mark in expected | found.keys() if found[mark] != (mark in expected)
        ):
            yield name, [f"{mark}: {found[mark]}" for mark in wrong]
    if left := database["outbox"].count_documents({}) + database["failures"].count_documents({}):
        yield "an entry was not converted", [f"{left} entries and failures are left"]


def _recovery(database: Rows, since: datetime) -> Recovery:
    ended = database["jobs"].find({"completedAt": {"$gt": since}})
    rows = [((row["completedAt"] - since).total_seconds(), row["createdAt"]) for row in ended]
    waiting = [seconds for seconds, created in rows if created <= since]
    return Recovery(
        waiting=len(waiting),
        p50_s=percentile(waiting, 0.5),
        p99_s=percentile(waiting, 0.99),
        max_s=max(waiting, default=0.0),
        last_s=max((seconds for seconds, _ in rows), default=0.0),
    )
