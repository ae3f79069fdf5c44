"""The input of the checker: the operation log, the final database, and the notes of actions."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from benchmarks.chaos import dump, operations
from benchmarks.chaos.ledger import EFFECTS, TALLIES
from benchmarks.chaos.operations import Kind, Operation, Request
from ostinato.jobs.bulk_actions import BulkAction, bulk_action_from
from ostinato.jobs.cron_ledger import CronTick, cron_tick_from
from ostinato.jobs.documents import cron_from, job_from
from ostinato.jobs.records import CauseKind, Cron, Job

OPERATIONS: Final = "operations.jsonl"
DATABASE: Final = "database.jsonl"
NOTES: Final = "notes.jsonl"
FAULTS: Final = "faults.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A document that a mutation wrote."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line that an action wrote."""

    job: str
    attempt: int
    event: str
    """`start`, `end`, or `scheduled`."""
    scheduled: str | None = None
    """The id of the job that the action scheduled."""


@dataclass(frozen=True, kw_only=True)
class History:
    last_fault_at: datetime
    """The time at which the last fault was repaired."""
    operations: Sequence[Operation] = ()
    jobs: Mapping[str, Job] = field(default_factory=dict)
    effects: Sequence[Effect] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    failures: frozenset[str] = frozenset()
    """The ids of the jobs with a recorded failure that nobody has resolved."""
    crons: Sequence[Cron] = ()
    cron_ticks: Sequence[CronTick] = ()
    """The records of the ticks of crons."""
    bulk_actions: Sequence[BulkAction] = ()
    notes: Sequence[Note] = ()
    unexpected_ends: Sequence[str] = ()
    """Processes that ended without being killed."""
    rejects_outcomes: bool = False
    """Whether the run made MongoDB reject outcomes."""

    @cached_property
    def schedule_calls(self) -> Sequence[Operation]:
        """The calls of `scheduleJob`; one for each job of `scheduleJobs`."""
        return [
            call
            for operation in self.operations
            if operation.request.kind in (Kind.SCHEDULE, Kind.SCHEDULE_MANY)
            for call in _single_calls(operation)
        ]

    @cached_property
    def effects_of(self) -> Mapping[str, list[Effect]]:
        found = defaultdict(list)
        for effect in self.effects:
            found[effect.job].append(effect)
        return found

    @cached_property
    def notes_of(self) -> Mapping[str, list[Note]]:
        found = defaultdict(list)
        for note in self.notes:
            found[note.job].append(note)
        return found

    @cached_property
    def children_of(self) -> Mapping[str, list[Job]]:
        """The jobs that each job or cron scheduled."""
        found = defaultdict(list)
        for job in self.jobs.values():
            if job.cause.id is not None:
                found[job.cause.id].append(job)
        return found

    @cached_property
    def jobs_by_mark(self) -> Mapping[str, list[Job]]:
        """The jobs scheduled through the API, by the mark in their arguments."""
        found = defaultdict(list)
        for job in self.jobs.values():
            if job.cause.kind is CauseKind.API:
                found[str(job.args["mark"])].append(job)
        return found


def _single_calls(operation: Operation) -> Iterator[Operation]:
    if operation.request.kind is Kind.SCHEDULE:
        yield operation
        return
    jobs, ids = operation.request.input["jobs"], operation.answer.value.get("allScheduled")
    assert isinstance(jobs, list)
    for number, job in enumerate(jobs):
        assert isinstance(job, dict)
        value = {"scheduled": ids[number]} if isinstance(ids, list) else operation.answer.value
        answer = replace(operation.answer, value=value)
        yield replace(operation, request=Request(Kind.SCHEDULE, job), answer=answer)


def read(folder: Path) -> History:
    """Read the files of a run, except malformed documents and the jobs that they caused."""
    entries = _fault_entries(folder)
    database = dump.read(_lines(folder / DATABASE))
    excluded = _excluded_ids(database["jobs"], malformed_ids(folder))
    jobs = [job_from(document) for document in database["jobs"] if document["_id"] not in excluded]
    notes = [_note(json.loads(line)) for line in _lines(folder / NOTES)]
    effects = [
        Effect(job=document["job"], attempt=document["attempt"]) for document in database[EFFECTS]
    ]
    ended = [entry["at"] for entry in entries if entry["event"] == "ended"]
    return History(
        operations=operations.read(_lines(folder / OPERATIONS)),
        jobs={job.id: job for job in jobs},
        effects=[effect for effect in effects if effect.job not in excluded],
        counters={document["_id"]: document["value"] for document in database[TALLIES]},
        failures=_open_failures(database["failures"], excluded),
        crons=[cron_from(each) for each in database["crons"] if each["_id"] not in excluded],
        cron_ticks=[
            cron_tick_from(each) for each in database["cronTicks"] if each["cronId"] not in excluded
        ],
        bulk_actions=[bulk_action_from(each) for each in database["bulkActions"]],
        notes=[note for note in notes if note.job not in excluded],
        unexpected_ends=[
            f"{entry['process']}: {entry['ending']}"
            for entry in entries
            if entry["event"] == "died"
        ],
        rejects_outcomes=any(entry["event"] == "refused" for entry in entries),
        last_fault_at=datetime.fromtimestamp(max(ended), UTC),
    )


def _open_failures(documents: list[dump.Document], excluded: set[str]) -> frozenset[str]:
    """Return the ids of the failures that nobody has resolved; a malformed cron has failures
    without a job."""
    return frozenset(
        each["_id"]
        for each in documents
        if ("jobId" in each or not excluded) and each.get("resolvedAt") is None
    ).difference(excluded)


def malformed_ids(folder: Path) -> list[str]:
    """Return the ids of the malformed documents that the run wrote."""
    return [
        job_id
        for entry in _fault_entries(folder)
        if entry["event"] == "malformed"
        for job_id in entry["ids"]
    ]


def _excluded_ids(jobs: Iterable[Mapping[str, Any]], malformed: Iterable[str]) -> set[str]:
    """Return the ids of malformed documents and of the jobs that they caused."""
    found = set(malformed)
    causes = {job["_id"]: job["cause"].get("id") for job in jobs if job["_id"] not in found}
    while new := {job_id for job_id, cause in causes.items() if cause in found} - found:
        found |= new
    return found


def _fault_entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _lines(folder / FAULTS)]


def _note(line: dict[str, Any]) -> Note:
    return Note(
        job=line["job"],
        attempt=line["attempt"],
        event=line["event"],
        scheduled=line["scheduled"],
    )


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
