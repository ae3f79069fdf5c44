"""The context of a function: its job, the scheduler and `ctx.db`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import NoneType
from typing import Any, Final, NamedTuple, Protocol, TypedDict, Unpack

from ostinato.jobs.bulk_actions import BulkActionKind, BulkPage, BulkRow, BulkRows
from ostinato.jobs.clock import Clock
from ostinato.jobs.errors import BadRequest, Issue, WrongKind
from ostinato.jobs.ids import is_id, new_id
from ostinato.jobs.json_values import NotJson, build_progress, format_instant, to_whole_number
from ostinato.jobs.lanes import DEFAULT_QUEUE, MAX_PRIORITY, QUEUE_PATTERN, is_queue_name
from ostinato.jobs.lifecycle import MAX_DELAY_MS
from ostinato.jobs.logs import Log
from ostinato.jobs.mongo.function_db import FunctionDatabase
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.options import MAX_JOB_TIMEOUT_MS
from ostinato.jobs.records import Cause, CauseKind, JobInfo, Progress
from ostinato.jobs.registry import FunctionRef, Registry
from ostinato.jobs.settings import Settings
from ostinato.jobs.tags import parse_tags

MAX_HORIZON: Final = timedelta(milliseconds=MAX_DELAY_MS)
BEYOND_HORIZON_MS = (MAX_HORIZON + timedelta(days=1)) // timedelta(milliseconds=1)

Args = Mapping[str, object]
DeduplicationKey = Mapping[str, Any]
"""Stored as `tick`, for built-in functions only: at most one tick job per due time and version of a
cron or recurring task (and generation, of a task)."""


class JobWriter(Protocol):
    """Inserts and cancels jobs: in a transaction, or immediately."""

    async def schedule(self, new: NewJob) -> str: ...

    async def cancel(self, job_id: str, owner: str | None) -> bool:
        """Cancel a job of `owner`, or of any owner if it is None; return False if no such job
        can be canceled."""
        ...


class BulkChanger(Protocol):
    """Reads and changes the pages of bulk actions, in the transaction of the function."""

    async def read_page(self, page: BulkPage) -> BulkRows: ...

    async def change(
        self,
        kind: BulkActionKind,
        rows: Sequence[BulkRow],
        run_at: datetime | None,
        by: str | None,
    ) -> None: ...


class AttemptLost(Exception):
    """The attempt no longer holds its job, and must have no further effect."""


class JobOptions(TypedDict, total=False):
    """The options of `run_after` and `run_at`."""

    queue: str
    """1 to 64 characters of a-z, 0-9, _ and -. Default: `default`."""
    priority: int
    """0 to 9; higher runs sooner: each point counts as a minute of waiting. Default: 0."""
    timeout_ms: int
    """Time limit of one attempt, in real time, at most a day. Default: the function's own."""
    tags: Sequence[str]
    """At most 10, of 1 to 64 characters each. Default: none."""
    cause: Cause
    """For built-in functions only: what scheduled the job. Default: the running job."""
    tick: DeduplicationKey
    """For built-in functions only. Default: none."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    function: FunctionRef
    args: Args
    options: JobOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What schedules jobs: they belong to its owner, and to the tree of its job."""

    owner: str | None
    cause: Cause
    root_id: str | None = None
    """The first job of the tree; None if no job schedules them."""


class Scheduler:
    """Schedules jobs: in a mutation, when it commits; in an action, immediately."""

    def __init__(self, registry: Registry, clock: Clock, writer: JobWriter, origin: Origin) -> None:
        self._registry = registry
        self._clock = clock
        self._writer = writer
        self._origin = origin

    async def run_after(
        self,
        delay_ms: int,
        function: FunctionRef,
        args: Args | None = None,
        **options: Unpack[JobOptions],
    ) -> str:
        """Schedule a job `delay_ms` milliseconds from now and return its id.

        Raises BadRequest if the function does not exist, the arguments are invalid, or the due
        time is more than five years from now.
        """
        now = await self._clock.now()
        if delay_ms < 0:
            raise BadRequest.at("delayMs", message=f"delayMs must not be negative, got {delay_ms}")
        due = now + timedelta(milliseconds=min(delay_ms, BEYOND_HORIZON_MS))
        return await self._schedule(due, now, JobSpec(function, args or {}, options))

    async def run_at(
        self,
        when: datetime,
        function: FunctionRef,
        args: Args | None = None,
        **options: Unpack[JobOptions],
    ) -> str:
        """Schedule a job for an aware datetime; a past one is due now. Raises like `run_after`."""
        if when.tzinfo is None:
            raise BadRequest.at("when", message="the time has no time zone: pass an aware datetime")
        spec = JobSpec(function, args or {}, options)
        return await self._schedule(when, await self._clock.now(), spec)

    async def cancel(self, job_id: str) -> bool:
        """Cancel a pending job of the same owner, or ask a running one to stop.

        Returns False if the job has ended, is unknown or belongs to another owner. A function
        without an owner can cancel any job. Raises BadRequest for an id that is not a string.
        """
        return is_id(_require_text(job_id)) and await self._writer.cancel(
            job_id, self._origin.owner
        )

    async def _schedule(self, when: datetime, now: datetime, spec: JobSpec) -> str:
        if when - now > MAX_HORIZON:
            message = f"{format_instant(when)} is more than five years away"
            raise BadRequest.at("when", message=message, code="too_far")
        options = validate_options(spec.options)
        function = self._registry.resolve(spec.function)
        tick = spec.options.get("tick")
        new = NewJob(
            function=function,
            args=function.bind(spec.args),
            owner=self._origin.owner,
            cause=options.cause or self._origin.cause,
            scheduled_time=when,
            queue=options.queue,
            priority=options.priority,
            timeout_ms=options.timeout_ms,
            tags=options.tags,
            tick=dict(tick) if tick else None,
            root_id=self._origin.root_id,
        )
        return await self._writer.schedule(new)


