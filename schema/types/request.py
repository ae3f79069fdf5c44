"""The GraphQL types of a request with a timeout and of a late answer."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs import records
from ostinato.jobs.records import RequestState
from ostinato.schema.fields import strawberry_field
from ostinato.schema.types.job import JobError
from ostinato.schema.types.record_proxy import Node, NodeProxy, RecordProxy


@strawberry.type(description="An answer that arrived after the request had timed out.")
class LateAnswer(RecordProxy[records.LateAnswer]):
    at: datetime = strawberry.field(description="When it arrived.")
    by: str | None = strawberry.field(
        description="The user who gave it; null for the handler, and for an application."
    )

    @strawberry_field(description="The result; null if the request was rejected.")
    def result(self) -> JSON | None:
        return None if self.record.result is None else JSON(self.record.result)

    @strawberry_field(description="The error; null unless the request was rejected.")
    def error(self) -> JobError | None:
        return JobError.of_optional(self.record.error)


@strawberry.type(description="A request that must be completed before its timeout.")
class Request(NodeProxy[records.Request], Node):
    state: RequestState = strawberry.field(description="Its state.")
    owner: strawberry.ID | None = strawberry.field(
        description="The user who owns it; null for the system's requests."
    )
    timeout_at: datetime = strawberry.field(description="When it times out if it is still pending.")
    created_at: datetime = strawberry.field(description="When it was created.")
    completed_at: datetime | None = strawberry.field(
        description="When it was completed, failed, canceled or timed out; null while it is "
        "pending."
    )
    answered_by: str | None = strawberry.field(
        description="The user who completed, rejected or canceled it; null for the handler, and "
        "for an application."
    )

    @strawberry_field(description="The data to process.")
    def data(self) -> JSON:
        return JSON(self.record.data)

    @strawberry_field(description="The answer; null unless it was completed in time.")
    def result(self) -> JSON | None:
        return None if self.record.result is None else JSON(self.record.result)

    @strawberry_field(
        description="Why it failed: the handler's exception, or the error `Rejected` with the "
        "text of the person who rejected it. Null unless it failed."
    )
    def error(self) -> JobError | None:
        return JobError.of_optional(self.record.error)

    @strawberry_field(
        description="The first answer after the timeout, which changes nothing else; null if there "
        "is none."
    )
    def late_answer(self) -> LateAnswer | None:
        return LateAnswer.of_optional(self.record.late_answer)
