"""GraphQL operations for the tests, named after their root fields."""

from typing import Final

PAGE: Final = "{ nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"

LOOKUPS: Final = {
    "job": "query($id: ID!) { job(id: $id) { id } }",
    "cron": "query($id: ID!) { cron(id: $id) { id } }",
    "batch": "query($id: ID!) { batch(id: $id) { id } }",
    "request": "query($id: ID!) { request(id: $id) { id } }",
}
NODE: Final = "query($id: ID!) { node(id: $id) { id version } }"

LISTS: Final = {
    name: f"query($first: Int, $after: String) {{ {name}(first: $first, after: $after) {PAGE} }}"
    for name in ("jobs", "crons", "recurringTasks", "batches", "requests", "failures")
}


def mutation(name: str, input_type: str, selection: str) -> str:
    """Return a mutation document with the variable `$input`."""
    return f"mutation($input: {input_type}!) {{ {name}(input: $input) {{ {selection} }} }}"


CRON: Final = "cronId cron { id name enabled version functionName args nextRunTime }"
JOB: Final = "jobId job { id state functionName args scheduledTime owner }"
TASK: Final = "taskId recurringTask { id taskId enabled intervalMs functionName args }"

REGISTER_CRON: Final = mutation("registerCron", "RegisterCronInput", CRON)
PAUSE_CRON: Final = mutation("pauseCron", "CronIdInput", CRON)
RESUME_CRON: Final = mutation("resumeCron", "CronIdInput", CRON)
DELETE_CRON: Final = mutation("deleteCron", "CronIdInput", CRON)
UPDATE_CRON: Final = mutation("updateCron", "UpdateCronInput", CRON)
SKIP_NEXT_RUN: Final = mutation("skipNextRun", "CronIdInput", CRON)
TRIGGER_CRON: Final = mutation("triggerCron", "TriggerCronInput", f"{CRON} {JOB}")
BACKFILL_CRON: Final = mutation("backfillCron", "BackfillCronInput", f"{CRON} started alreadyRan")
APPLY_CRONS: Final = mutation(
    "applyCrons",
    "ApplyCronsInput",
    "created { name managedBy } updated { name } unchanged { name } deletedIds",
)
SCHEDULE_JOB: Final = mutation("scheduleJob", "ScheduleJobInput", JOB)
CANCEL_JOB: Final = mutation("cancelJob", "JobIdInput", JOB)
RETRY_JOB: Final = mutation("retryJob", "JobIdInput", JOB)
RESOLVE_FAILURE: Final = mutation(
    "resolveFailure",
    "FailureIdInput",
    "failureId failure { id attempts job { id state purgeAt version } }",
)
START_TASK: Final = mutation("startRecurringTask", "StartRecurringTaskInput", TASK)
STOP_TASK: Final = mutation("stopRecurringTask", "TaskIdInput", TASK)
UPDATE_TASK: Final = mutation(
    "updateRecurringTask",
    "UpdateRecurringTaskInput",
    f"{TASK[:-1]} version runCount lastRunTime lastLatenessMs skippedTicks owner }}",
)
DELETE_TASK: Final = mutation("deleteRecurringTask", "TaskIdInput", TASK)
DELETE_ITEMS: Final = mutation("deleteItems", "DeleteItemsInput", "deleted")
DELETE_BATCH: Final = mutation("deleteBatch", "BatchIdInput", "batchId batch { id state }")
DELETE_REQUEST: Final = mutation(
    "deleteRequest", "RequestIdInput", "requestId request { id state }"
)
ADD_ITEMS: Final = mutation("addItems", "AddItemsInput", "added itemIds")
START_BATCH: Final = mutation(
    "startBatch", "StartBatchInput", "batchId batch { id state source batchSize delayMs }"
)
CANCEL_BATCH: Final = mutation("cancelBatch", "BatchIdInput", "batchId batch { id state }")
CREATE_WITH_TIMEOUT: Final = mutation(
    "createWithTimeout", "CreateWithTimeoutInput", "requestId request { id state data timeoutAt }"
)
ANSWERED: Final = (
    "requestId request { id version state result answeredBy error { name message } "
    "lateAnswer { at by result error { name message } } }"
)
COMPLETE_REQUEST: Final = mutation("completeRequest", "CompleteRequestInput", ANSWERED)
REJECT_REQUEST: Final = mutation("rejectRequest", "RejectRequestInput", ANSWERED)
EXTEND_REQUEST: Final = mutation("extendRequest", "ExtendRequestInput", ANSWERED)
CANCEL_REQUEST: Final = mutation("cancelRequest", "RequestIdInput", ANSWERED)
CHANGED_BATCH: Final = (
    "batchId batch { id version state batchSize delayMs maxFailedItems failed nextPageTime owner }"
)
UPDATE_BATCH: Final = mutation("updateBatch", "UpdateBatchInput", CHANGED_BATCH)
PAUSE_BATCH: Final = mutation("pauseBatch", "BatchIdInput", CHANGED_BATCH)
RESUME_BATCH: Final = mutation("resumeBatch", "BatchIdInput", CHANGED_BATCH)
