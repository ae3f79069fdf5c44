"""The targets: what is wanted, what was measured, and what bounds it. No I/O."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from benchmarks.figures import short, table
from benchmarks.results import Results

ACTIONS: Final = "Ostinato, actions"
MUTATIONS: Final = "Ostinato, mutation functions"
SCHEDULE_MANY: Final = "Ostinato, schedule_many"
ARQ_TUNED: Final = "arq, tuned"
BULLMQ_FSYNCED: Final = "BullMQ, appendfsync always"
PGQUEUER: Final = "PgQueuer on PostgreSQL"
ONE_WORKER: Final = "1 worker"
RATE: Final = "jobs/s"
MANY_FILTERS: Final = "1,000 sockets over 1,000 filters"
FOLLOWED: Final = "Ostinato's change feed, `/metrics` and one subscriber to one change in 1,000"

Value = Callable[[Results], float | None]


@dataclass(frozen=True, slots=True)
class AtLeast:
    limit: float

    def __str__(self) -> str:
        return f"≥ {_number(self.limit)}"

    def is_met(self, value: float) -> bool:
        return value >= self.limit


@dataclass(frozen=True, slots=True)
class AtMost:
    limit: float

    def __str__(self) -> str:
        return f"≤ {_number(self.limit)}"

    def is_met(self, value: float) -> bool:
        return value <= self.limit


@dataclass(frozen=True, slots=True)
class Target:
    work: str
    wanted: AtLeast | AtMost
    unit: str
    measured: Value
    bounds: str
    """What bounds it, and what was tried."""

    def row(self, results: Results) -> list[str]:
        value = self.measured(results)
        found = "not measured"
        if value is not None:
            met = "met" if self.wanted.is_met(value) else "not met"
            found = f"{short(value)} {self.unit}: {met}"
        return [self.work, f"{self.wanted} {self.unit}", found, self.bounds]


def targets_table(targets: Sequence[Target], results: Results) -> str:
    head = ["work", "target", "measured", "what bounds it, and what was tried"]
    return table(head, [target.row(results) for target in targets])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:g}"


def _one(results: Results, part: str, system: str, metric: str, case: str = "") -> float | None:
    return results.median(part, system, metric, case)


def _ratio(
    results: Results, part: str, systems: tuple[str, str], metric: str, case: str = ""
) -> float | None:
    """Return the quotient of two systems of one run; None if one was not measured."""
    ours, theirs = (results.median(part, system, metric, case) for system in systems)
    return ours / theirs if ours is not None and theirs else None


def _drain_ratio(ours: str, theirs: str) -> Value:
    return partial(_ratio, part="drain", systems=(ours, theirs), metric=RATE, case=ONE_WORKER)


def _bulk_ratio(theirs: str) -> Value:
    return partial(_ratio, part="bulk", systems=(SCHEDULE_MANY, theirs), metric=RATE)


def _late(case: str, metric: str) -> Value:
    return partial(_one, part="latency", system=ACTIONS, metric=metric, case=case)


def _flood_ratio(results: Results) -> float | None:
    flood, quiet = (results.median("flood", "Ostinato", "p99, ms", case) for case in CASES)
    return flood / quiet if flood is not None and quiet else None


CASES: Final = ("flood", "quiet")
DRAIN_BOUNDS: Final = (
    "processor time: two journaled updates of a job in mongod, of which a third is indexes; in the "
    "worker, the interpreter, the driver's threads and the hop over Redis"
)
BULK_BOUNDS: Final = (
    "the insert with its indexes in mongod; in the client, binding arguments and encoding. Helped: "
    "jobs decoded when they are read, documents copied from the one before"
)
LATENCY_BOUNDS: Final = (
    "one hop each over MongoDB and Redis. Helped: an idle leader runs a single due job itself"
)
TARGETS: Final = (
    Target(
        "drain of no-op actions, one worker, vs arq tuned",
        *(AtLeast(3.5), "x", _drain_ratio(ACTIONS, ARQ_TUNED), DRAIN_BOUNDS),
    ),
    Target(
        "the same vs BullMQ, fsynced",
        *(AtLeast(0.65), "x", _drain_ratio(ACTIONS, BULLMQ_FSYNCED)),
        "the same. BullMQ changes a few keys in memory and appends them to a file; it keeps no "
        "history",
    ),
    Target(
        "the same vs PgQueuer",
        *(AtLeast(0.6), "x", _drain_ratio(ACTIONS, PGQUEUER)),
        "the same. PgQueuer deletes the job, and its completion is durable up to 100 ms later",
    ),
    Target(
        "worker's processor time of a no-op action",
        *(AtMost(0.06), "ms"),
        partial(_one, part="drain", system=ACTIONS, metric="worker, ms per job", case=ONE_WORKER),
        "calls of the interpreter. Tried without effect: Python 3.13, 250 slots",
    ),
    Target(
        "drain of mutation functions vs arq tuned",
        *(AtLeast(1.5), "x", _drain_ratio(MUTATIONS, ARQ_TUNED)),
        "mongod: a transaction reads the catalogue of every index for each update in it. Helped: "
        "quick functions share a transaction",
    ),
    Target(
        "`schedule_many` vs BullMQ's `addBulk`, fsynced",
        *(AtLeast(1.5), "x", _bulk_ratio(BULLMQ_FSYNCED), BULK_BOUNDS),
    ),
    Target(
        "`schedule_many` vs PgQueuer's `enqueue` of a list",
        *(AtLeast(0.7), "x", _bulk_ratio(PGQUEUER)),
        "the same; PgQueuer inserts bytes that it does not look into",
    ),
    Target(
        "`scheduleJob` over HTTP, 32 connections, vs graphql-yoga",
        *(AtLeast(1.5), "x"),
        partial(
            _ratio,
            part="requests",
            systems=(
                "Ostinato, GraphQL scheduleJob",
                "graphql-yoga on Node, GraphQL and one insert",
            ),
            metric="requests/s",
        ),
        "the interpreter. Helped: inserts of concurrent calls in one command; what a request looks "
        "up is looked up once",
    ),
    Target(
        "1,000 distinct filters: processor time of a delivery vs Strawberry's handler",
        *(AtMost(0.7), "x"),
        partial(
            _ratio,
            part="topics",
            systems=("Ostinato", "Strawberry's own handler"),
            metric="us per delivery",
            case=MANY_FILTERS,
        ),
        "nothing is shared: each event is read, matched, executed, signed, encoded for one reader",
    ),
    Target(
        "fan-out to 1,000 sockets without frames below ASGI vs a raw broadcast of Starlette",
        *(AtLeast(0.6), "x"),
        partial(
            _ratio,
            part="sockets",
            systems=("Ostinato, no frames below ASGI", "Starlette, raw broadcast of encoded text"),
            metric="deliveries/s",
            case="1,000 sockets",
        ),
        "uvicorn frames and sends each message by itself",
    ),
    Target(
        "change feed, one subscriber to one change in 1,000",
        *(AtLeast(60_000), "changes/s"),
        partial(_one, part="followed", system=FOLLOWED, metric="changes/s"),
        "`bson.decode`, more than half of it. Helped: asking for the next reply early, times "
        "without zones. Without effect: larger batches, fewer stages",
    ),
    Target(
        "an idle worker",
        *(AtMost(1.0), "% of a core"),
        partial(_one, part="idle", system="worker", metric="% of a core"),
        "its heartbeat, the leader's search for due jobs, and the sweeps, each every second",
    ),
    Target(
        "Redis commands of a claimed chunk",
        *(AtMost(4.0), "commands"),
        partial(_one, part="profile", system=ACTIONS, metric="Redis commands per chunk"),
        "arq's bookkeeping of each chunk: the job, its key in progress, its retries and its end",
    ),
    Target(
        "from due to started, quiet, p50",
        *(AtMost(5.0), "ms", _late("quiet", "p50, ms"), LATENCY_BOUNDS),
    ),
    Target(
        "from due to started, quiet, p99",
        *(AtMost(15.0), "ms", _late("quiet", "p99, ms"), "the same"),
    ),
    Target(
        "from due to started beside 100 others a second, p99",
        *(AtMost(25.0), "ms", _late("100 others/s", "p99, ms")),
        "the same, and the two cores that all share",
    ),
    Target(
        "memory of an idle socket",
        *(AtMost(30.0), "KiB"),
        partial(
            _one,
            part="sockets",
            system="Ostinato",
            metric="KiB per socket",
            case="1,000 sockets",
        ),
        "uvicorn's connection, and the tasks and the subscription of the socket",
    ),
    Target(
        "p99 of other owners while one owner floods vs quiet",
        *(AtMost(2.0), "x", _flood_ratio),
        "slots are shared fairly; the processor is not",
    ),
)
