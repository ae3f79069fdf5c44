"""The GraphQL type of a request with a timeout."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs import records
from ostinato.jobs.records import RequestState
from ostinato.schema.fields import strawberry_field
from ostinato.schema.types.record_proxy import Node, NodeProxy


@strawberry.type(description="A request that must be completed before its timeout.")
class Request(NodeProxy[records.Request], Node):
    state: RequestState = strawberry.field(description="Its state.")
    timeout_at: datetime = strawberry.field(description="When it times out if it is still pending.")
    created_at: datetime = strawberry.field(description="When it was created.")
    completed_at: datetime | None = strawberry.field(
        description="When it was completed, failed or timed out; null while it is pending."
    )

    @strawberry_field(description="The data to process.")
    def data(self) -> JSON:
        return JSON(self.record.data)

    @strawberry_field(description="The handler's return value; null unless it returned in time.")
    def result(self) -> JSON | None:
        return None if self.record.result is None else JSON(self.record.result)
