"""The collections: who writes, reads and deletes each, and the indexes with their one query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import CollectionInvalid, OperationFailure

from jobs.mongo.client import Mongo

Keys = Sequence[tuple[str, int]]
NAMESPACE_EXISTS: Final = 48

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

ENGINE_OWNED: Final = frozenset({JOBS, WORKERS, LEADERS, CLOCK})
"""Functions may read these, and write none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    name: str
    written_by: str
    read_by: str
    deleted_by: str
    indexes: tuple[IndexModel, ...] = ()
    keeps_preimages: bool = False
    """Whether a change stream can tell what a deleted document was."""


def _index(name: str, keys: Keys, **options: Any) -> IndexModel:
    return IndexModel(list(keys), name=name, **options)


def _only(field: str, kind: str) -> dict[str, Any]:
    return {field: {"$type": kind}}


COLLECTIONS: Final = (
    CollectionSpec(
        name=JOBS,
        written_by="the lifecycle's moves (jobs.mongo.moves), and nothing else",
        read_by="dispatcher, workers, sweeper, lists",
        deleted_by="the TTL index on purgeAt",
        indexes=(
            # dispatch: what is due, and when the next is
            _index(
                "due",
                [("scheduledTime", ASCENDING), ("_id", ASCENDING)],
                partialFilterExpression={"state": "pending"},
            ),
            # sweep: what a lost worker held
            _index(
                "leased",
                [("lease.worker", ASCENDING)],
                partialFilterExpression={"state": "inProgress"},
            ),
            # scheduleJob with a key: the job it made before
            _index(
                "owner_key",
                [("owner", ASCENDING), ("key", ASCENDING)],
                unique=True,
                partialFilterExpression=_only("key", "string"),
            ),
            # ticks and loops: one job per due time
            _index(
                "tick",
                [("tick", ASCENDING)],
                unique=True,
                partialFilterExpression=_only("tick", "object"),
            ),
            # Cron.runs, Job.children and the like; overlap
            _index(
                "cause",
                [("cause.id", ASCENDING), ("_id", DESCENDING)],
                partialFilterExpression=_only("cause.id", "string"),
            ),
            # jobs(orderBy: NEWEST | OLDEST) of an owner
            _index(
                "owner_newest",
                [("owner", ASCENDING), ("internal", ASCENDING), ("_id", DESCENDING)],
            ),
            # jobs(filter: {states}) of an owner
            _index(
                "owner_state",
                [("owner", ASCENDING), ("state", ASCENDING), ("_id", DESCENDING)],
            ),
            # jobs(filter: {functionName}) of an owner
            _index(
                "owner_function",
                [("owner", ASCENDING), ("functionName", ASCENDING), ("_id", DESCENDING)],
            ),
            # jobs(orderBy: SCHEDULED_*, filter: {scheduledFrom, scheduledTo}) of an owner
            _index(
                "owner_scheduled",
                [
                    ("owner", ASCENDING),
                    ("internal", ASCENDING),
                    ("scheduledTime", ASCENDING),
                    ("_id", ASCENDING),
                ],
            ),
            # the same of an admin
            _index("scheduled", [("scheduledTime", ASCENDING), ("_id", ASCENDING)]),
            # "what failed?" of an admin
            _index(
                "failed",
                [("state", ASCENDING), ("_id", DESCENDING)],
                partialFilterExpression={"state": "failed"},
            ),
            _index("purge", [("purgeAt", ASCENDING)], expireAfterSeconds=0, sparse=True),
        ),
    ),
    CollectionSpec(
        name=CRONS,
        written_by="crons.* functions",
        read_by="crons.executeCron, lists, sweeper",
        deleted_by="deleteCron",
        keeps_preimages=True,
        indexes=(
            # sweep: enabled crons whose tick is missing
            _index("enabled_nextRunTime", [("enabled", ASCENDING), ("nextRunTime", ASCENDING)]),
            # registerCron: name taken; cron(name); crons
            _index("owner_name", [("owner", ASCENDING), ("name", ASCENDING)], unique=True),
            # crons of an owner
            _index("owner_newest", [("owner", ASCENDING), ("_id", DESCENDING)]),
        ),
    ),
    CollectionSpec(
        name=TASK_CONFIGS,
        written_by="tasks.* functions",
        read_by="tasks.startRecurringTask, lists, sweeper",
        deleted_by="nobody: a stopped task keeps its generation",
        indexes=(
            # startRecurringTask, stopRecurringTask
            _index("owner_taskId", [("owner", ASCENDING), ("taskId", ASCENDING)], unique=True),
            # recurringTasks of an owner
            _index("owner_newest", [("owner", ASCENDING), ("_id", DESCENDING)]),
            # sweep: enabled loops whose next run is missing
            _index("enabled", [("enabled", ASCENDING), ("nextRunTime", ASCENDING)]),
        ),
    ),
    CollectionSpec(
        name=ITEMS,
        written_by="addItems, batch handlers",
        read_by="batch.processBatch",
        deleted_by="nobody",
        indexes=(
            # a batch's page
            _index(
                "owner_processed",
                [("owner", ASCENDING), ("processed", ASCENDING), ("_id", ASCENDING)],
            ),
        ),
    ),
    CollectionSpec(
        name=BATCHES,
        written_by="batch.* functions",
        read_by="batch.processBatch, lists, sweeper",
        deleted_by="nobody",
        indexes=(
            _index("owner_newest", [("owner", ASCENDING), ("_id", DESCENDING)]),
            # sweep: running batches whose next page is missing
            _index("state", [("state", ASCENDING)]),
        ),
    ),
    CollectionSpec(
        name=REQUESTS,
        written_by="requests.* functions",
        read_by="requests.process, requests.timeout, lists, sweeper",
        deleted_by="nobody",
        indexes=(
            _index("owner_newest", [("owner", ASCENDING), ("_id", DESCENDING)]),
            # sweep: requests past their timeout
            _index(
                "timeout",
                [("timeoutAt", ASCENDING)],
                partialFilterExpression={"state": "pending"},
            ),
        ),
    ),
    CollectionSpec(
        name=FAILURES,
        written_by="the move `fail`; errors.logFailure",
        read_by="lists",
        deleted_by="the move `revive`",
        indexes=(_index("owner_newest", [("owner", ASCENDING), ("_id", DESCENDING)]),),
    ),
    CollectionSpec(
        name=WORKERS,
        written_by="each worker, its own heartbeat",
        read_by="dispatcher, sweeper",
        deleted_by="the worker itself at its end; the sweeper when it is lost",
    ),
    CollectionSpec(
        name=LEADERS,
        written_by="the worker that leads, or takes over",
        read_by="the same",
        deleted_by="the leader when it stops",
    ),
    CollectionSpec(
        name=CLOCK,
        written_by="tests and the development mode: the offset of due time",
        read_by="every process in those modes",
        deleted_by="nobody",
    ),
)


async def ensure_collections(mongo: Mongo) -> None:
    """Create what is missing; safe to run from many processes at once.

    Collections are made up front because a transaction cannot make one that a rival makes too.
    """
    existing = set(await mongo.database.list_collection_names())
    for spec in COLLECTIONS:
        if spec.name not in existing:
            await _create(mongo, spec)
        if spec.indexes:
            await mongo[spec.name].create_indexes(list(spec.indexes))


async def _create(mongo: Mongo, spec: CollectionSpec) -> None:
    options: dict[str, Any] = {}
    if spec.keeps_preimages:
        options["changeStreamPreAndPostImages"] = {"enabled": True}
    try:
        await mongo.database.create_collection(spec.name, **options)
    except CollectionInvalid:
        return
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise
