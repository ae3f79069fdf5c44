"""The GraphQL type of a failure."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs import failure_groups, records
from ostinato.jobs.filters import FailureState
from ostinato.jobs.paging import Page, PagePosition
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.pagination import BY_LAST_FAILURE, Connection, build_connection
from ostinato.schema.types.job import Job, JobError
from ostinato.schema.types.record_proxy import Node, NodeProxy, RecordProxy


@strawberry.type(
    description="The record of a job that failed on its last attempt. It is open until it is "
    "resolved, and deleted some time after, or when the job is retried."
)
class Failure(NodeProxy[records.Failure], Node):
    function_name: str = strawberry.field(description="The function that failed.")
    attempts: int = strawberry.field(description="The number of attempts.")
    at: datetime = strawberry.field(description="When the last attempt failed.")
    resolved_at: datetime | None = strawberry.field(
        description="When it was resolved; null while it is open."
    )
    fingerprint: str | None = strawberry.field(
        description="Equal for similar errors: they differ only in numbers, ids and quoted values. "
        "Null for a failure that was recorded before fingerprints existed."
    )

    @strawberry_field(description="Whether it is resolved.")
    def state(self) -> FailureState:
        is_open = self.record.resolved_at is None
        return FailureState.OPEN if is_open else FailureState.RESOLVED

    @strawberry_field(description="The exception of the last attempt.")
    def error(self) -> JobError:
        return JobError.of(self.record.error)

    @strawberry_field(
        description="The arguments of the job, or the data that a function logged with the failure."
    )
    def data(self) -> JSON | None:
        return None if self.record.data is None else JSON(self.record.data)

    @strawberry_field(
        description="The job that failed; null if a function logged the failure itself, or if the "
        "job has been purged.",
        shared=True,
    )
    async def job(self, info: Info) -> Job | None:
        if self.record.job_id is None:
            return None
        found = await info.context.loaders.jobs.load(self.record.job_id)
        return None if found is None else Job.of(found)

    @strawberry_field(
        description="The job whose function recorded the failure, and may have succeeded. Null if "
        "`job` failed, if the failure is older than this field, or if the job has been purged.",
        shared=True,
    )
    async def recorded_by(self, info: Info) -> Job | None:
        return Job.of_optional(await info.context.loaders.jobs.load(self.record.recorded_by_id))


@strawberry.type(
    description="Similar failures of one function, among the 10,000 newest that match the filter. "
    "A group of open failures ends when its last one is resolved."
)
class FailureGroup(RecordProxy[failure_groups.FailureGroup]):
    function_name: str = strawberry.field(description="The function that failed.")
    fingerprint: str | None = strawberry.field(
        description="The fingerprint of its errors, for filters; null for failures that were "
        "recorded before fingerprints existed."
    )
    error_name: str = strawberry.field(description="The exception's class of the newest failure.")
    message: str = strawberry.field(description="The message of the newest failure.")
    count: int = strawberry.field(description="The number of failures.")
    retryable_count: int = strawberry.field(
        description="How many of them have a job that `retryFailures` can retry; those that a "
        "function recorded have none."
    )
    first_seen_at: datetime = strawberry.field(
        description="When the first of them failed. A job that is retried and fails again with a "
        "similar error counts from its first failure on."
    )
    last_seen_at: datetime = strawberry.field(description="When the newest of them failed.")
    trend: list[int] = strawberry.field(
        description="The number of failures in each of the last 24 hours, from the oldest hour on. "
        "The last one is the current hour, which has begun at a full hour of UTC."
    )

    @strawberry_field(description="The id of the group.")
    def id(self) -> strawberry.ID:
        return global_id("FailureGroup", self.record.id)

    @strawberry_field(description="The user whose failures they are; null for the system.")
    def owner(self) -> strawberry.ID | None:
        return None if self.record.owner is None else strawberry.ID(self.record.owner)

    @strawberry_field(
        description="The newest failure, as an example; null if its job was just retried.",
        shared=True,
    )
    async def example(self, info: Info) -> Failure | None:
        found = await info.context.loaders.failures.load(self.record.newest_id)
        return None if found is None else Failure.of(found)


def group_connection(page: Page[failure_groups.FailureGroup]) -> Connection[FailureGroup]:
    """Build the connection of a page of groups."""

    def to_place(group: failure_groups.FailureGroup) -> PagePosition:
        return PagePosition(id=group.id, instant=group.last_seen_at)

    return build_connection(page, FailureGroup.of, to_place, BY_LAST_FAILURE)
