"""Inputs of the mutations and queries for jobs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast

import strawberry
from pydantic import Field
from strawberry import UNSET

from ostinato.jobs import records
from ostinato.jobs.errors import Issue
from ostinato.jobs.lanes import DEFAULT_QUEUE
from ostinato.jobs.transactions.transactor import MAX_JOBS
from ostinato.resolvers.scheduling import JobToSchedule, NewDueTime
from ostinato.schema.fields import unset_to_none
from ostinato.schema.inputs.limits import (
    BulkActionId,
    Delay,
    FailureId,
    JobId,
    JobTimeout,
    JsonObject,
    Name,
    Priority,
    QueueName,
    Tags,
)
from ostinato.schema.inputs.validation import SummarizedInput


@strawberry.input(
    description="The job to schedule. It runs immediately unless a delay or time is given."
)
class ScheduleJobInput:
    function_name: Name = strawberry.field(
        description="The function to run. `functions` lists the callable ones."
    )
    args: JsonObject | None = strawberry.field(
        default=UNSET,
        description="The function's arguments: an object of at most 64 KiB; empty if omitted. "
        "`functions` lists their JSON Schema.",
    )
    run_after_ms: Delay | None = strawberry.field(
        default=UNSET, description="The delay from now: 0 to 5 years."
    )
    run_at: datetime | None = strawberry.field(
        default=UNSET,
        description="When to run, at most 5 years from now; a time in the past means immediately. "
        "Cannot be combined with `runAfterMs`.",
    )
    key: Name | None = strawberry.field(
        default=UNSET,
        description="An idempotency key: repeating the call with the same key and arguments "
        "returns the same job; other arguments are a CONFLICT. 1 to 200 characters.",
    )
    queue: QueueName = strawberry.field(
        default=DEFAULT_QUEUE,
        description="The job's queue: 1 to 64 of the characters a-z, 0-9, _ and -. At least one "
        "worker must take jobs from the queue for the job to run.",
    )
    priority: Priority = strawberry.field(
        default=0,
        description="0 to 9. Among your jobs in a queue, higher priorities run sooner. Each point "
        "counts as one minute of waiting, so that no job starves.",
    )
    timeout_ms: JobTimeout | None = strawberry.field(
        default=UNSET,
        description="The timeout of one attempt, at most a day; the function's timeout if omitted.",
    )
    tags: Tags | None = strawberry.field(
        default=UNSET,
        description="Tags to find the job by: at most 10, of 1 to 64 characters each.",
    )

    @property
    def call(self) -> tuple[str, records.JsonObject] | None:
        args: object = unset_to_none(self.args) or {}
        return (self.function_name, args) if isinstance(args, dict) else None

    def issues(self) -> Iterator[Issue]:
        if unset_to_none(self.run_after_ms) is not None and unset_to_none(self.run_at) is not None:
            message = "runAfterMs and runAt are mutually exclusive: send only one of them"
            yield Issue(path=("runAfterMs",), message=message, code="exclusive")
            yield Issue(path=("runAt",), message=message, code="exclusive")

    def to_plain(self) -> JobToSchedule:
        """Convert the validated input for the use case."""
        return JobToSchedule(
            function_name=self.function_name,
            args=cast("records.JsonObject", self.args or {}),
            run_after_ms=self.run_after_ms,
            run_at=self.run_at,
            key=self.key,
            queue=self.queue,
            priority=self.priority,
            timeout_ms=self.timeout_ms,
            tags=tuple(dict.fromkeys(self.tags or ())),
        )


@strawberry.input(description="The jobs to schedule: all of them, or none.")
class ScheduleJobsInput(SummarizedInput):
    jobs: Annotated[list[ScheduleJobInput], Field(min_length=1, max_length=MAX_JOBS)] = (
        strawberry.field(description="The jobs: 1 to 1000, with 8 MiB of arguments in total.")
    )

    def to_plain(self) -> list[JobToSchedule]:
        """Convert the validated input for the use case."""
        return [each.to_plain() for each in self.jobs]

    def recorded(self) -> Mapping[str, object]:
        """Return what the audit log records, as for the Python client."""
        names = sorted({each.function_name for each in self.jobs})
        return {"jobs": len(self.jobs), "functionNames": names}


@dataclass(frozen=True, slots=True)
class NewArgs:
    """The argument `args` of `retryJob`."""

    args: JsonObject | None

    @property
    def plain(self) -> records.JsonObject | None:
        return cast("records.JsonObject | None", self.args)


@dataclass(frozen=True, slots=True)
class NewTime:
    """The arguments `runAt` and `runAfterMs` of `rescheduleJobs`."""

    run_at: datetime | None
    run_after_ms: Delay | None

    def issues(self) -> Iterator[Issue]:
        times = (unset_to_none(self.run_at), unset_to_none(self.run_after_ms))
        if times.count(None) != 1:
            message = "send exactly one of runAt and runAfterMs"
            yield Issue(path=("runAt",), message=message, code="exclusive")

    def to_plain(self) -> NewDueTime:
        """Convert the validated arguments for the use case."""
        return NewDueTime(run_at=self.run_at, run_after_ms=self.run_after_ms)


@strawberry.input(
    description="The job to reschedule, and either `runAt` or `runAfterMs`. PRECONDITION_FAILED "
    "for internal jobs."
)
class RescheduleJobInput:
    job_id: JobId = strawberry.field(description="The job's id.")
    run_at: datetime | None = strawberry.field(
        default=UNSET,
        description="When to run, at most 5 years from now; a time in the past means immediately.",
    )
    run_after_ms: Delay | None = strawberry.field(
        default=UNSET, description="The delay from now: 0 to 5 years."
    )
    expected_version: int | None = strawberry.field(
        default=UNSET,
        description="The `version` of the job that you have seen. CONFLICT if it has changed.",
    )

    def to_plain(self) -> NewDueTime:
        """Convert the validated input for the use case."""
        return NewDueTime(
            run_at=self.run_at,
            run_after_ms=self.run_after_ms,
            expected_version=self.expected_version,
        )

    def issues(self) -> Iterator[Issue]:
        return NewTime(self.run_at, self.run_after_ms).issues()


@strawberry.input(description="The job to change. PRECONDITION_FAILED for internal jobs.")
class JobIdInput:
    job_id: JobId = strawberry.field(description="The job's id.")


@strawberry.input(description="The failure to resolve.")
class FailureIdInput:
    failure_id: FailureId = strawberry.field(description="The failure's id.")


@strawberry.input(description="The bulk action to cancel.")
class BulkActionIdInput:
    bulk_action_id: BulkActionId = strawberry.field(description="The bulk action's id.")
