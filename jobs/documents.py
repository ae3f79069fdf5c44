"""Converts documents to records, and records to documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ostinato.jobs import records
from ostinato.jobs.cron_ledger import tick_counts_from
from ostinato.jobs.fingerprints import fingerprint_of
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.options import DEFAULT_MAX_FAILED_ITEMS
from ostinato.jobs.records import (
    BatchState,
    CatchUpPolicy,
    Cause,
    CauseKind,
    Job,
    JobError,
    JobEvent,
    JobState,
    OverlapPolicy,
    PauseReason,
    Progress,
    RequestState,
)
from ostinato.jobs.run_history import executions_in
from ostinato.jobs.time_rules import FoldPolicy, GapPolicy, exclusions_from

Document = Mapping[str, Any]
MAX_MESSAGE_CHARS: Final = 1_000  # at most 4 KiB in UTF-8


def cause_from(document: Document) -> Cause:
    return Cause(kind=CauseKind(document["kind"]), id=document.get("id"))


def cause_document(cause: Cause) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": cause.kind.value}
    if cause.id is not None:
        document["id"] = cause.id
    return document


def root_id_of(document: Document) -> str:
    """Return the id of the first job of a job's tree; its own id, if none is stored or readable."""
    root_id = document.get("rootId")
    return root_id if type(root_id) is str else str(document["_id"])


def error_from(document: Document | None) -> JobError | None:
    if not document:
        return None
    return JobError(
        name=document["name"],
        message=document["message"],
        traceback=document.get("traceback"),
    )


def job_event_from(entry: Document) -> JobEvent:
    source = entry.get("from")
    return JobEvent(
        seq=entry["seq"],
        at=entry["at"],
        from_state=JobState(source) if source else None,
        state=JobState(entry["state"]),
        attempt=entry["attempt"],
        worker_id=entry.get("worker"),
        next_run_at=entry.get("nextRunAt"),
        args_changed=entry.get("argsChanged", False),
        by=entry.get("by"),
        error=error_from(entry.get("error")),
    )


def progress_from(document: Document | None) -> Progress | None:
    if not document:
        return None
    return Progress(
        done=document["done"], total=document.get("total"), message=document.get("message")
    )


def job_from(document: Document) -> Job:
    return Job(
        id=document["_id"],
        function_name=document["functionName"],
        args=document["args"],
        owner=document["owner"],
        internal=document["internal"],
        state=JobState(document["state"]),
        scheduled_time=document["scheduledTime"],
        queue=document["queue"],
        priority=document["priority"],
        attempt=document["attempt"],
        max_attempts=document["maxAttempts"],
        cause=cause_from(document["cause"]),
        root_id=document.get("rootId", document["_id"]),
        version=document["version"],
        created_at=document["createdAt"],
        timeline=tuple(job_event_from(entry) for entry in document.get("timeline", ())),
        key=document.get("key"),
        tags=tags_from(document),
        timeout_ms=document.get("timeoutMs"),
        progress=progress_from(document.get("progress")),
        result=document.get("result"),
        error=error_from(document.get("error")),
        cancel_requested_at=document.get("cancelRequestedAt"),
        started_at=document.get("startedAt"),
        completed_at=document.get("completedAt"),
        purge_at=document.get("purgeAt"),
    )


def tags_from(document: Document) -> tuple[str, ...]:
    """Return the tags of a job or cron, which documents of older versions do not have."""
    tags = document.get("tags", [])
    if not isinstance(tags, list) or not all(type(tag) is str for tag in tags):
        raise TypeError("tags must be a list of strings")
    return tuple(tags)


def schedule_from(document: Document) -> records.Schedule:
    tz = document.get("tz", "UTC")
    if document["kind"] == "interval":
        return records.IntervalSchedule(ms=document["ms"], tz=tz)
    return records.CronSchedule(
        cronspec=document["cronspec"],
        tz=tz,
        on_gap=GapPolicy(document.get("onGap", GapPolicy.NEXT)),
        on_fold=FoldPolicy(document.get("onFold", FoldPolicy.FIRST)),
    )


def schedule_document(schedule: records.Schedule) -> dict[str, Any]:
    """Build the stored form of a schedule; leaves out defaults that were added later."""
    if isinstance(schedule, records.IntervalSchedule):
        tz = {} if schedule.tz == "UTC" else {"tz": schedule.tz}
        return {"kind": "interval", "ms": schedule.ms, **tz}
    document = {"kind": "cron", "cronspec": schedule.cronspec, "tz": schedule.tz}
    if schedule.on_gap is not GapPolicy.NEXT:
        document["onGap"] = schedule.on_gap.value
    if schedule.on_fold is not FoldPolicy.FIRST:
        document["onFold"] = schedule.on_fold.value
    return document


