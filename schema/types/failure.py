"""The GraphQL type of a failure."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs import records
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.types.job import Job, JobError
from ostinato.schema.types.record_proxy import Node, NodeProxy


@strawberry.type(
    description="The record of a job that failed on its last attempt; retained until it is "
    "resolved or the job is retried."
)
class Failure(NodeProxy[records.Failure], Node):
    function_name: str = strawberry.field(description="The function that failed.")
    attempts: int = strawberry.field(description="The number of attempts.")
    at: datetime = strawberry.field(description="When the last attempt failed.")

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
