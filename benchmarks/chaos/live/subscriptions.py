"""The subscriptions of clients: their queries, and the events that they must receive. Pure.

This module implements the filters a second time, so that an error in the first is found.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

from benchmarks.chaos.plan import WEIGHTS
from ostinato.jobs.records import Job, JobEvent, Json, JsonObject

SNAPSHOT_ROWS: Final = 1_000
"""The maximum number of rows of a snapshot."""

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
"""The connections in which clients look up single objects."""
TOPICS: Final = {
    JOBS: "jobs",
    JOB: "job",
    CRONS: "crons",
    TASKS: "recurringTasks",
    REQUEST: "request",
    BATCH: "batch",
}
"""The topic in the cursors of each root field."""


class Step(NamedTuple):
    """An event of a job, and the kind of its message."""

    kind: str
    event: JobEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSpec:
    root: str
    owner: str | None
    """The owner of the visible objects; None for an admin, who sees all."""
    filter: JsonObject = field(default_factory=dict)
    snapshot: bool = False
    coalesce: bool = False
    id: str | None = None
    """The global id of a single watched object."""
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
        """Return the variables; a resumption differs only in `after`."""
        variables: JsonObject = {"after": after}
        if self.id is not None:
            variables["id"] = self.id
        if self.root == JOB:
            variables["fromSeq"] = self.from_seq
        if self.root in (JOBS, CRONS, TASKS):
            variables["snapshot"] = self.snapshot
        if self.root == JOBS:
            variables |= {"filter": self.filter, "coalesce": self.coalesce}
        return variables

    def matches_except_state(self, job: Job) -> bool:
        """Return whether a job matches all conditions except its state."""
        filter_, is_internal = self.filter, self.filter.get("internal", False)
        return (
            self.owner in (None, job.owner)
            and is_internal in (None, job.internal)
            and filter_.get("functionName") in (None, job.function_name)
            and filter_.get("queue") in (None, job.queue)
            and filter_.get("cause") in (None, job.cause.kind.name)
        )

    def matches(self, job: Job) -> bool:
        """Return whether the job belongs to the view in its current state."""
        return self.matches_except_state(job) and self._matches_state(job.state.name)

    def steps(self, job: Job) -> Iterator[Step]:
        """Return the messages of a job that is created after the subscription."""
        before: str | None = None
        for event in job.timeline:
            if self._matches_state(event.state.name):
                yield Step(CHANGED, event)
            elif before is not None and self._matches_state(before):
                yield Step(LEFT, event)
            before = event.state.name

    def _matches_state(self, state: str) -> bool:
        states = self.filter.get("states")
        return not isinstance(states, list) or state in states


def read(line: Mapping[str, Any]) -> SubscriptionSpec:
    return SubscriptionSpec(**line)


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
WITHOUT_SNAPSHOT_SHARE: Final = 0.2
COALESCED_SHARE: Final = 0.1


def random_list(random: Random, owner: str | None) -> SubscriptionSpec:
    """Choose a random list subscription."""
    (shape,) = random.choices(list(SHAPES), list(SHAPES.values()))
    snapshot = random.random() >= WITHOUT_SNAPSHOT_SHARE
    if shape == "crons":
        return SubscriptionSpec(root=CRONS, owner=owner, snapshot=snapshot)
    if shape == "tasks":
        return SubscriptionSpec(root=TASKS, owner=owner, snapshot=snapshot)
    return SubscriptionSpec(
        root=JOBS,
        owner=owner,
        filter=_random_filter(random, shape),
        snapshot=snapshot,
        coalesce=random.random() < COALESCED_SHARE,
    )


def _random_filter(random: Random, shape: str) -> JsonObject:
    filter_: JsonObject = {}
    if "states" in shape:
        states, weights = zip(*STATES, strict=True)
        (filter_["states"],) = random.choices(states, weights)
    if "function" in shape:
        filter_["functionName"] = f"ledger.{random.choice(list(WEIGHTS))}"
    if shape == "queue":
        filter_["queue"] = "default"
    if shape == "internal":
        filter_["internal"] = random.choice([True, None])
    if shape == "cause":
        filter_["cause"] = random.choice(["CRON", "JOB", "RECURRING"])
    return filter_
