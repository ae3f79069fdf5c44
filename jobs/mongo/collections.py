"""The collections: who writes, reads and deletes each, and the query of each index."""

from dataclasses import dataclass
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel

JOBS: Final = "jobs"
CRONS: Final = "crons"
TASK_CONFIGS: Final = "taskConfigs"
ITEMS: Final = "items"
BATCHES: Final = "batches"
REQUESTS: Final = "requests"
FAILURES: Final = "failures"
WORKERS: Final = "workers"
LEADERS: Final = "leaders"
CLOCK: Final = "clock"
QUEUES: Final = "queues"
BUCKETS: Final = "buckets"

READ_ONLY: Final = {
    JOBS: "schedule and cancel jobs with ctx.scheduler",
    CRONS: "change crons with registerCron, pauseCron, resumeCron and deleteCron, or declare @cron",
    TASK_CONFIGS: "change recurring tasks with startRecurringTask and stopRecurringTask",
    BATCHES: "change batches with startBatch and cancelBatch",
    REQUESTS: "create requests with createWithTimeout, and complete them in a @request_handler",
    FAILURES: "schedule errors.logFailure with ctx.scheduler, or raise an error",
    QUEUES: "change queues with pauseQueue and resumeQueue",
    WORKERS: "each worker writes its own document",
    LEADERS: "the workers elect their leader",
    BUCKETS: "the workers count the starts that a rate limit allows",
    CLOCK: "only test and development modes move the clock",
}
"""The collections that functions can read but not write, and how to change their contents."""

