"""The collections: who writes, reads and deletes each, and the indexes with their one query."""

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

WRITE_INSTEAD: Final = {
    JOBS: "schedule and cancel jobs by ctx.scheduler",
    CRONS: "change crons by registerCron, pauseCron, resumeCron and deleteCron, or declare @cron",
    TASK_CONFIGS: "change recurring tasks by startRecurringTask and stopRecurringTask",
    BATCHES: "change batches by startBatch and cancelBatch",
    REQUESTS: "make requests by createWithTimeout, and complete them in a @request_handler",
    FAILURES: "schedule errors.logFailure by ctx.scheduler, or raise an error",
    QUEUES: "change queues by pauseQueue and resumeQueue",
    WORKERS: "each worker writes its own document",
    LEADERS: "the workers elect their leader",
    BUCKETS: "the workers count what a rate limit lets start",
    CLOCK: "only tests and the development mode move the clock",
}
"""Collections that functions may read and not write, and how to change what they hold."""

WRITTEN_BY_BUILT_INS: Final = frozenset({CRONS, TASK_CONFIGS, BATCHES, REQUESTS, FAILURES})
"""Those that Ostinato's built-in functions write, each in the transaction of its function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    name: str
    written_by: str
    read_by: str
    deleted_by: str
    indexes: tuple[IndexModel, ...] = ()
    """Whether a change stream can tell what a deleted document was."""


def _index(name: str, _query: str, keys: str, **options: Any) -> IndexModel:
    """Describe an index: the one query that it serves, and its keys, a `-` before descending."""
    directed = [
        (key.removeprefix("-"), DESCENDING if key.startswith("-") else ASCENDING)
        for key in keys.split()
    ]
    return IndexModel(directed, name=name, **options)


def _with(field: str) -> dict[str, Any]:
    """Index only documents that have the field. Not by `$type`: an equality does not imply that
    to MongoDB's planner, which would pass the index over."""
    return {field: {"$exists": True}}


COLLECTIONS: Final = (
    CollectionSpec(
        name=JOBS,
        written_by="the lifecycle's moves (jobs.mongo.moves), and nothing else",
        read_by="dispatcher, workers, sweeper, lists",
        deleted_by="the TTL index on purgeAt",
        indexes=(
            _index(
                "due",
                "dispatch: which lanes there are; what is due in one, and when the next is",
                "state lane scheduledTime _id owner",
                partialFilterExpression={"state": "pending"},
            ),
            _index(
                "fair",
                "dispatch, when more is due than there is room for: whose, and their first",
                "state lane owner scheduledTime _id",
                partialFilterExpression={"state": "pending"},
            ),
            _index(
                "running",
                "what a worker holds; jobs(filter: {states: [IN_PROGRESS]}) of an owner",
                "owner -_id lease.worker",
                partialFilterExpression={"state": "inProgress"},
            ),
            _index(
                "owner_key",
                "scheduleJob with a key: the job it made before",
                "owner key",
                unique=True,
                partialFilterExpression=_with("key"),
            ),
            _index(
                "tick",
                "ticks and loops: one job per due time",
                "tick",
                unique=True,
                partialFilterExpression=_with("tick"),
            ),
            _index(
                "cause",
                "Cron.runs, Job.children and the like; overlap",
                "cause.id -_id",
                partialFilterExpression=_with("cause.id"),
            ),
            _index(
                "owner_newest",
                "jobs(orderBy: NEWEST | OLDEST) of an owner",
                "owner internal -_id",
            ),
            _index(
                "owner_state",
                "jobs(filter: {states}) of an owner; the states that are not nearly all jobs",
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
            _index("scheduled", "the same of an admin", "scheduledTime _id"),
            _index(
                "failed",
                "what failed, for an admin",
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
                "sweep: enabled crons whose tick is missing",
                "enabled nextRunTime",
            ),
            _index(
                "owner_name",
                "registerCron: name taken; cron(name); crons",
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
        deleted_by="nobody: a stopped task keeps its generation",
        indexes=(
            _index(
                "owner_taskId", "startRecurringTask, stopRecurringTask", "owner taskId", unique=True
            ),
            _index("owner_newest", "recurringTasks of an owner", "owner -_id"),
            _index(
                "enabled", "sweep: enabled loops whose next run is missing", "enabled nextRunTime"
            ),
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
            _index("state", "sweep: running batches whose next page is missing", "state"),
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
        written_by="the move `fail`; errors.logFailure",
        read_by="lists",
        deleted_by="the move `revive`; whoever resolves it",
        indexes=(_index("owner_newest", "failures of an owner", "owner -_id"),),
    ),
    CollectionSpec(
        name=WORKERS,
        written_by="each worker, its own heartbeat",
        read_by="dispatcher, sweeper, admins",
        deleted_by="the worker itself at its end; the sweeper when it is lost",
    ),
    CollectionSpec(
        name=LEADERS,
        written_by="the worker that leads, or takes over",
        read_by="the same",
        deleted_by="the leader when it stops",
    ),
    CollectionSpec(
        name=QUEUES,
        written_by="pauseQueue, resumeQueue",
        read_by="every worker, every second; queues",
        deleted_by="nobody: a queue that was never paused has none",
    ),
    CollectionSpec(
        name=BUCKETS,
        written_by="workers, before they claim jobs of a function with a rate limit",
        read_by="dispatcher, workers",
        deleted_by="the TTL index on fullAt: a bucket that is full again is as good as none",
        indexes=(_index("full", "TTL", "fullAt", expireAfterSeconds=86_400),),
    ),
    CollectionSpec(
        name=CLOCK,
        written_by="tests and the development mode: the offset of due time",
        read_by="every process in those modes",
        deleted_by="nobody",
    ),
)
