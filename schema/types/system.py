"""The GraphQL types of the system: the viewer, functions, queues, workers and job counts."""

from datetime import datetime
from typing import Self

import strawberry
from strawberry.scalars import JSON

from ostinato.jobs import lanes
from ostinato.jobs.records import FunctionKind, WorkerRecord
from ostinato.resolvers import auth, stats
from ostinato.resolvers.functions import CatalogEntry
from ostinato.resolvers.live.messages import EventPosition
from ostinato.schema.ids import global_id
from ostinato.schema.scalars import Milliseconds
from ostinato.schema.types.record_proxy import RecordProxy


@strawberry.type(description="The authenticated user.")
class Viewer:
    id: strawberry.ID = strawberry.field(
        description="The user's id: the `sub` of the token, and the `owner` of the user's objects."
    )
    roles: list[str] = strawberry.field(description="The roles in the token, sorted.")
    is_admin: bool = strawberry.field(
        description="Whether the user can read and manage the objects of all users."
    )

    @classmethod
    def of(cls, viewer: auth.Viewer) -> Self:
        return cls(
            id=strawberry.ID(viewer.id), roles=sorted(viewer.roles), is_admin=viewer.is_admin
        )


@strawberry.type(description="A function that jobs can run.")
class Function:
    name: str = strawberry.field(
        description="Its name, as used in `functionName`: `module.camelName`."
    )
    kind: FunctionKind = strawberry.field(description="Its kind.")
    description: str = strawberry.field(description="Its docstring.")
    args_schema: JSON = strawberry.field(description="The JSON Schema of its arguments.")
    callable: bool = strawberry.field(
        description="Whether the viewer may schedule it, and use it in crons and recurring tasks."
    )
    max_attempts: int = strawberry.field(description="The maximum number of attempts: retries + 1.")
    timeout_ms: Milliseconds = strawberry.field(description="The timeout of one attempt.")

    @classmethod
    def of(cls, entry: CatalogEntry) -> Self:
        function = entry.function
        return cls(
            name=function.name,
            kind=function.kind,
            description=function.description,
            args_schema=JSON(function.arguments.json_schema()),
            callable=entry.callable,
            max_attempts=function.retry.retries + 1,
            timeout_ms=Milliseconds(entry.timeout_ms),
        )


@strawberry.type(
    description="A queue of jobs. Queues need no declaration: any valid name is a queue."
)
class Queue(RecordProxy[lanes.Queue]):
    name: str = strawberry.field(description="Its name, as used in `scheduleJob`.")
    paused: bool = strawberry.field(
        description="Whether it is paused: its pending jobs do not start until it is resumed."
    )
    weight: int = strawberry.field(
        description="Its share of the workers relative to other queues, when more jobs are due "
        "than the workers can run."
    )
    pending_due: int = strawberry.field(
        description="The number of its due jobs that have not started, capped at 1,000."
    )
    workers: int = strawberry.field(description="The number of workers that take jobs from it.")
    version: int = strawberry.field(
        description="Increases with every change; 0 if it was never paused or resumed."
    )


@strawberry.type(description="A process that runs jobs, as of its latest heartbeat.")
class Worker:
    id: strawberry.ID = strawberry.field(
        description="Its id. A process that was declared lost gets a new id if it continues."
    )
    host: str = strawberry.field(description="Its host name.")
    pid: int = strawberry.field(description="Its process id on that host.")
    version: str = strawberry.field(description="Its version of Ostinato.")
    queues: list[str] = strawberry.field(description="The queues that it takes jobs from.")
    slots: int = strawberry.field(description="The number of jobs it can run concurrently.")
    running: int = strawberry.field(description="The number of slots in use.")
    running_job_ids: list[strawberry.ID] = strawberry.field(
        description="The jobs it is running, longest running first, at most 100."
    )
    loop_lag_ms: Milliseconds = strawberry.field(
        description="The largest delay of its event loop in the second before the heartbeat. "
        "More than a few milliseconds indicates that a function blocks the loop."
    )
    started_at: datetime = strawberry.field(description="When it registered.")
    heard_at: datetime = strawberry.field(
        description="When its latest heartbeat arrived. After a lease (6 seconds by default) "
        "without a heartbeat, its jobs are reassigned."
    )

    @classmethod
    def of(cls, record: WorkerRecord) -> Self:
        return cls(
            id=global_id("Worker", record.id),
            host=record.host,
            pid=record.pid,
            version=record.version,
            queues=list(record.queues),
            slots=record.slots,
            running=record.heartbeat.running,
            running_job_ids=[global_id("Job", job_id) for job_id in record.heartbeat.job_ids],
            loop_lag_ms=Milliseconds(record.heartbeat.loop_lag_ms),
            started_at=record.started_at,
            heard_at=record.heard_at,
        )


@strawberry.type(
    description="Job counts, without internal jobs. They cover your own jobs (all jobs for "
    "admins), and each is capped at 1,000."
)
class Stats:
    place: strawberry.Private[EventPosition]
    at: datetime = strawberry.field(description="When they were counted.")
    pending: int = strawberry.field(
        description="The number of pending jobs, including jobs that are not due."
    )
    in_progress: int = strawberry.field(description="The number of running jobs.")
    failed: int = strawberry.field(
        description="The number of jobs that failed on their last attempt and are retained."
    )

    @classmethod
    def of(cls, record: stats.Stats) -> Self:
        counts = record.counts
        return cls(
            place=record.place,
            at=counts.at,
            pending=counts.pending,
            in_progress=counts.in_progress,
            failed=counts.failed,
        )
