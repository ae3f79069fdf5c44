"""The GraphQL types of a job's log."""

from datetime import datetime
from typing import Self

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs import job_logs
from ostinato.jobs.job_logs import LogLevel, place_of
from ostinato.jobs.paging import Page
from ostinato.resolvers.live.log_query import LogMessage
from ostinato.resolvers.live.messages import ChangeKind, EventPosition
from ostinato.schema.fields import strawberry_field
from ostinato.schema.pagination import BY_LINE, Connection, build_connection
from ostinato.schema.scalars import Cursor
from ostinato.schema.types.record_proxy import RecordProxy


@strawberry.type(description="A line that the job's function wrote with `ctx.log`.")
class JobLogLine(RecordProxy[job_logs.LogLine]):
    attempt: int = strawberry.field(description="The attempt that wrote it.")
    seq: int = strawberry.field(
        description="Its number in the attempt, from 1. A gap means that lines were not kept."
    )
    at: datetime = strawberry.field(
        description="When it was written, by the clock of the worker's host."
    )
    level: LogLevel = strawberry.field(description="Its level.")
    message: str = strawberry.field(description="The event, at most 1,000 characters.")

    @strawberry_field(
        description="The fields of the event: an object of at most 4,000 characters as JSON. Large "
        "values are cut, and then texts; `truncated` is the number of those that were left out."
    )
    def fields(self) -> JSON:
        return JSON(self.record.fields)


@strawberry.type(description="A message about a job's log.")
class JobLogChange:
    event_position: strawberry.Private[EventPosition]
    cursor: Cursor = strawberry.field(
        description="The position of this message. Pass the newest cursor as `after` to resume "
        "from it; it never expires."
    )
    kind: ChangeKind = strawberry.field(
        description="SNAPSHOT: stored lines. CHANGED: new lines. READY: all stored lines were sent."
    )
    lines: list[JobLogLine] = strawberry.field(
        description="The lines, oldest first; empty in READY and CHECKPOINT."
    )

    @classmethod
    def of(cls, message: LogMessage) -> Self:
        return cls(
            event_position=message.event_position,
            cursor=Cursor(message.cursor),
            kind=message.kind,
            lines=[JobLogLine.of(line) for line in message.lines],
        )


def log_connection(page: Page[job_logs.LogLine]) -> Connection[JobLogLine]:
    return build_connection(page, JobLogLine.of, place_of, BY_LINE)
