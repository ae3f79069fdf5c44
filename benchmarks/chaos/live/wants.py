"""What a client wants to watch: how it asks for that, and which events it must be told then. Pure.

It says anew what the product's filters mean, so that a fault of theirs does not go unnoticed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

from benchmarks.chaos.plan import WEIGHTS
from ostinato.jobs.records import Job, JobEvent, Json, JsonObject

SNAPSHOT_ROWS: Final = 1_000
"""More than that no snapshot has."""

CHANGED: Final = "CHANGED"
LEFT: Final = "LEFT"

JOBS: Final = "jobsChanged"
JOB: Final = "jobChanged"
CRONS: Final = "cronsChanged"
TASKS: Final = "recurringTasksChanged"
REQUEST: Final = "requestChanged"
BATCH: Final = "batchChanged"

_LIST: Final = "$snapshot: Boolean!, $after: Cursor", "snapshot: $snapshot, after: $after"
_ROOTS: Final[dict[str, tuple[str, str, str]]] = {
    JOBS: (
        f"$filter: JobFilter, $coalesce: Boolean!, {_LIST[0]}",
        f"filter: $filter, coalesce: $coalesce, {_LIST[1]}",
        "id: jobId event { seq } found: job { id state attempt version }",
    ),
    JOB: (
        "$id: ID!, $fromSeq: Int, $after: Cursor",
        "jobId: $id, fromSeq: $fromSeq, after: $after",
        "id: jobId event { seq } found: job { id state attempt version }",
    ),
    CRONS: (*_LIST, "id: cronId found: cron { id version }"),
    TASKS: (*_LIST, "id: taskId found: recurringTask { id version }"),
    REQUEST: (
        "$id: ID!, $after: Cursor",
        "requestId: $id, after: $after",
        "id: requestId found: request { id version }",
    ),
    BATCH: (
        "$id: ID!, $after: Cursor",
        "batchId: $id, after: $after",
        "id: batchId found: batch { id version }",
    ),
}
PAGES: Final = {JOB: "jobs", REQUEST: "requests", BATCH: "batches"}
"""Where a client finds what it then watches by itself."""
TOPICS: Final = {
    JOBS: "jobs",
    JOB: "job",
    CRONS: "crons",
    TASKS: "recurringTasks",
    REQUEST: "request",
    BATCH: "batch",
}
"""What the cursors of each root field are for."""


class Step(NamedTuple):
    """An event of a job, as a subscription has to tell it."""

    kind: str
    event: JobEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    root: str
    owner: str | None
    """Whose objects the client may see; None is an admin, who sees all."""
    filter: JsonObject = field(default_factory=dict)
    snapshot: bool = False
    coalesce: bool = False
    id: str | None = None
    """The global id of the one object that is watched."""
    from_seq: int | None = None

    @property
    def is_list(self) -> bool:
        return self.id is None

    @property
    def query(self) -> str:
        variables, arguments, selection = _ROOTS[self.root]
        found = f"{self.root}({arguments}) {{ kind cursor {selection} }}"
        return f"subscription ({variables}) {{ {found} }}"

    def variables(self, after: str | None) -> JsonObject:
        """Give the variables; a resumption differs from a beginning in `after` alone."""
        given: JsonObject = {"after": after}
        if self.id is not None:
            given["id"] = self.id
        if self.root == JOB:
            given["fromSeq"] = self.from_seq
        if self.root in (JOBS, CRONS, TASKS):
            given["snapshot"] = self.snapshot
        if self.root == JOBS:
            given |= {"filter": self.filter, "coalesce": self.coalesce}
        return given

    def concerns(self, job: Job) -> bool:
        """Tell whether a job is one of those whose states decide the rest."""
        wanted, is_internal = self.filter, self.filter.get("internal", False)
        return (
            self.owner in (None, job.owner)
            and is_internal in (None, job.internal)
            and wanted.get("functionName") in (None, job.function_name)
            and wanted.get("queue") in (None, job.queue)
            and wanted.get("cause") in (None, job.cause.kind.name)
        )

    def matches(self, job: Job) -> bool:
        """Tell whether the job, as it is, belongs into the client's view."""
        return self.concerns(job) and self._admits(job.state.name)

    def steps(self, job: Job) -> Iterator[Step]:
        """Give all that a subscription from before the job's birth has to tell of it."""
        before: str | None = None
        for event in job.timeline:
            if self._admits(event.state.name):
                yield Step(CHANGED, event)
            elif before is not None and self._admits(before):
                yield Step(LEFT, event)
            before = event.state.name

    def _admits(self, state: str) -> bool:
        states = self.filter.get("states")
        return not isinstance(states, list) or state in states


def read(line: Mapping[str, Any]) -> Want:
    return Want(**line)


STATES: Final[tuple[tuple[list[Json], int], ...]] = (
    (["PENDING"], 3),
    (["IN_PROGRESS"], 3),
    (["SUCCESS"], 3),
    (["FAILED", "CANCELED"], 3),
    (["PENDING", "IN_PROGRESS"], 2),
)
SHAPES: Final = {
    "all": 24,
    "states": 22,
    "function": 16,
    "function and states": 8,
    "queue": 6,
    "internal": 6,
    "cause": 4,
    "crons": 7,
    "tasks": 7,
}
WITHOUT_SNAPSHOT: Final = 0.2
COALESCED: Final = 0.1


def some_list(random: Random, owner: str | None) -> Want:
    """Choose a list to watch."""
    (shape,) = random.choices(list(SHAPES), list(SHAPES.values()))
    snapshot = random.random() >= WITHOUT_SNAPSHOT
    if shape == "crons":
        return Want(root=CRONS, owner=owner, snapshot=snapshot)
    if shape == "tasks":
        return Want(root=TASKS, owner=owner, snapshot=snapshot)
    return Want(
        root=JOBS,
        owner=owner,
        filter=_some_filter(random, shape),
        snapshot=snapshot,
        coalesce=random.random() < COALESCED,
    )


def _some_filter(random: Random, shape: str) -> JsonObject:
    wanted: JsonObject = {}
    if "states" in shape:
        states, weights = zip(*STATES, strict=True)
        (wanted["states"],) = random.choices(states, weights)
    if "function" in shape:
        wanted["functionName"] = f"ledger.{random.choice(list(WEIGHTS))}"
    if shape == "queue":
        wanted["queue"] = "default"
    if shape == "internal":
        wanted["internal"] = random.choice([True, None])
    if shape == "cause":
        wanted["cause"] = random.choice(["CRON", "JOB", "RECURRING"])
    return wanted