def _require_text(job_id: object) -> str:
    # Guards against NoSQL operator injection, such as {"$ne": None} from a client's JSON.
    if not isinstance(job_id, str):
        message = f"a job's id must be a string, got {type(job_id).__name__}"
        raise BadRequest.at("jobId", message=message, code="not_text")
    return job_id


_NUMBERS: Final = (
    ("priority", "priority", 0, MAX_PRIORITY),
    ("timeout_ms", "timeoutMs", 1, MAX_JOB_TIMEOUT_MS),
)
"""The options that are numbers: their names here and in errors, their minimum and maximum."""


class ValidOptions(NamedTuple):
    """Validated options: plain text and numbers, no subclasses."""

    queue: str
    priority: int
    timeout_ms: int | None
    cause: Cause | None
    tags: tuple[str, ...] = ()


def validate_options(options: JobOptions) -> ValidOptions:
    """Return the options as plain values; raises BadRequest with an issue for each mistake."""
    issues = []
    queue: object = options.get("queue", DEFAULT_QUEUE)
    queue = str.__str__(queue) if isinstance(queue, str) else ""
    if queue is not DEFAULT_QUEUE and not is_queue_name(queue):
        issues.append(_option_issue("queue", f"must match {QUEUE_PATTERN}"))
    cause = options.get("cause")
    if not _is_cause(cause):
        problem = f"must be a Cause whose id is a string or None, got {cause!r:.200}"
        issues.append(_option_issue("cause", problem))
    tags: tuple[str, ...] = ()
    try:
        tags = parse_tags(options["tags"]) if "tags" in options else ()
    except BadRequest as error:
        issues += error.issues
    numbers: dict[str, int] = {}
    for option, name, minimum, maximum in _NUMBERS:
        try:
            if option in options:
                given = options.get(option)
                numbers[option] = to_whole_number(given, minimum=minimum, maximum=maximum)
        except NotJson as error:
            issues.append(_option_issue(name, error.problem))
    if issues:
        raise BadRequest("; ".join(issue.message for issue in issues), issues)
    return ValidOptions(queue, numbers.get("priority", 0), numbers.get("timeout_ms"), cause, tags)


def _is_cause(cause: object) -> bool:
    """Return whether a cause can be stored; MongoDB would interpret a dict as an operator."""
    if not isinstance(cause, Cause):
        return cause is None
    kind: object = cause.kind
    return isinstance(kind, CauseKind) and type(cause.id) in (str, NoneType)


def _option_issue(name: str, problem: str) -> Issue:
    return Issue(path=(name,), message=f"{name} {problem}", code="out_of_range")


RunMutation = Callable[[FunctionRef, Args], Awaitable[Any]]
ReportProgress = Callable[[Progress], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Context:
    """The first argument of every function."""

    owner: str | None
    """The user on whose behalf the function runs; None for the system."""
    db: FunctionDatabase
    """`ctx.db["orders"]`: a collection of the application, in a mutation within its transaction."""
    scheduler: Scheduler
    registry: Registry
    settings: Settings
    clock: Clock
    log: Log
    """Logs events with fields, `ctx.log.info("page.read", rows=10)`, and adds the job's id."""
    running_job: JobInfo | None = None
    """The job that runs the function; None in a GraphQL mutation. Functions read `job`."""
    mutation_runner: RunMutation | None = None
    report_progress: ReportProgress | None = None
    bulk_changer: BulkChanger | None = None
    """For built-in functions only: see `bulk`."""

    @property
    def bulk(self) -> BulkChanger:
        """Return what changes the pages of bulk actions; raises WrongKind in an action."""
        if self.bulk_changer is None:
            raise WrongKind("only a mutation can change a page of a bulk action")
        return self.bulk_changer

    @property
    def job(self) -> JobInfo:
        """The running job; raises WrongKind in a GraphQL mutation, such as `startBatch`."""
        if self.running_job is None:
            raise WrongKind(
                "a GraphQL mutation has no ctx.job: use ctx.owner, or schedule a function"
            )
        return self.running_job

    async def run_mutation(self, function: FunctionRef, args: Args | None = None) -> Any:
        """Run a mutation function now, in a separate transaction, and return its result.

        Raises WrongKind in a mutation.
        """
        if self.mutation_runner is None:
            raise WrongKind("a mutation calls another function directly, with its own ctx")
        return await self.mutation_runner(function, args or {})

    async def now(self) -> datetime:
        """Return scheduler time: UTC, whole milliseconds."""
        return await self.clock.now()

    async def progress(
        self, done: int, total: int | None = None, message: str | None = None
    ) -> None:
        """Report the job's progress; a mutation's progress becomes visible when it commits.

        Raises NotJson unless both numbers are whole and within ±(2^53 - 1).
        """
        progress = build_progress(done, total, message)
        if self.report_progress is not None:
            await self.report_progress(progress)

    def new_id(self) -> str:
        return new_id()
