"""What the database says at the end, in the words of the subscriptions. Pure."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.chaos import dump, history
from benchmarks.chaos.live.wants import BATCH, CRONS, JOB, JOBS, REQUEST, TASKS, Step, Want
from ostinato.jobs.documents import job_from
from ostinato.jobs.records import Job

TYPES: Final = {
    CRONS: ("crons", "Cron"),
    TASKS: ("taskConfigs", "RecurringTask"),
    REQUEST: ("requests", "Request"),
    BATCH: ("batches", "Batch"),
}
"""By root field: the collection, and the type that its ids name."""


@dataclass(frozen=True, slots=True)
class Facts:
    jobs: Mapping[str, Job]
    """By global id, as in all messages."""
    versions: Mapping[str, Mapping[str, tuple[str, int]]]
    """By root field and global id: the owner and the version of what is no job."""
    _steps: dict[bytes, Mapping[str, Sequence[Step]]] = field(default_factory=dict)

    def steps(self, want: Want) -> Mapping[str, Sequence[Step]]:
        """Give all that is to be told, by job; the same for all who want the same."""
        key = orjson.dumps([want.owner, want.filter], option=orjson.OPT_SORT_KEYS)
        if key not in self._steps:
            self._steps[key] = {
                name: tuple(want.steps(job))
                for name, job in self.jobs.items()
                if want.concerns(job)
            }
        return self._steps[key]

    def present(self, want: Want) -> dict[str, int]:
        """Give the version of everything that belongs into a view, at the end."""
        if want.root in (JOBS, JOB):
            found = {
                name: job.version for name, job in self.jobs.items() if _shows(want, name, job)
            }
        else:
            found = {
                name: version
                for name, (owner, version) in self.versions[want.root].items()
                if want.owner in (None, owner)
            }
        return found if want.id is None else {want.id: found[want.id]}


def _shows(want: Want, name: str, job: Job) -> bool:
    return name == want.id if want.root == JOB else want.matches(job)


def facts(jobs: Iterable[Job], others: Mapping[str, Iterable[Mapping[str, Any]]]) -> Facts:
    """Put together what the dump has: jobs, and the documents of each other root field."""
    return Facts(
        jobs={global_id("Job", job.id): job for job in jobs},
        versions={
            root: {
                global_id(type_name, each["_id"]): (each["owner"], each["version"])
                for each in others.get(root, ())
            }
            for root, (_, type_name) in TYPES.items()
        },
    )


def read(folder: Path) -> Facts:
    """Read a run's dump."""
    with (folder / history.DATABASE).open() as file:
        found = dump.read(file)
    others = {root: found[collection] for root, (collection, _) in TYPES.items()}
    return facts(map(job_from, found["jobs"]), others)


def global_id(type_name: str, document_id: str) -> str:
    return urlsafe_b64encode(f"{type_name}:{document_id}".encode()).decode().rstrip("=")