def cron_from(document: Document) -> records.Cron:
    executions, failures = executions_in(document)
    return records.Cron(
        id=document["_id"],
        name=document["name"],
        function_name=document["functionName"],
        args=document["args"],
        schedule=schedule_from(document["schedule"]),
        owner=document["owner"],
        enabled=document["enabled"],
        next_run_time=document["nextRunTime"],
        overlap=OverlapPolicy(document["overlap"]),
        catch_up=CatchUpPolicy(document["catchUp"]),
        version=document["version"],
        last_run_time=document.get("lastRunTime"),
        scheduler_job_id=document.get("schedulerJobId"),
        skipped_ticks=document.get("skippedTicks", 0),
        jitter_ms=document.get("jitterMs", 0),
        start_at=document.get("startAt"),
        end_at=document.get("endAt"),
        tags=tags_from(document),
        max_runs=document.get("maxRuns"),
        catch_up_window_ms=document.get("catchUpWindowMs"),
        pause_after_failures=document.get("pauseAfterFailures"),
        managed_by=document.get("managedBy"),
        paused_because=pause_reason_from(document),
        exclusions=exclusions_from(document.get("exclusions")),
        skipped_times=tuple(document.get("skippedTimes", ())),
        tick_counts=tick_counts_from(document),
        executions=tuple(executions),
        failures=failures,
    )


def pause_reason_from(document: Document) -> PauseReason | None:
    reason = document.get("pausedBecause")
    return None if reason is None else PauseReason(reason)


def recurring_task_from(document: Document) -> records.RecurringTask:
    return records.RecurringTask(
        id=document["_id"],
        task_id=document["taskId"],
        owner=document["owner"],
        function_name=document["functionName"],
        args=document["args"],
        interval_ms=document["intervalMs"],
        enabled=document["enabled"],
        generation=document["generation"],
        version=document["version"],
        next_run_time=document.get("nextRunTime"),
        scheduler_job_id=document.get("schedulerJobId"),
        paused_because=pause_reason_from(document),
        run_count=document.get("runCount", 0),
        last_run_time=document.get("lastRunTime"),
        last_lateness_ms=document.get("lastLatenessMs"),
        skipped_ticks=document.get("skippedTicks", 0),
    )


def batch_from(document: Document) -> records.Batch:
    return records.Batch(
        id=document["_id"],
        source=document["source"],
        owner=document["owner"],
        state=BatchState(document["state"]),
        batch_size=document["batchSize"],
        delay_ms=document["delayMs"],
        processed=document["processed"],
        version=document["version"],
        created_at=document["createdAt"],
        cursor=document.get("cursor"),
        total=document.get("total"),
        completed_at=document.get("completedAt"),
        scheduler_job_id=document.get("schedulerJobId"),
        failed=document.get("failed", 0),
        max_failed_items=document.get("maxFailedItems", DEFAULT_MAX_FAILED_ITEMS),
        next_page_time=document.get("nextPageTime"),
        busy_ms=document.get("busyMs", 0),
    )


def request_from(document: Document) -> records.Request:
    return records.Request(
        id=document["_id"],
        owner=document["owner"],
        state=RequestState(document["state"]),
        data=document["data"],
        timeout_at=document["timeoutAt"],
        created_at=document["createdAt"],
        version=document["version"],
        result=document.get("result"),
        completed_at=document.get("completedAt"),
        error=error_from(document.get("error")),
        answered_by=document.get("answeredBy"),
        late_answer=late_answer_from(document),
    )


def late_answer_from(request: Document) -> records.LateAnswer | None:
    """Return the late answer of a request; its result is in a field of its own, like all JSON."""
    late = request.get("late")
    if not late:
        return None
    return records.LateAnswer(
        at=late["at"],
        by=late.get("by"),
        result=request.get("lateAnswer"),
        error=error_from(late.get("error")),
    )


def failure_from(document: Document) -> records.Failure:
    error = error_from(document["error"])
    assert error is not None
    return records.Failure(
        id=document["_id"],
        owner=document["owner"],
        function_name=document["functionName"],
        error=error,
        attempts=document["attempts"],
        at=document["at"],
        version=document["version"],
        data=document.get("data"),
        job_id=document.get("jobId"),
        recorded_by_id=document.get("recordedById"),
        fingerprint=document.get("fingerprint"),
        resolved_at=document.get("resolvedAt"),
    )


def refusal_document(error: Exception) -> Document:
    """Build the stored form of an error for which no attempt was made."""
    message = replace_surrogates(str(error)[:MAX_MESSAGE_CHARS])
    return {"name": type(error).__name__, "message": message}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFailure:
    """A failure to insert; `job_id` is None if a function recorded it."""

    id: str
    owner: str | None
    function_name: str
    error: Document
    """{name, message}, and for a job's error the traceback."""
    data: records.Json
    attempts: int
    at: datetime
    job_id: str | None = None
    recorded_by_id: str | None = None
    """The job whose function recorded it."""
    first_at: datetime | None = None
    """When the job failed with a similar error for the first time, before it was retried."""
    outbox_id: object = None
    """The `_id` of an outbox entry that was rejected."""

    def document(self) -> dict[str, Any]:
        """Build the document to store."""
        optional = {
            "jobId": self.job_id,
            "recordedById": self.recorded_by_id,
            "firstAt": self.first_at,
            "outboxId": self.outbox_id,
        }
        return {
            "_id": self.id,
            **{name: value for name, value in optional.items() if value is not None},
            "owner": self.owner,
            "fingerprint": fingerprint_of(self.error.get("name"), self.error.get("message")),
            "functionName": self.function_name,
            "error": self.error,
            "data": self.data,
            "attempts": self.attempts,
            "at": self.at,
            "version": 1,
        }
