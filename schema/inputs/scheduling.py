"""Inputs of the mutations and queries about jobs."""

from collections.abc import Iterator
from datetime import datetime
from typing import cast

import strawberry
from strawberry import UNSET

from ostinato.jobs import filters, records
from ostinato.jobs.errors import Issue
from ostinato.jobs.lanes import DEFAULT_QUEUE
from ostinato.jobs.records import CauseKind, JobState
from ostinato.resolvers.scheduling import Plan
from ostinato.schema.absent import present
from ostinato.schema.inputs.limits import (
    Delay,
    FailureId,
    JobId,
    JobTimeout,
    JsonObject,
    Name,
    Priority,
    QueueName,
)


@strawberry.input(description="A job to schedule: at once, unless a time is given.")
class ScheduleJobInput:
    function_name: Name = strawberry.field(
        description="The function to run, out of those that `functions` marks as callable."
    )
    args: JsonObject | None = strawberry.field(
        default=UNSET,
        description="The function's arguments, an object of at most 64 KiB; empty unless given. "
        "`functions` gives their JSON Schema.",
    )
    run_after_ms: Delay | None = strawberry.field(
        default=UNSET, description="Run this long from now: 0 to 5 years."
    )
    run_at: datetime | None = strawberry.field(
        default=UNSET,
        description="Run at this time, at most 5 years from now; one in the past runs at once. "
        "Not together with `runAfterMs`.",
    )
    key: Name | None = strawberry.field(
        default=UNSET,
        description="Makes the call safe to repeat: with the same key and arguments it returns "
        "the same job, with other arguments it is a CONFLICT. 1 to 200 characters.",
    )
    queue: QueueName = strawberry.field(
        default=DEFAULT_QUEUE,
        description="The queue to wait in: 1 to 64 of the characters a-z, 0-9, _ and -. Its jobs "
        "run if a worker takes jobs from it.",
    )
    priority: Priority = strawberry.field(
        default=0,
        description="0 to 9. Of the viewer's jobs in a queue, those with a higher one run sooner: "
        "each point is worth a minute of waiting, so that nothing waits for ever.",
    )
    timeout_ms: JobTimeout | None = strawberry.field(
        default=UNSET,
        description="How long one attempt may take, at most a day; the function's own timeout if "
        "not given.",
    )

    def issues(self) -> Iterator[Issue]:
        if present(self.run_after_ms) is not None and present(self.run_at) is not None:
            message = "runAfterMs and runAt exclude each other: give one of them"
            yield Issue(path=("runAfterMs",), message=message, code="exclusive")
            yield Issue(path=("runAt",), message=message, code="exclusive")

    def to_plain(self) -> Plan:
        """Translate the checked input."""
        return Plan(
            function_name=self.function_name,
            args=cast("records.JsonObject", self.args or {}),
            run_after_ms=self.run_after_ms,
            run_at=self.run_at,
            key=self.key,
            queue=self.queue,
            priority=self.priority,
            timeout_ms=self.timeout_ms,
        )


@strawberry.input(description="Which job. The system's own jobs are a PRECONDITION_FAILED.")
class JobIdInput:
    job_id: JobId = strawberry.field(description="The job's id.")


@strawberry.input(description="Which failure.")
class FailureIdInput:
    failure_id: FailureId = strawberry.field(description="The failure's id.")


@strawberry.input(description="Which jobs; what is not given does not restrict.")
class JobFilter:
    states: list[JobState] | None = strawberry.field(
        default=UNSET, description="Only jobs in one of these states."
    )
    function_name: Name | None = strawberry.field(
        default=UNSET, description="Only jobs of this function."
    )
    queue: QueueName | None = strawberry.field(
        default=UNSET, description="Only jobs of this queue."
    )
    internal: bool | None = strawberry.field(
        default=False,
        description="False: without the system's own ticks, loops and timeouts. True: only them. "
        "Null: both.",
    )
    cause: CauseKind | None = strawberry.field(
        default=UNSET, description="Only jobs that were created by this kind of object."
    )
    scheduled_from: datetime | None = strawberry.field(
        default=UNSET, description="Only jobs that are due at this time or later."
    )
    scheduled_to: datetime | None = strawberry.field(
        default=UNSET, description="Only jobs that are due before this time."
    )

    def to_record(self) -> filters.JobFilter:
        """Translate a checked filter."""
        return filters.JobFilter(
            states=None if self.states is None else tuple(dict.fromkeys(self.states)),
            function_name=self.function_name,
            queue=self.queue,
            internal=self.internal,
            cause_kind=self.cause,
            scheduled_from=self.scheduled_from,
            scheduled_to=self.scheduled_to,
        )
