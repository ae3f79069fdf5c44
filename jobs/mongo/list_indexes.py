"""The indexes of the collections with most lists, each with the query that it serves."""

from typing import Final

from ostinato.jobs.mongo.collection_specs import exists, index

JOB_INDEXES: Final = (
    index(
        "due",
        "dispatch: lanes; due jobs and earliest scheduled time of a lane",
        "state lane scheduledTime _id owner",
        partialFilterExpression={"state": "pending"},
    ),
    index(
        "fair",
        "dispatch under load: owners of a lane and their earliest jobs",
        "state lane owner scheduledTime _id",
        partialFilterExpression={"state": "pending"},
    ),
    index(
        "running",
        "running jobs of a worker; jobs(filter: {states: [IN_PROGRESS]}) of an owner",
        "owner -_id lease.worker",
        partialFilterExpression={"state": "inProgress"},
    ),
    index(
        "owner_key",
        "scheduleJob: the existing job of an idempotency key",
        "owner key",
        unique=True,
        partialFilterExpression=exists("key"),
    ),
    index(
        "tick",
        "crons and recurring tasks: at most one job per due time and version",
        "tick",
        unique=True,
        partialFilterExpression=exists("tick"),
    ),
    index(
        "cause",
        "Cron.runs, Job.children etc.; the overlap policy",
        "cause.id -_id",
        partialFilterExpression=exists("cause.id"),
    ),
    index(
        "root",
        "jobTree; jobs(filter: {rootId}); cancelJob(cascade: true)",
        "rootId -_id",
        partialFilterExpression=exists("rootId"),
    ),
    index(
        "owner_newest",
        "jobs(orderBy: NEWEST | OLDEST) of an owner",
        "owner internal -_id",
    ),
    index(
        "owner_state",
        "jobs(filter: {states}) of an owner, without succeeded jobs (the majority)",
        "owner state -_id",
        partialFilterExpression={"state": {"$in": ["pending", "failed", "canceled"]}},
    ),
    index(
        "owner_function",
        "jobs(filter: {functionName}) of an owner",
        "owner functionName -_id",
    ),
    index(
        "owner_tags",
        "jobs(filter: {tags}) of an owner: only jobs with tags, at their insert",
        "owner tags -_id",
        partialFilterExpression=exists("tags"),
    ),
    index(
        "owner_scheduled",
        "jobs(orderBy: SCHEDULED_*, filter: {scheduledFrom, scheduledTo}) of an owner",
        "owner internal scheduledTime _id",
    ),
    index("scheduled", "the same across owners", "scheduledTime _id"),
    index(
        "failed",
        "failed jobs across owners",
        "state -_id",
        partialFilterExpression={"state": "failed"},
    ),
    index("purge", "TTL", "purgeAt", expireAfterSeconds=0, sparse=True),
)

BULK_ACTION_INDEXES: Final = (
    index("owner_newest", "bulk actions of an owner", "owner -_id"),
    index("ended", "sweep: bulk actions to delete", "completedAt", sparse=True),
    index(
        "running",
        "sweep: running actions without a next page; the number of an owner",
        "owner",
        partialFilterExpression={"state": "running"},
    ),
)

FAILURE_INDEXES: Final = (
    index("owner_newest", "failures(filter: {states: null}) of an owner", "owner -_id"),
    index(
        "owner_open",
        "failures, failureGroups of an owner; retryFailures, resolveFailures",
        "owner -_id",
        partialFilterExpression={"resolvedAt": None},
    ),
    index(
        "open",
        "the same across owners",
        "resolvedAt -_id",
        partialFilterExpression={"resolvedAt": None},
    ),
    index("resolved", "sweep: failures to delete", "resolvedAt", sparse=True),
    index(
        "recorded_by",
        "Job.recordedFailure",
        "recordedById -_id",
        partialFilterExpression=exists("recordedById"),
    ),
    index(
        "outbox",
        "doctor: rejected entries; an application: why its entry was rejected",
        "outboxId",
        partialFilterExpression=exists("outboxId"),
    ),
)

REQUEST_INDEXES: Final = (
    index("owner_newest", "requests of an owner", "owner -_id"),
    index("owner_state", "requests(filter: {states}) of an owner", "owner state -_id"),
    index("ended", "sweep: requests to delete", "completedAt", sparse=True),
    index(
        "timeout",
        "sweep: requests past their timeout",
        "timeoutAt",
        partialFilterExpression={"state": "pending"},
    ),
    index(
        "owner_pending",
        "createWithTimeout: the number of pending requests of an owner",
        "owner",
        partialFilterExpression={"state": "pending"},
    ),
)

BATCH_INDEXES: Final = (
    index("owner_newest", "batches of an owner", "owner -_id"),
    index("owner_state", "batches(filter: {states}) of an owner", "owner state -_id"),
    index("ended", "sweep: batches to delete", "completedAt", sparse=True),
    index("state", "sweep: running batches without a next page", "state"),
    index(
        "owner_running",
        "startBatch: the number of running and paused batches of an owner",
        "owner",
        partialFilterExpression={"state": {"$in": ["running", "paused"]}},
    ),
)
