"""Frozen records of jobs and their sources, for the layers above the engine.

Instants are aware UTC datetimes with whole milliseconds. Ids are 24 hexadecimal characters.
`version` increases by one with every write of a document; in a merge, the higher one wins.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from ostinato.jobs.cron_ledger import NO_TICKS, TickCounts
from ostinato.jobs.time_rules import NO_EXCLUSIONS, Exclusions, FoldPolicy, GapPolicy

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
JsonObject: TypeAlias = dict[str, Json]


class JobState(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "inProgress"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELED = "canceled"


class FunctionKind(StrEnum):
    MUTATION = "mutation"
    ACTION = "action"


class CauseKind(StrEnum):
    """The origin of a job."""

    API = "api"
    CRON = "cron"
    RECURRING = "recurring"
    BATCH = "batch"
    REQUEST = "request"
    JOB = "job"
    APPLICATION = "application"
    BULK_ACTION = "bulkAction"


class RequestState(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELED = "canceled"


class BatchState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELED = "canceled"
    FAILED = "failed"


class OverlapPolicy(StrEnum):
    """How a tick is handled while the cron's previous run has not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"


class PauseReason(StrEnum):
    """Why Ostinato paused a cron or stopped a recurring task."""

    ROLE_LOST = "roleLost"
    OWNER_SUSPENDED = "ownerSuspended"
    FAILED_RUNS = "failedRuns"
    MAX_RUNS = "maxRuns"


