"""The final database of a run, with the global ids and root fields of the subscriptions."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.chaos import dump, history
from benchmarks.chaos.live.subscriptions import (
    BATCH,
    CRONS,
    JOB,
    JOBS,
    REQUEST,
    TASKS,
    Step,
    SubscriptionSpec,
)
from ostinato.jobs.documents import job_from
from ostinato.jobs.records import Job

TYPES: Final = {
    CRONS: ("crons", "Cron"),
    TASKS: ("taskConfigs", "RecurringTask"),
    REQUEST: ("requests", "Request"),
    BATCH: ("batches", "Batch"),
}
"""The collection and the GraphQL type of each root field."""


@dataclass(frozen=True, slots=True)
class FinalState:
    jobs: Mapping[str, Job]
    """By global id."""
    versions: Mapping[str, Mapping[str, tuple[str, int]]]
    """The owner and the version of each other record, by root field and global id."""
    _steps: dict[bytes, Mapping[str, Sequence[Step]]] = field(default_factory=dict)

    def steps(self, spec: SubscriptionSpec) -> Mapping[str, Sequence[Step]]:
        """Return the expected messages for each job; cached for equal subscriptions."""
        key = orjson.dumps([spec.owner, spec.filter], option=orjson.OPT_SORT_KEYS)
        if key not in self._steps:
            self._steps[key] = {
                global_id: tuple(spec.steps(job))
                for global_id, job in self.jobs.items()
                if spec.matches_except_state(job)
            }
        return self._steps[key]

    def final_versions(self, spec: SubscriptionSpec) -> dict[str, int]:
        """Return the final versions of all objects in a view."""
        if spec.root in (JOBS, JOB):
            found = {
                global_id: job.version
                for global_id, job in self.jobs.items()
                if _belongs_to_view(spec, global_id, job)
            }
        else:
            found = {
                global_id: version
                for global_id, (owner, version) in self.versions[spec.root].items()
                if spec.owner in (None, owner)
            }
        return found if spec.id is None else {spec.id: found[spec.id]}


def _belongs_to_view(spec: SubscriptionSpec, global_id: str, job: Job) -> bool:
    return global_id == spec.id if spec.root == JOB else spec.matches(job)


def build_final_state(
    jobs: Iterable[Job], others: Mapping[str, Iterable[Mapping[str, Any]]]
) -> FinalState:
    """Build the final state from jobs and from the documents of the other root fields."""
    return FinalState(
        jobs={encode_global_id("Job", job.id): job for job in jobs},
        versions={
            root: {
                encode_global_id(type_name, document["_id"]): (
                    document["owner"],
                    document["version"],
                )
                for document in others.get(root, ())
            }
            for root, (_, type_name) in TYPES.items()
        },
    )


def read(folder: Path) -> FinalState:
    """Read the dump of a run."""
    with (folder / history.DATABASE).open() as file:
        found = dump.read(file)
    others = {root: found[collection] for root, (collection, _) in TYPES.items()}
    return build_final_state(map(job_from, found["jobs"]), others)


def encode_global_id(type_name: str, document_id: str) -> str:
    return urlsafe_b64encode(f"{type_name}:{document_id}".encode()).decode().rstrip("=")
