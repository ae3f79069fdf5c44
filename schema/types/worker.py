"""A process that runs jobs."""

from datetime import datetime
from typing import Self

import strawberry

from ostinato.jobs import fleet
from ostinato.schema.ids import global_id
from ostinato.schema.scalars import Milliseconds


@strawberry.type(description="A process that runs jobs, as it described itself when last heard.")
class Worker:
    id: strawberry.ID = strawberry.field(
        description="Its id; a process that was declared lost and goes on takes a new one."
    )
    host: str = strawberry.field(description="The name of the machine that it runs on.")
    pid: int = strawberry.field(description="Its process id there.")
    version: str = strawberry.field(description="The version of Ostinato that it runs.")
    queues: list[str] = strawberry.field(description="The queues that it takes jobs from.")
    slots: int = strawberry.field(description="How many jobs it runs at once.")
    running: int = strawberry.field(description="How many of its slots are taken.")
    running_job_ids: list[strawberry.ID] = strawberry.field(
        description="The jobs that it runs, longest running first: at most 100 of them."
    )
    loop_lag_ms: Milliseconds = strawberry.field(
        description="How late its event loop was at worst in the second before. "
        "More than a few milliseconds mean that a function blocks it."
    )
    started_at: datetime = strawberry.field(description="When it registered.")
    heard_at: datetime = strawberry.field(
        description="Its last heartbeat. After a lease without one, 6 seconds by default, its jobs "
        "are given to others."
    )

    @classmethod
    def of(cls, record: fleet.Worker) -> Self:
        return cls(
            id=global_id("Worker", record.id),
            host=record.host,
            pid=record.pid,
            version=record.version,
            queues=list(record.queues),
            slots=record.slots,
            running=record.load.running,
            running_job_ids=[global_id("Job", job_id) for job_id in record.load.job_ids],
            loop_lag_ms=Milliseconds(record.load.loop_lag_ms),
            started_at=record.started_at,
            heard_at=record.heard_at,
        )
