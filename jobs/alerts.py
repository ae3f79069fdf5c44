"""Alerts: what the watchdog of the API processes has found. Records and texts; no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self

from ostinato.jobs.json_values import format_instant

WATCHDOG: Final = "watchdog"  # the stored name of the role of the API process that watches
MAX_SUBJECTS: Final = 100  # open alerts of a kind: clients choose the names of queues and crons
MAX_NAME_CHARS: Final = 200


class AlertKind(StrEnum):
    """What is wrong. One alert of a kind is open for each subject."""

    NO_WORKER = "noWorker"
    QUEUE_NOT_SERVED = "queueNotServed"
    CRON_LATE = "cronLate"
    CRON_FAILING = "cronFailing"
    JOB_STUCK = "jobStuck"
    FUNCTION_FAILING = "functionFailing"


class AlertState(StrEnum):
    """The state of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertEvent(StrEnum):
    """What is sent to the webhook."""

    OPENED = "alert.opened"
    RESOLVED = "alert.resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that needs the attention of an operator or of the owner of a cron or job."""

    id: str
    kind: AlertKind
    subject: str
    """The id of the cron or job, the name of the queue or function, or the empty text."""
    owner: str | None
    """The owner of the cron or job; None for alerts that only admins see."""
    state: AlertState
    message: str
    opened_at: datetime
    """Real time of MongoDB, like the other times."""
    version: int
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    """The user who resolved it; None if its condition ended."""


def alert_from(document: Mapping[str, Any]) -> Alert:
    return Alert(
        id=document["_id"],
        kind=AlertKind(document["kind"]),
        subject=document["subject"],
        owner=document["owner"],
        state=AlertState(document["state"]),
        message=document["message"],
        opened_at=document["openedAt"],
        version=document["version"],
        acknowledged_at=document.get("acknowledgedAt"),
        acknowledged_by=document.get("acknowledgedBy"),
        resolved_at=document.get("resolvedAt"),
        resolved_by=document.get("resolvedBy"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A reason for an alert, as long as it is found."""

    kind: AlertKind
    subject: str = ""
    owner: str | None = None
    message: str

    @property
    def key(self) -> str:
        """The identity of the condition: at most one open alert has it."""
        return f"{self.kind}:{self.subject}"

    @classmethod
    def no_worker(cls, after: timedelta) -> Self:
        return cls(
            kind=AlertKind.NO_WORKER,
            message=f"No worker has been heard for {_seconds(after)}, so no job starts: start one "
            "with `ostinato worker`, and read the log of those that ran",
        )

    @classmethod
    def queue_not_served(cls, queue: str) -> Self:
        return cls(
            kind=AlertKind.QUEUE_NOT_SERVED,
            subject=queue,
            message=f"Jobs are due in the queue {_shown(queue)}, and no running worker takes jobs "
            f"from it: start a worker with {_shown(queue)} in its OSTINATO_QUEUES",
        )

    @classmethod
    def cron_late(cls, cron: Mapping[str, Any]) -> Self:
        return cls(
            kind=AlertKind.CRON_LATE,
            subject=cron["_id"],
            owner=cron["owner"],
            message=f"The cron {_shown(cron['name'])} was due at "
            f"{format_instant(cron['nextRunTime'])} and has not run: check that workers run and "
            "have free slots",
        )

    @classmethod
    def cron_failing(cls, cron: Mapping[str, Any], failures: int) -> Self:
        return cls(
            kind=AlertKind.CRON_FAILING,
            subject=cron["_id"],
            owner=cron["owner"],
            message=f"The last {failures} runs of the cron {_shown(cron['name'])} have failed: "
            "read their errors and logs",
        )

    @classmethod
    def job_stuck(cls, job: Mapping[str, Any], timeout: timedelta, after: timedelta) -> Self:
        return cls(
            kind=AlertKind.JOB_STUCK,
            subject=job["_id"],
            owner=job["owner"],
            message=f"The job {job['_id']} of {_shown(job['functionName'])} has run since "
            f"{format_instant(job['startedAt'])}, longer than its timeout of {_seconds(timeout)} "
            f"and {_seconds(after)} more: its function ignores its cancellation or blocks its "
            "worker, or its worker is lost",
        )

    @classmethod
    def function_failing(cls, function: str, failures: int) -> Self:
        return cls(
            kind=AlertKind.FUNCTION_FAILING,
            subject=function,
            message=f"At least {failures} jobs of {_shown(function)} have failed in the last 15 "
            "minutes, and none has succeeded: read their errors and logs",
        )


def _shown(name: str) -> str:
    return repr(name[:MAX_NAME_CHARS])


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():g} s"
