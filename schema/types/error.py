"""The GraphQL type of an exception that a function raised."""

from typing import Self

import strawberry

from ostinato.jobs import records
from ostinato.schema.context import Info
from ostinato.schema.fields import strawberry_field


@strawberry.type(description="The exception that ended an attempt of a job.")
class JobError:
    private_traceback: strawberry.Private[str | None]
    name: str = strawberry.field(description="The name of the exception's class.")
    message: str = strawberry.field(description="The exception's message, at most 4 KiB.")

    @strawberry_field(
        description="The traceback, at most 16 KiB. Null unless the viewer is an admin.",
        shared=True,
    )
    def traceback(self, info: Info) -> str | None:
        return self.private_traceback if info.context.viewer.is_admin else None

    @classmethod
    def of(cls, record: records.JobError) -> Self:
        return cls(private_traceback=record.traceback, name=record.name, message=record.message)

    @classmethod
    def of_optional(cls, record: records.JobError | None) -> Self | None:
        return None if record is None else cls.of(record)
