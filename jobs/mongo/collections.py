"""Collections: their writers, readers and deletion, and the query that each index serves."""

from typing import Final

from ostinato.jobs.mongo.collection_specs import CollectionSpec, exists, index
from ostinato.jobs.mongo.list_indexes import (
    BATCH_INDEXES,
    BULK_ACTION_INDEXES,
    FAILURE_INDEXES,
    JOB_INDEXES,
    REQUEST_INDEXES,
)
from ostinato.jobs.mongo.outbox_validator import OUTBOX_VALIDATOR

JOBS: Final = "jobs"
CRONS: Final = "crons"
CRON_TICKS: Final = "cronTicks"
CALENDARS: Final = "calendars"
TASK_CONFIGS: Final = "taskConfigs"
ITEMS: Final = "items"
BATCHES: Final = "batches"
REQUESTS: Final = "requests"
FAILURES: Final = "failures"
BULK_ACTIONS: Final = "bulkActions"
WORKERS: Final = "workers"
LEADERS: Final = "leaders"
CLOCK: Final = "clock"
QUEUES: Final = "queues"
BUCKETS: Final = "buckets"
OWNERS: Final = "owners"
AUDIT_LOG: Final = "auditLog"
QUOTA_LOCKS: Final = "quotaLocks"
REVOCATIONS: Final = "revocations"
FUNCTION_METRICS: Final = "functionMetrics"
ACTIVITY: Final = "activityBuckets"
OUTBOX: Final = "outbox"
JOB_LOGS: Final = "jobLogs"
ALERTS: Final = "alerts"

READ_ONLY: Final = {
    JOBS: "schedule and cancel jobs with ctx.scheduler",
    CRON_TICKS: "each tick of a cron leaves its record",
    CRONS: "change crons with registerCron, updateCron, pauseCron etc., or declare @cron",
    CALENDARS: "change calendars with createCalendar, replaceCalendar and deleteCalendar",
    TASK_CONFIGS: "change recurring tasks with startRecurringTask and stopRecurringTask",
    BATCHES: "change batches with startBatch, updateBatch, pauseBatch and cancelBatch",
    REQUESTS: "create requests with createWithTimeout, and answer them with completeRequest",
    FAILURES: "schedule errors.logFailure with ctx.scheduler, or raise an error",
    BULK_ACTIONS: "start bulk actions with cancelJobs, rescheduleJobs, retryFailures etc.",
    QUEUES: "change queues with pauseQueue and resumeQueue",
    JOB_LOGS: "write lines with ctx.log",
    ALERTS: "the watchdog of the API opens them; acknowledgeAlert, resolveAlert",
    WORKERS: "each worker writes its own document",
    LEADERS: "the workers elect their leader",
    OUTBOX: "schedule jobs with ctx.scheduler",
    AUDIT_LOG: "the API records the calls of mutations",
    OWNERS: "suspend and purge owners with suspendOwner, resumeOwner and purgeOwner",
    REVOCATIONS: "revoke tokens with revokeToken and revokeTokens",
    BUCKETS: "the workers count the starts that a rate limit allows",
    **dict.fromkeys((ACTIVITY, FUNCTION_METRICS), "the workers count attempts of functions"),
    CLOCK: "only test and development modes move the clock",
    QUOTA_LOCKS: "Ostinato writes it when an owner is near a quota",
}
"""Collections that functions can read but not write, and the way to change their contents."""

WRITABLE_BY_BUILT_INS: Final = frozenset(
    {
        CRONS,
        CRON_TICKS,
        CALENDARS,
        TASK_CONFIGS,
        BATCHES,
        REQUESTS,
        FAILURES,
        BULK_ACTIONS,
        QUOTA_LOCKS,
        OWNERS,
        JOBS,
        JOB_LOGS,
        ALERTS,
    }
)
"""Read-only collections that built-in functions can write, within their transaction. They only
delete jobs: see owners.purge."""


