"""The GraphQL type of a job's cause: the object that created the job."""

import strawberry

from ostinato.jobs import records
from ostinato.jobs.records import CauseKind
from ostinato.schema.fields import Info, strawberry_field
from ostinato.schema.ids import global_id
from ostinato.schema.types.batch import Batch
from ostinato.schema.types.cron import Cron
from ostinato.schema.types.job import Job
from ostinato.schema.types.record_proxy import RecordProxy
from ostinato.schema.types.recurring_task import RecurringTask
from ostinato.schema.types.request import Request

CAUSE_TYPES = {
    CauseKind.CRON: "Cron",
    CauseKind.RECURRING: "RecurringTask",
    CauseKind.BATCH: "Batch",
    CauseKind.REQUEST: "Request",
    CauseKind.JOB: "Job",
    CauseKind.BULK_ACTION: "BulkAction",
}
"""The type of the object that creates jobs of each cause."""


@strawberry.type(
    description="What created a job. At most one of the five objects is set: the one that `kind` "
    "names. It is null after that object has been deleted."
)
class Cause(RecordProxy[records.Cause]):
    kind: CauseKind = strawberry.field(description="The kind of object that created the job.")

    @strawberry_field(description="The id of the object; null if a client created the job.")
    def id(self) -> strawberry.ID | None:
        type_name, document_id = CAUSE_TYPES.get(self.record.kind), self.record.id
        return global_id(type_name, document_id) if type_name and document_id else None

    @strawberry_field(description="The cron that created the job.", shared=True)
    async def cron(self, info: Info) -> Cron | None:
        found = await info.context.loaders.crons.load(self._id_if(CauseKind.CRON))
        return None if found is None else Cron.of(found)

    @strawberry_field(description="The recurring task that created the job.", shared=True)
    async def recurring_task(self, info: Info) -> RecurringTask | None:
        found = await info.context.loaders.tasks.load(self._id_if(CauseKind.RECURRING))
        return None if found is None else RecurringTask.of(found)

    @strawberry_field(description="The batch that created the job.", shared=True)
    async def batch(self, info: Info) -> Batch | None:
        found = await info.context.loaders.batches.load(self._id_if(CauseKind.BATCH))
        return None if found is None else Batch.of(found)

    @strawberry_field(description="The request that created the job.", shared=True)
    async def request(self, info: Info) -> Request | None:
        found = await info.context.loaders.requests.load(self._id_if(CauseKind.REQUEST))
        return None if found is None else Request.of(found)

    @strawberry_field(description="The job whose function scheduled this job.", shared=True)
    async def job(self, info: Info) -> Job | None:
        found = await info.context.loaders.jobs.load(self._id_if(CauseKind.JOB))
        return None if found is None else Job.of(found)

    def _id_if(self, kind: CauseKind) -> str | None:
        return self.record.id if self.record.kind is kind else None