class CatchUpPolicy(StrEnum):
    """How ticks that no worker ran in time are handled."""

    SKIP = "skip"
    LATEST = "latest"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    name: str
    """The exception's class name."""
    message: str
    """At most 4 KiB; visible to the owner."""
    traceback: str | None = None
    """At most 16 KiB; visible to admins only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    kind: CauseKind
    id: str | None = None
    """Id of the cron, recurring task, batch, request or parent job; None for the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInfo:
    """The running job, as seen by its function."""

    id: str
    function_name: str
    attempt: int
    """From 1."""
    max_attempts: int
    owner: str | None
    cause: Cause
    root_id: str
    """The first job of its tree; its own id, unless a job scheduled it."""
    scheduled_time: datetime
    """The due time of this attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One entry of a job's timeline: one change of state."""

    seq: int
    """From 1, without gaps."""
    at: datetime
    from_state: JobState | None
    """None for the first event."""
    state: JobState
    attempt: int
    worker_id: str | None = None
    next_run_at: datetime | None = None
    """When the job is due, if this event made it pending."""
    args_changed: bool = False
    """Whether this event, a manual retry, replaced the arguments."""
    by: str | None = None  # the user who asked for this retry; None for applications
    error: JobError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    done: int
    total: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One scheduled call of a function. Only transitions of its lifecycle write it."""

    id: str
    function_name: str
    args: JsonObject
    owner: str | None
    """The user who owns it; None for system jobs."""
    internal: bool
    state: JobState
    scheduled_time: datetime
    queue: str
    priority: int
    attempt: int
    """Number of starts so far."""
    max_attempts: int
    cause: Cause
    root_id: str
    """The first job of its tree: of the job that scheduled it, or its own id."""
    version: int
    created_at: datetime
    timeline: tuple[JobEvent, ...] = ()
    key: str | None = None
    tags: tuple[str, ...] = ()
    timeout_ms: int | None = None
    """Time limit of one attempt, in real time; None for the function's default."""
    progress: Progress | None = None
    result: Json = None
    error: JobError | None = None
    cancel_requested_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    purge_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalSchedule:
    ms: int
    tz: str = "UTC"
    """In which the days of exclusions are meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSchedule:
    cronspec: str
    tz: str = "UTC"
    on_gap: GapPolicy = GapPolicy.NEXT
    on_fold: FoldPolicy = FoldPolicy.FIRST


Schedule: TypeAlias = IntervalSchedule | CronSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A named schedule that creates a job per tick."""

    id: str
    name: str
    function_name: str
    args: JsonObject
    schedule: Schedule
    owner: str | None
    enabled: bool
    next_run_time: datetime
    """The next tick; for a paused cron, the value when it was paused."""
    overlap: OverlapPolicy
    catch_up: CatchUpPolicy
    version: int
    last_run_time: datetime | None = None
    scheduler_job_id: str | None = None
    """The job of the pending tick."""
    skipped_ticks: int = 0
    jitter_ms: int = 0
    start_at: datetime | None = None
    end_at: datetime | None = None
    tags: tuple[str, ...] = ()  # of the jobs that it creates
    paused_because: PauseReason | None = None
    """Set when Ostinato pauses the cron; None if it is enabled, or a client paused it."""
    exclusions: Exclusions = NO_EXCLUSIONS
    skipped_times: tuple[datetime, ...] = ()
    """The ticks that a client has skipped ahead of time. They are never planned again."""
    max_runs: int | None = None
    catch_up_window_ms: int | None = None
    pause_after_failures: int | None = None
    """The cron is paused when so many runs in a row have failed."""
    managed_by: str | None = None
    """The set that contains it, or `@cron` if it is declared in code; or None."""
    tick_counts: TickCounts = NO_TICKS
    executions: tuple[str, ...] = ()
    """The newest runs, from the oldest on whose outcome is not counted in `failures`."""
    failures: int = 0
    """The number of failures in a row before these runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringTask:
    """A function that runs at every tick while it is enabled. Unique per owner and `task_id`."""

    id: str
    task_id: str
    owner: str | None
    function_name: str
    args: JsonObject
    interval_ms: int
    enabled: bool
    generation: int
    """Incremented at each start; tick jobs of older generations do nothing."""
    version: int
    next_run_time: datetime | None = None
    scheduler_job_id: str | None = None
    paused_because: PauseReason | None = None
    """Set when Ostinato stops the task; None if it is enabled, or a client stopped it."""
    run_count: int = 0
    """Number of runs that it has created; not counted by older versions."""
    last_run_time: datetime | None = None
    """When the last run was created."""
    last_lateness_ms: int | None = None
    """How long after its tick the last run was created."""
    skipped_ticks: int = 0
    """Ticks that no worker ran in time; the newest one of them ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A paged pass over a collection, at a limited rate."""

    id: str
    source: str
    owner: str | None
    state: BatchState
    batch_size: int
    delay_ms: int
    processed: int
    version: int
    created_at: datetime
    cursor: str | None = None
    total: int | None = None
    """Number of documents to process at the start; None if the source does not count."""
    completed_at: datetime | None = None
    scheduler_job_id: str | None = None
    failed: int = 0
    """Number of items that failed in a page; each has a job of its own, whose success subtracts
    it."""
    max_failed_items: int = 0
    """The batch fails when more items have failed; 0: when a page has failed."""
    next_page_time: datetime | None = None
    """When the next page is due; None unless the batch is running, and in older documents."""
    busy_ms: int = 0
    """How long its pages took, without the delays between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateAnswer:
    """An answer that arrived after the request had timed out; it changes nothing else."""

    at: datetime
    by: str | None = None
    """The user who gave it; None for the handler, and for an application."""
    result: Json = None
    error: JobError | None = None
    """Set instead of the result if the request was rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A document that must be completed before its timeout."""

    id: str
    owner: str | None
    state: RequestState
    data: Json
    timeout_at: datetime
    created_at: datetime
    version: int
    result: Json = None
    completed_at: datetime | None = None
    error: JobError | None = None
    """Why it failed: the handler's exception, or what the person who rejected it wrote."""
    answered_by: str | None = None
    """The user who completed, rejected or canceled it; None for the handler, and for an
    application."""
    late_answer: LateAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The error of a job's last attempt; kept while it is open, and some time after."""

    id: str
    owner: str | None
    function_name: str
    error: JobError
    attempts: int
    at: datetime
    version: int
    data: Json = None
    job_id: str | None = None
    """None if a function recorded the failure."""
    recorded_by_id: str | None = None  # the job whose function recorded it
    fingerprint: str | None = None  # equal for similar errors; older failures have none
    resolved_at: datetime | None = None
    """None while it is open."""