COLLECTIONS: Final = (
    CollectionSpec(
        name=JOBS,
        written_by="the transitions of the lifecycle (jobs.mongo.transitions) exclusively",
        read_by="dispatcher, workers, sweeper, lists",
        deleted_by="the TTL index on purgeAt; owners.purge",
        indexes=JOB_INDEXES,
    ),
    CollectionSpec(
        name=CRONS,
        written_by="crons.* functions",
        read_by="crons.executeCron, lists, sweeper",
        deleted_by="deleteCron; owners.purge",
        indexes=(
            index(
                "enabled_nextRunTime",
                "sweep: enabled crons without a pending tick",
                "enabled nextRunTime",
            ),
            index(
                "owner_name",
                "registerCron: unique names; cron(name); crons",
                "owner name",
                unique=True,
            ),
            index("owner_newest", "crons of an owner", "owner -_id"),
            index(
                "calendar",
                "deleteCalendar: crons that exclude its days",
                "exclusions.calendar",
                partialFilterExpression=exists("exclusions.calendar"),
            ),
        ),
    ),
    CollectionSpec(
        name=CRON_TICKS,
        written_by="crons.* functions, in the transaction that decides about a tick",
        read_by="cronTicks, Cron.ticks, Cron.health",
        deleted_by="the TTL index on purgeAt; owners.purge",
        indexes=(
            index("cron_newest", "cronTicks of a cron; Cron.health", "cronId -_id"),
            index("cron_time", "backfillCron: the ticks of a period", "cronId scheduledTime"),
            index("owner_newest", "cronTicksChanged: the newest of an owner", "owner -_id"),
            index("purge", "TTL", "purgeAt", expireAfterSeconds=0),
        ),
    ),
    CollectionSpec(
        name=CALENDARS,
        written_by="createCalendar, replaceCalendar; registerCron: when it was last chosen",
        read_by="crons.executeCron, for crons that exclude its days; calendars; nextRuns",
        deleted_by="deleteCalendar",
    ),
    CollectionSpec(
        name=TASK_CONFIGS,
        written_by="tasks.* functions",
        read_by="tasks.startRecurringTask, lists, sweeper",
        deleted_by="deleteRecurringTask; the sweeper, some time after the stop; owners.purge",
        indexes=(
            index(
                "owner_taskId", "startRecurringTask, stopRecurringTask", "owner taskId", unique=True
            ),
            index("owner_newest", "recurringTasks of an owner", "owner -_id"),
            index("enabled", "sweep: enabled tasks without a next run", "enabled nextRunTime"),
            index("stopped", "sweep: tasks to delete", "stoppedAt", sparse=True),
        ),
    ),
    CollectionSpec(
        name=ITEMS,
        written_by="addItems, batch handlers",
        read_by="batch.processBatch",
        deleted_by="deleteItems; the sweeper, some time after they were processed; owners.purge",
        indexes=(
            index(
                "owner_processed",
                "the next page of a batch; addItems: the number of unprocessed items of an owner",
                "owner processed _id",
            ),
            index("processed", "sweep: items to delete", "processedAt", sparse=True),
        ),
    ),
    CollectionSpec(
        name=BATCHES,
        written_by="batch.* functions",
        read_by="batch.processBatch, lists, sweeper",
        deleted_by="deleteBatch; the sweeper, some time after they have ended; owners.purge",
        indexes=BATCH_INDEXES,
    ),
    CollectionSpec(
        name=REQUESTS,
        written_by="requests.* functions",
        read_by="requests.process, requests.timeout, lists, sweeper",
        deleted_by="deleteRequest; the sweeper, some time after they have ended; owners.purge",
        indexes=REQUEST_INDEXES,
    ),
    CollectionSpec(
        name=FAILURES,
        written_by="the transition `fail`; errors.logFailure; the leader, for outbox entries; "
        "resolveFailure",
        read_by="lists; doctor",
        deleted_by="the transition `manualRetry`; the sweeper, some time after they were resolved; "
        "owners.purge",
        indexes=FAILURE_INDEXES,
    ),
    CollectionSpec(
        name=BULK_ACTIONS,
        written_by="bulkActions.* functions",
        read_by="bulkActions.processBulkPage, lists, sweeper",
        deleted_by="the sweeper, some time after they have ended; owners.purge",
        indexes=BULK_ACTION_INDEXES,
    ),
    CollectionSpec(
        name=OUTBOX,
        written_by="applications, in transactions of their own",
        read_by="the leader",
        deleted_by="the leader, in the transaction that inserts the job or the failure",
        validator=OUTBOX_VALIDATOR,
    ),
    CollectionSpec(
        name=JOB_LOGS,
        written_by="workers: what functions log with ctx.log, in batches",
        read_by="jobLogs, Job.logs; the quota of stored bytes",
        deleted_by="the worker, beyond the limits of a job; the sweeper, after the job; "
        "owners.purge",
        indexes=(
            index("owner_bytes", "the stored bytes of an owner; owners.purge", "owner bytes"),
        ),
    ),
    CollectionSpec(
        name=ALERTS,
        written_by="the watchdog of the API processes; acknowledgeAlert, resolveAlert",
        read_by="alerts, alertsChanged; the watchdog, every second; doctor",
        deleted_by="the TTL index on purgeAt; owners.purge",
        indexes=(
            index(
                "key",
                "watchdog: the alerts whose conditions have not ended, one for each subject",
                "key",
                unique=True,
                partialFilterExpression=exists("key"),
            ),
            index("owner_newest", "alerts of an owner; owners.purge", "owner -_id"),
            index(
                "unsent",
                "webhook: alerts with events to send",
                "unsent",
                partialFilterExpression=exists("unsent"),
            ),
            index("purge", "TTL", "purgeAt", expireAfterSeconds=0),
        ),
    ),
    CollectionSpec(
        name=WORKERS,
        written_by="each worker: its own heartbeat",
        read_by="dispatcher, sweeper, admins",
        deleted_by="the worker on shutdown; the sweeper if the worker is lost",
    ),
    CollectionSpec(
        name=LEADERS,
        written_by="the leader or its successor",
        read_by="the candidates for leadership",
        deleted_by="the leader on shutdown",
    ),
    CollectionSpec(
        name=QUEUES,
        written_by="pauseQueue, resumeQueue",
        read_by="every worker, every second; queues",
        deleted_by="nobody; a queue with default settings has no document",
    ),
    CollectionSpec(
        name=BUCKETS,
        written_by="workers, before claiming jobs of a rate-limited function",
        read_by="dispatcher, workers",
        deleted_by="the TTL index on fullAt: a full bucket is equivalent to a missing one",
        indexes=(index("full", "TTL", "fullAt", expireAfterSeconds=86_400),),
    ),
    CollectionSpec(
        name=OWNERS,
        written_by="the API: the roles in the newest token of each user; owners.* functions",
        read_by="crons.executeCron, tasks.startRecurringTask, workers, the API",
        deleted_by="nobody",
        indexes=(
            index(
                "suspended",
                "suspendedOwners; every API process that accepts work, every second",
                "suspendedAt",
                partialFilterExpression={"suspendedAt": {"$type": "date"}},
            ),
        ),
    ),
    CollectionSpec(
        name=QUOTA_LOCKS,
        written_by="transactions that come near a quota, so that an owner's are serialized",
        read_by="nobody",
        deleted_by="the TTL index on usedAt",
        indexes=(index("used", "TTL", "usedAt", expireAfterSeconds=86_400),),
    ),
    CollectionSpec(
        name=REVOCATIONS,
        written_by="revokeToken, revokeTokens, ostinato revoke",
        read_by="every API process, every five seconds; tokenRevocations",
        deleted_by="deleteRevocation; the TTL index on purgeAt, when its tokens have expired",
        indexes=(index("purge", "TTL", "purgeAt", expireAfterSeconds=0),),
    ),
    CollectionSpec(
        name=AUDIT_LOG,
        written_by="the API: an entry for each call of a mutation",
        read_by="auditLog",
        deleted_by="the TTL index on purgeAt",
        indexes=(
            index("user_newest", "auditLog(filter: {user})", "user -_id"),
            index("mutation_newest", "auditLog(filter: {mutation})", "mutation -_id"),
            index("purge", "TTL", "purgeAt", expireAfterSeconds=0),
        ),
    ),
    CollectionSpec(
        name=FUNCTION_METRICS,
        written_by="every worker that has run a function, every five seconds",
        read_by="/metrics",
        deleted_by="the TTL index on updatedAt",
        indexes=(index("updated", "TTL", "updatedAt", expireAfterSeconds=30 * 86_400),),
    ),
    CollectionSpec(
        name=ACTIVITY,
        written_by="every worker that has run a function, every five seconds: three documents",
        read_by="activity, activityChanged",
        deleted_by="the TTL index on purgeAt",
        indexes=(index("purge", "TTL", "purgeAt", expireAfterSeconds=0),),
    ),
    CollectionSpec(
        name=CLOCK,
        written_by="test and development modes: the offset of scheduler time, or its fixed value",
        read_by="every process in those modes",
        deleted_by="nobody",
    ),
)
