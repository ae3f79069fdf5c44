"""The GraphQL type of a bulk action."""

from datetime import datetime

import strawberry

from ostinato.jobs import bulk_actions as records
from ostinato.jobs.bulk_actions import OF_FAILURES, BulkActionKind, BulkActionState, BulkOutcome
from ostinato.schema.fields import strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.scalars import SafeInt
from ostinato.schema.types.record_proxy import Node, NodeProxy, RecordProxy


@strawberry.type(description="How many jobs or failures have an outcome.")
class BulkOutcomeCount(RecordProxy[records.OutcomeCount]):
    outcome: BulkOutcome = strawberry.field(description="The outcome.")
    count: SafeInt = strawberry.field(description="Their number.")


@strawberry.type(description="A job or failure that a bulk action could not change.")
class BulkError(RecordProxy[records.BulkError]):
    outcome: BulkOutcome = strawberry.field(description="Why it was not changed.")
    message: str = strawberry.field(description="The reason in words.")
    is_failure: strawberry.Private[bool] = False

    @strawberry_field(description="The id of the job or failure.")
    def id(self) -> strawberry.ID:
        return global_id("Failure" if self.is_failure else "Job", self.record.id)


@strawberry.type(
    description="A bulk action: changes all jobs or failures that matched a filter when it was "
    "started, page by page, in the background. Each is changed once."
)
class BulkAction(NodeProxy[records.BulkAction], Node):
    kind: BulkActionKind = strawberry.field(description="What it does.")
    state: BulkActionState = strawberry.field(description="Its state.")
    processed: SafeInt = strawberry.field(description="The number of objects processed so far.")
    total: SafeInt | None = strawberry.field(
        description="The number of matching objects at the start; null if there were more than "
        "10,000."
    )
    created_at: datetime = strawberry.field(
        description="When it was started. It changes nothing that was created later."
    )
    completed_at: datetime | None = strawberry.field(
        description="When it ended; null while it is running."
    )

    run_at: datetime | None = strawberry.field(
        description="When the jobs are due, if it reschedules them; null for the other kinds."
    )

    @strawberry_field(description="How many objects have each outcome so far.")
    def outcomes(self) -> list[BulkOutcomeCount]:
        return [BulkOutcomeCount.of(each) for each in self.record.outcomes]

    @strawberry_field(description="The first 100 objects that it could not change.")
    def errors(self) -> list[BulkError]:
        errors = [BulkError.of(each) for each in self.record.errors]
        for each in errors:
            each.is_failure = self.record.kind in OF_FAILURES
        return errors

    @strawberry_field(description="The user who started it; null for an application.")
    def owner(self) -> strawberry.ID | None:
        return None if self.record.owner is None else strawberry.ID(self.record.owner)

    @strawberry_field(description="The user whose objects it changes; null for those of all users.")
    def target_owner(self) -> strawberry.ID | None:
        target = self.record.target_owner
        return None if target is None else strawberry.ID(target)
