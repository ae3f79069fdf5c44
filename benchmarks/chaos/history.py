"""What the checker judges: the operation log, the database at the end, and the actions' notes."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from benchmarks.chaos import dump, operations
from benchmarks.chaos.ledger import EFFECTS, TALLIES
from benchmarks.chaos.operations import Operation
from ostinato.jobs.documents import cron_from, job_from
from ostinato.jobs.records import CauseKind, Cron, Job

OPERATIONS: Final = "operations.jsonl"
DATABASE: Final = "database.jsonl"
NOTES: Final = "notes.jsonl"
FAULTS: Final = "faults.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A document that a mutation left."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line that an action left."""

    job: str
    attempt: int
    what: str
    """`start`, `end`, or `scheduled`."""
    scheduled: str | None = None
    """The job that was acknowledged to it."""


@dataclass(frozen=True, kw_only=True)
class History:
    last_fault_at: datetime
    """When the last fault was made good."""
    operations: Sequence[Operation] = ()
    jobs: Mapping[str, Job] = field(default_factory=dict)
    effects: Sequence[Effect] = ()
    tallies: Mapping[str, int] = field(default_factory=dict)
    failures: frozenset[str] = frozenset()
    """Of which jobs."""
    crons: Sequence[Cron] = ()
    notes: Sequence[Note] = ()
    deaths: Sequence[str] = ()
    """Processes that ended though nobody killed them."""
    completions_were_refused: bool = False
    """Whether MongoDB was made to refuse some."""

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
        """The jobs that a job, or a cron, scheduled."""
        found = defaultdict(list)
        for job in self.jobs.values():
            if job.cause.id is not None:
                found[job.cause.id].append(job)
        return found

    @cached_property
    def asked_for(self) -> Mapping[str, list[Job]]:
        """The jobs of the API, by the mark that each call gave."""
        found = defaultdict(list)
        for job in self.jobs.values():
            if job.cause.kind is CauseKind.API:
                found[str(job.args["mark"])].append(job)
        return found


def read(folder: Path) -> History:
    """Read what a run left, except documents that it damaged itself and what came of them."""
    marks = _marks(folder)
    database = dump.read(_lines(folder / DATABASE))
    but = _left_out(database["jobs"], damaged_ids(folder))
    jobs = [job_from(one) for one in database["jobs"] if one["_id"] not in but]
    notes = [_note(json.loads(line)) for line in _lines(folder / NOTES)]
    effects = [Effect(job=one["job"], attempt=one["attempt"]) for one in database[EFFECTS]]
    ended = [mark["at"] for mark in marks if mark["what"] == "ended"]
    return History(
        operations=operations.read(_lines(folder / OPERATIONS)),
        jobs={job.id: job for job in jobs},
        effects=[effect for effect in effects if effect.job not in but],
        tallies={one["_id"]: one["value"] for one in database[TALLIES]},
        # A damaged cron leaves failures of its own, which are of no job.
        failures=frozenset(one["_id"] for one in database["failures"] if "jobId" in one or not but)
        - but,
        crons=[cron_from(one) for one in database["crons"] if one["_id"] not in but],
        notes=[note for note in notes if note.job not in but],
        deaths=[f"{one['process']}: {one['ending']}" for one in marks if one["what"] == "died"],
        completions_were_refused=any(mark["what"] == "refused" for mark in marks),
        last_fault_at=datetime.fromtimestamp(max(ended), UTC),
    )


def damaged_ids(folder: Path) -> list[str]:
    """Give the ids of the documents that the run wrote past the API."""
    return [one for mark in _marks(folder) if mark["what"] == "malformed" for one in mark["ids"]]


def _left_out(jobs: Iterable[Mapping[str, Any]], damaged: Iterable[str]) -> set[str]:
    """Give the ids of damaged documents, and of the jobs that they led to."""
    found = set(damaged)
    causes = {one["_id"]: one["cause"].get("id") for one in jobs if one["_id"] not in found}
    while new := {job for job, cause in causes.items() if cause in found} - found:
        found |= new
    return found


def _marks(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _lines(folder / FAULTS)]


def _note(line: dict[str, Any]) -> Note:
    return Note(
        job=line["job"],
        attempt=line["attempt"],
        what=line["what"],
        scheduled=line["scheduled"],
    )


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
