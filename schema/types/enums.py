"""The enums of the API: the engine's enums, with a description of each value."""

from enum import Enum
from typing import Final

import strawberry
from strawberry.types.enum import has_enum_definition

from ostinato.jobs.activity import ActivityRange
from ostinato.jobs.alerts import AlertKind, AlertState
from ostinato.jobs.audit import AuditSource
from ostinato.jobs.bulk_actions import BulkActionKind, BulkActionState, BulkOutcome
from ostinato.jobs.cron_ledger import TickOrigin, TickOutcome, TickReason
from ostinato.jobs.filters import FailureState, JobOrder
from ostinato.jobs.job_logs import LogLevel
from ostinato.jobs.planned_ticks import TickNote
from ostinato.jobs.queue_warnings import WarningCode
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.records import (
    BatchState,
    CatchUpPolicy,
    CauseKind,
    FunctionKind,
    JobState,
    OverlapPolicy,
    PauseReason,
    RequestState,
)
from ostinato.jobs.time_rules import FoldPolicy, GapPolicy, Weekday
from ostinato.resolvers.live.messages import ChangeKind

_DESCRIPTIONS: Final[dict[type[Enum], tuple[str, dict[str, str]]]] = {
    JobState: (
        "The state of a job.",
        {
            "PENDING": "Waiting for its scheduled time, or for a free worker.",
            "IN_PROGRESS": "A worker is running it.",
            "SUCCESS": "Its function returned.",
            "FAILED": "Its function raised an exception on the last attempt. `retryJob` runs "
            "it again.",
            "CANCELED": "It was canceled. `retryJob` runs it again.",
        },
    ),
    AlertKind: (
        "What an alert is about.",
        {
            "NO_WORKER": "No worker is running, so no job starts.",
            "QUEUE_NOT_SERVED": "Jobs are due in a queue from which no running worker takes jobs.",
            "CRON_LATE": "A cron was due some time ago and has not run.",
            "CRON_FAILING": "The last runs of a cron have failed.",
            "JOB_STUCK": "A job runs longer than its timeout allows.",
            "FUNCTION_FAILING": "Jobs of a function have failed lately, and none has succeeded.",
        },
    ),
    AlertState: (
        "The state of an alert.",
        {
            "OPEN": "Nobody has acknowledged it.",
            "ACKNOWLEDGED": "Somebody takes care of it.",
            "RESOLVED": "Its reason has ended, or somebody has resolved it.",
        },
    ),
    LogLevel: (
        "The level of a line of a log.",
        {
            "DEBUG": "Details, kept only if OSTINATO_LOG_LEVEL of the workers is DEBUG.",
            "INFO": "What happened.",
            "WARNING": "Something unexpected that the function has handled.",
            "ERROR": "Something failed.",
            "CRITICAL": "Something failed that needs attention at once.",
        },
    ),
    FunctionKind: (
        "The kind of a function, which decides its delivery guarantee.",
        {
            "MUTATION": "Runs in one database transaction that also commits its success: its "
            "effects happen exactly once.",
            "ACTION": "May call external systems: runs at most once per attempt.",
        },
    ),
    CauseKind: (
        "What created a job.",
        {
            "API": "A client, by `scheduleJob`.",
            "CRON": "A tick of a cron.",
            "RECURRING": "A recurring task.",
            "BATCH": "A batch.",
            "REQUEST": "A request with a timeout.",
            "JOB": "Another job's function.",
            "APPLICATION": "The application, through the Python client.",
            "BULK_ACTION": "A bulk action.",
        },
    ),
    ActivityRange: (
        "How far a series of activity reaches back.",
        {
            "FIFTEEN_MINUTES": "60 points of 15 seconds.",
            "ONE_HOUR": "60 points of a minute.",
            "ONE_DAY": "96 points of 15 minutes.",
        },
    ),
    AuditSource: (
        "How a mutation in the audit log was called.",
        {
            "API": "Through this API.",
            "PYTHON": "By an application, through the Python client.",
        },
    ),
    RequestState: (
        "The state of a request.",
        {
            "PENDING": "It waits for an answer and has not timed out.",
            "COMPLETED": "It was answered in time.",
            "FAILED": "Its handler raised an exception, or it was rejected.",
            "TIMEOUT": "It timed out. A later answer is kept as `lateAnswer`.",
            "CANCELED": "It was canceled.",
        },
    ),
    QuotaKind: (
        "What a quota limits.",
        {
            "PENDING_JOBS": "Pending jobs, internal ones included, as of at most a second ago.",
            "CRONS": "Crons, paused ones included.",
            "TICKS_PER_MINUTE": "Ticks a minute of all running crons and recurring tasks. A "
            "cronspec counts with its busiest minute.",
            "RECURRING_TASKS": "Recurring tasks, stopped ones included.",
            "BATCHES": "Running and paused batches.",
            "ITEMS": "Items that no batch has processed yet.",
            "REQUESTS": "Pending requests.",
            "BULK_ACTIONS": "Running bulk actions.",
            "STORED_BYTES": "The size in bytes of pending jobs, unprocessed items and pending "
            "requests, as of at most a minute ago.",
            "SUBSCRIPTIONS": "Open subscriptions in the API process that answers.",
        },
    ),
    PauseReason: (
        "Why Ostinato paused a cron.",
        {
            "ROLE_LOST": "Its owner has lost the role that its function requires.",
            "OWNER_SUSPENDED": "Its owner is suspended.",
            "FAILED_RUNS": "As many runs in a row as `pauseAfterFailures` have failed.",
            "MAX_RUNS": "As many of its ticks as `maxRuns` have run.",
        },
    ),
    WarningCode: (
        "Why accepted work is not running yet.",
        {
            "NO_WORKER": "No worker is running.",
            "QUEUE_NOT_SERVED": "No running worker takes jobs from the queue.",
            "QUEUE_PAUSED": "The queue is paused.",
            "NOTHING_TO_PROCESS": "The batch found no documents to process.",
            "UNKNOWN_FUNCTION": "The function of the cron does not exist any more.",
            "UNKNOWN_CALENDAR": "The calendar of the cron's exclusions does not exist any more.",
            "NEVER_RUNS": "The cron's exclusions and its calendar leave no day.",
            "OWNER_SUSPENDED": "Ostinato paused it: its owner is suspended.",
            "ROLE_LOST": "Ostinato paused it: its owner has lost the role that its function "
            "requires.",
            "FAILED_RUNS": "Ostinato paused it: as many runs in a row as `pauseAfterFailures` have "
            "failed.",
            "MAX_RUNS": "Ostinato paused it: as many of its ticks as `maxRuns` have run.",
        },
    ),
    BatchState: (
        "The state of a batch.",
        {
            "RUNNING": "It is processing its pages.",
            "PAUSED": "It is paused until `resumeBatch`.",
            "DONE": "Every item was processed, or failed and has a job of its own.",
            "CANCELED": "It was canceled. Items that were already processed stay processed.",
            "FAILED": "Processing a page failed on its last attempt.",
        },
    ),
    FailureState: (
        "The state of a failure.",
        {
            "OPEN": "Nobody has resolved it.",
            "RESOLVED": "Somebody has resolved it. It is kept for some days.",
        },
    ),
    BulkActionKind: (
        "What a bulk action does.",
        {
            "CANCEL_JOBS": "It cancels pending jobs, and asks running ones to stop.",
            "RETRY_JOBS": "It starts another set of attempts of failed and canceled jobs.",
            "RESCHEDULE_JOBS": "It changes when pending jobs are due.",
            "RESOLVE_FAILURES": "It resolves open failures.",
            "RETRY_FAILURES": "It retries the jobs of open failures.",
        },
    ),
    BulkActionState: (
        "The state of a bulk action.",
        {
            "RUNNING": "It is processing its pages.",
            "DONE": "Every matching object was processed.",
            "CANCELED": "It was canceled. What it had changed stays changed.",
            "FAILED": "Processing a page failed on its last attempt.",
        },
    ),
    BulkOutcome: (
        "What became of one object of a bulk action.",
        {
            "CANCELED": "The pending job was canceled.",
            "CANCEL_REQUESTED": "The running job was asked to stop.",
            "RETRIED": "The job is pending again.",
            "RESCHEDULED": "The job is due at `runAt`.",
            "RESOLVED": "The failure was resolved.",
            "NOT_ALLOWED": "Not retried: the job's owner is suspended, or has lost the role of its "
            "function.",
            "TOO_MANY_ATTEMPTS": "Not changed: the job has too many attempts or events.",
            "QUOTA_EXCEEDED": "Not retried: the job's owner has too many pending jobs.",
            "NO_JOB": "Not retried: a function recorded the failure, so that it has no job.",
            "MALFORMED": "Not changed: its document is malformed.",
        },
    ),
    OverlapPolicy: (
        "What a tick does while the cron's previous run has not ended.",
        {
            "SKIP": "The tick is skipped and counted in `skippedTicks`.",
            "QUEUE": "The tick runs after the previous run has ended.",
            "ALLOW": "The tick runs concurrently with the previous run.",
        },
    ),
    CatchUpPolicy: (
        "What happens to ticks that no worker ran in time.",
        {
            "SKIP": "Missed ticks are skipped, except a tick that is at most 15 seconds late.",
            "LATEST": "Only the latest missed tick runs.",
            "ALL": "Every missed tick runs, up to the newest 500.",
        },
    ),
    TickOutcome: (
        "What became of a planned tick of a cron.",
        {
            "RAN": "It created a job.",
            "SKIPPED": "It was not to run: `reason` tells why.",
            "MISSED": "No worker ran it in time, and it did not run later.",
            "COALESCED": "No worker ran it in time, and a later tick ran instead.",
            "CANCELED": "It was due or waiting when its cron was paused, changed or deleted.",
        },
    ),
    TickReason: (
        "Why a tick did not run.",
        {
            "OVERLAP": "The previous run had not ended.",
            "QUEUE_FULL": "100 ticks were waiting for the end of the previous run.",
            "PAUSED": "The cron was paused.",
            "ROLE_LOST": "The cron's owner has lost the role that its function requires.",
            "OWNER_SUSPENDED": "The cron's owner was suspended.",
            "EXCLUDED": "Its day is excluded.",
            "CLOCK_CHANGE": "The clocks skipped its local time.",
            "REQUESTED": "A client skipped it.",
            "QUOTA_EXCEEDED": "The cron's owner had no room for another job.",
            "FUNCTION_REFUSED": "The function does not exist any more, or rejects the arguments.",
            "DOWNTIME": "No worker ran it in time: none was running, or they were too busy.",
            "TOO_MANY_MISSED": "More than 500 ticks were missed; the newest 500 ran.",
            "TOO_OLD": "It was too old to be caught up.",
            "CAUGHT_UP": "The newest missed tick ran instead.",
            "CHANGED": "The cron was changed before it ran.",
            "DELETED": "The cron was deleted before it ran.",
            "FAILED_RUNS": "The cron was paused, because its runs had failed.",
            "MAX_RUNS": "As many ticks as `maxRuns` had run.",
        },
    ),
    TickOrigin: (
        "What asked for a run of a cron.",
        {
            "SCHEDULE": "Its schedule. Only these ticks are planned.",
            "TRIGGER": "A client that ran the cron at once.",
            "BACKFILL": "A client that ran ticks of the past.",
        },
    ),
    GapPolicy: (
        "What a cron does at a fixed time that the clocks skip.",
        {
            "NEXT": "It runs at the first instant after the gap, once for all times in it.",
            "SKIP": "It does not run.",
        },
    ),
    FoldPolicy: (
        "When a cron runs at a fixed time that the clocks repeat.",
        {
            "FIRST": "In the first pass.",
            "LAST": "In the last pass.",
            "BOTH": "In both passes.",
        },
    ),
    Weekday: (
        "A day of the week.",
        {day.name: f"{day.name.capitalize()}." for day in Weekday},
    ),
    TickNote: (
        "What a clock change or an exclusion does to a tick.",
        {
            "MOVED": "The clocks skip its local time: it runs at the first instant after the gap.",
            "SKIPPED": "The clocks skip its local time: it does not run.",
            "REPEATED": "It runs in the second pass of a local time that the clocks repeat.",
            "EXCLUDED": "Its day is excluded: it does not run.",
        },
    ),
    JobOrder: (
        "The order of a list of jobs.",
        {
            "NEWEST": "Newest first, by creation time.",
            "OLDEST": "Oldest first, by creation time.",
            "SCHEDULED_ASC": "Earliest scheduled time first.",
            "SCHEDULED_DESC": "Latest scheduled time first.",
        },
    ),
    ChangeKind: (
        "The kind of a subscription message.",
        {
            "SNAPSHOT": "The current state of an object; sent before READY.",
            "READY": "The snapshot, if requested, is complete. Every change after this point is "
            "sent.",
            "CHANGED": "An object changed, or now matches the filter.",
            "LEFT": "An object no longer matches the filter, or was deleted.",
            "CHECKPOINT": "Sent periodically while there are no changes. Carries a newer cursor.",
            "RESET": "Changes were lost: discard your state. A new snapshot or READY follows.",
        },
    ),
}


def _describe(enum: type[Enum], description: str, values: dict[str, str]) -> None:
    strawberry.enum(enum, description=description)
    assert has_enum_definition(enum)
    for value in enum.__strawberry_definition__.values:
        value.description = values[value.name]


for _enum, (_description, _values) in _DESCRIPTIONS.items():
    _describe(_enum, _description, _values)
