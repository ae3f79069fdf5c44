"""The GraphQL type of a request with a timeout."""

from datetime import datetime
from typing import Self

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs import records
from ostinato.jobs.records import RequestState
from ostinato.schema.fields import strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.types.node import Node


@strawberry.type(description="A request that must be completed before its timeout.")
class Request(Node):
    record: strawberry.Private[records.Request]
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

    @classmethod
    def of(cls, record: records.Request) -> Self:
        return cls(
            record=record,
            id=global_id("Request", record.id),
            version=record.version,
            state=record.state,
            timeout_at=record.timeout_at,
            created_at=record.created_at,
            completed_at=record.completed_at,
        )
