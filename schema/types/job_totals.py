"""The GraphQL type of the numbers of jobs in each state."""

from datetime import datetime

import strawberry

from ostinato.jobs import job_totals
from ostinato.schema.types.record_proxy import RecordProxy


@strawberry.type(
    description="The numbers of your jobs in each state (of all jobs for admins), without internal "
    "jobs, all at the same instant."
)
class JobTotals(RecordProxy[job_totals.JobTotals]):
    at: datetime = strawberry.field(description="When they were counted, in scheduler time.")
    pending_due: int = strawberry.field(description="Pending jobs that are due.")
    pending_scheduled: int = strawberry.field(description="Pending jobs that are due later.")
    in_progress: int = strawberry.field(description="Running jobs.")
    succeeded: int = strawberry.field(description="Jobs that succeeded and are retained.")
    failed: int = strawberry.field(
        description="Jobs that failed on their last attempt and are retained."
    )
    canceled: int = strawberry.field(description="Jobs that were canceled and are retained.")
    is_exact: bool = strawberry.field(
        description="False if there are more than 50,000 jobs, for admins with internal ones: the "
        "newest of them were counted, and every number stands for as many or more."
    )
