"""Filtering and ordering of lists."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ostinato.jobs.records import CauseKind

MAX_IDS: Final = 100  # of a filter: a page of a list


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """A filter on jobs; None matches any value. Reads ignore `owner`: the resolvers, which enforce
    access, pass it separately."""

    states: tuple[StrEnum, ...] | None = None
    """States of jobs; filters of changes contain those of batches, requests and failures, too."""
    ids: tuple[str, ...] | None = None
    """1 to 100."""
    function_name: str | None = None
    internal: bool | None = False
    """False excludes internal jobs, True matches only internal jobs, None matches both."""
    cause_kind: CauseKind | None = None
    cause_id: str | None = None
    """The cron, recurring task, batch, request, job or bulk action that created the jobs."""
    root_id: str | None = None
    """Only the tree of this job, which is its first job."""
    queue: str | None = None
    scheduled_from: datetime | None = None
    """Inclusive."""
    scheduled_to: datetime | None = None
    """Exclusive."""
    created_from: datetime | None = None
    """Inclusive."""
    created_to: datetime | None = None
    """Exclusive."""
    key: str | None = None
    tags: tuple[str, ...] = ()
    """The job has all of these."""
    owner: str | None = None
    """For those who see the jobs of all owners: see `resolvers.scheduling.scope_of`."""

    @property
    def has_window(self) -> bool:
        """Return whether the filter restricts due times."""
        return self.scheduled_from is not None or self.scheduled_to is not None

    @property
    def has_labels(self) -> bool:
        """Return whether the filter has criteria that only a job's labels tell."""
        return (
            self.key is not None
            or self.tags != ()
            or self.created_from is not None
            or self.created_to is not None
        )

    @property
    def can_stop_matching(self) -> bool:
        """Return whether the filter has mutable criteria, so that a job can stop matching."""
        return self.states is not None or self.has_window


class JobOrder(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    SCHEDULED_ASC = "scheduledAsc"
    SCHEDULED_DESC = "scheduledDesc"


class FailureState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFilter:
    """A filter on failures; None matches any value. Reads ignore `owner`, as for jobs."""

    states: tuple[FailureState, ...] | None = (FailureState.OPEN,)
    function_name: str | None = None
    fingerprint: str | None = None
    failed_from: datetime | None = None
    """Inclusive."""
    failed_to: datetime | None = None
    """Exclusive."""
    owner: str | None = None