WRITABLE_BY_BUILT_INS: Final = frozenset({CRONS, TASK_CONFIGS, BATCHES, REQUESTS, FAILURES})
"""Those that built-in functions write, each in its function's transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """A collection, its indexes, and who uses it."""

    name: str
    written_by: str
    read_by: str
    deleted_by: str
    indexes: tuple[IndexModel, ...] = ()


def _index(name: str, _query: str, keys: str, **options: Any) -> IndexModel:
    """Build an index; `_query` says which query uses it, `-` before a key means descending."""
    directed = [
        (key.removeprefix("-"), DESCENDING if key.startswith("-") else ASCENDING)
        for key in keys.split()
    ]
    return IndexModel(directed, name=name, **options)


def _exists(field: str) -> dict[str, Any]:
    """Build the partial filter of the documents that have the field.

    With `$type` instead, MongoDB's planner would not use the index for an equality.
    """
    return {field: {"$exists": True}}


COLLECTIONS: Final = (
    CollectionSpec(
        name=JOBS,
        written_by="the transitions of the lifecycle (jobs.mongo.transitions), and nothing else",
        read_by="dispatcher, workers, sweeper, lists",
        deleted_by="the TTL index on purgeAt",
        indexes=(
            _index(
                "due",
                "dispatch: the lanes; the due jobs of one, and when its next is due",
                "state lane scheduledTime _id owner",
                partialFilterExpression={"state": "pending"},
            ),
            _index(
                "fair",
                "dispatch, when more jobs are due than can run: the owners, and their first jobs",
                "state lane owner scheduledTime _id",
                partialFilterExpression={"state": "pending"},
            ),
            _index(
                "running",
                "the jobs of a worker; jobs(filter: {states: [IN_PROGRESS]}) of an owner",
                "owner -_id lease.worker",
                partialFilterExpression={"state": "inProgress"},
            ),
            _index(
                "owner_key",
                "scheduleJob with a key: the job that was scheduled with it before",
                "owner key",
                unique=True,
                partialFilterExpression=_exists("key"),
            ),
            _index(
                "tick",
                "ticks and recurring tasks: one job per due time",
                "tick",
                unique=True,
                partialFilterExpression=_exists("tick"),
            ),
            _index(
                "cause",
                "Cron.runs, Job.children and the like; overlap",
                "cause.id -_id",
                partialFilterExpression=_exists("cause.id"),
            ),
            _index(
                "owner_newest",
                "jobs(orderBy: NEWEST | OLDEST) of an owner",
                "owner internal -_id",
            ),
            _index(
                "owner_state",
                "jobs(filter: {states}) of an owner, except for success: most jobs are in it",
                "owner state -_id",
                partialFilterExpression={"state": {"$in": ["pending", "failed", "canceled"]}},
            ),
            _index(
                "owner_function",
                "jobs(filter: {functionName}) of an owner",
                "owner functionName -_id",
            ),
            _index(
                "owner_scheduled",
                "jobs(orderBy: SCHEDULED_*, filter: {scheduledFrom, scheduledTo}) of an owner",
                "owner internal scheduledTime _id",
            ),
            _index("scheduled", "the same for an admin", "scheduledTime _id"),
            _index(
                "failed",
                "failed jobs, for an admin",
                "state -_id",
                partialFilterExpression={"state": "failed"},
            ),
            _index("purge", "TTL", "purgeAt", expireAfterSeconds=0, sparse=True),
        ),
    ),
    CollectionSpec(
        name=CRONS,
        written_by="crons.* functions",
        read_by="crons.executeCron, lists, sweeper",
        deleted_by="deleteCron",
        indexes=(
            _index(
                "enabled_nextRunTime",
                "sweep: enabled crons without a pending tick",
                "enabled nextRunTime",
            ),
            _index(
                "owner_name",
                "registerCron: whether a name is taken; cron(name); crons",
                "owner name",
                unique=True,
            ),
            _index("owner_newest", "crons of an owner", "owner -_id"),
        ),
    ),
    CollectionSpec(
        name=TASK_CONFIGS,
        written_by="tasks.* functions",
        read_by="tasks.startRecurringTask, lists, sweeper",
        deleted_by="nobody; a stopped task keeps its generation",
        indexes=(
            _index(
                "owner_taskId", "startRecurringTask, stopRecurringTask", "owner taskId", unique=True
            ),
            _index("owner_newest", "recurringTasks of an owner", "owner -_id"),
            _index("enabled", "sweep: enabled tasks without a next run", "enabled nextRunTime"),
        ),
    ),
    CollectionSpec(
        name=ITEMS,
        written_by="addItems, batch handlers",
        read_by="batch.processBatch",
        deleted_by="nobody",
        indexes=(
            _index(
                "owner_processed",
                "a batch's page",
                "owner processed _id",
            ),
        ),
    ),
    CollectionSpec(
        name=BATCHES,
        written_by="batch.* functions",
        read_by="batch.processBatch, lists, sweeper",
        deleted_by="nobody",
        indexes=(
            _index("owner_newest", "batches of an owner", "owner -_id"),
            _index("state", "sweep: running batches without a next page", "state"),
        ),
    ),
    CollectionSpec(
        name=REQUESTS,
        written_by="requests.* functions",
        read_by="requests.process, requests.timeout, lists, sweeper",
        deleted_by="nobody",
        indexes=(
            _index("owner_newest", "requests of an owner", "owner -_id"),
            _index(
                "timeout",
                "sweep: requests past their timeout",
                "timeoutAt",
                partialFilterExpression={"state": "pending"},
            ),
        ),
    ),
    CollectionSpec(
        name=FAILURES,
        written_by="the transition `fail`; errors.logFailure",
        read_by="lists",
        deleted_by="the transition `revive`; resolveFailure",
        indexes=(_index("owner_newest", "failures of an owner", "owner -_id"),),
    ),
    CollectionSpec(
        name=WORKERS,
        written_by="each worker: its own heartbeat",
        read_by="dispatcher, sweeper, admins",
        deleted_by="the worker itself when it stops; the sweeper when it is lost",
    ),
    CollectionSpec(
        name=LEADERS,
        written_by="the leader, or the worker that takes over",
        read_by="the same workers",
        deleted_by="the leader when it stops",
    ),
    CollectionSpec(
        name=QUEUES,
        written_by="pauseQueue, resumeQueue",
        read_by="every worker, every second; queues",
        deleted_by="nobody; a queue that was never changed has no document",
    ),
    CollectionSpec(
        name=BUCKETS,
        written_by="workers, before they claim jobs of a function with a rate limit",
        read_by="dispatcher, workers",
        deleted_by="the TTL index on fullAt: a full bucket equals a missing one",
        indexes=(_index("full", "TTL", "fullAt", expireAfterSeconds=86_400),),
    ),
    CollectionSpec(
        name=CLOCK,
        written_by="test and development modes: the offset of due time",
        read_by="every process in those modes",
        deleted_by="nobody",
    ),
)
