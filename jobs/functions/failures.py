"""Records failures that will not be retried, and calls the hooks of failed jobs."""

import asyncio
from typing import Annotated, Final

from cachetools import TTLCache
from pydantic import Field, JsonValue

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.documents import NewFailure, refusal_document
from ostinato.jobs.errors import BadRequest, QuotaExceeded
from ostinato.jobs.failure_hooks import CALL_HOOKS, FailedJob, hooks_of
from ostinato.jobs.json_values import to_json_value
from ostinato.jobs.records import CauseKind, JobInfo, Json
from ostinato.jobs.registry import AnyFunction
from ostinato.jobs.retry import Retry

__ostinato_module__ = "errors"  # the registered name is errors.logFailure

LOG_FAILURE: Final = "errors.logFailure"
HOUR_MS: Final = 3_600_000
QUOTA_PERIOD_S = 3_600.0
MAX_RECORDED = 10_000  # crons and tasks per process and period; others record no exceeded quota
Attempts = Annotated[int, Field(ge=0, le=2**31 - 1)]  # the range of GraphQL's Int

_recording_jobs: TTLCache[str, str] = TTLCache(MAX_RECORDED, QUOTA_PERIOD_S)
"""The jobs that recorded an exceeded quota in this period, by cron or task."""


@mutation(internal=True)
async def log_failure(
    ctx: Context, error: str, data: JsonValue = None, attempts: Attempts = 1
) -> str:
    """Insert a failure and return its id; `attempts` is the number of attempts made."""
    function_name = ctx.running_job.function_name if ctx.running_job else LOG_FAILURE
    return await record_failure(ctx, function_name, Exception(error), data, attempts)


async def record_refusal(
    ctx: Context,
    document_id: str,
    function_name: str,
    error: BadRequest | QuotaExceeded,
    args: Json,
) -> None:
    """Record that the running job of a cron or recurring task could not schedule its function.

    An exceeded quota is recorded at most once an hour by each process, for each cron and task: the
    failures would fill what the quota keeps free.
    """
    if isinstance(error, BadRequest) or _may_record(document_id, ctx.job.id):
        await record_failure(ctx, function_name, error, args)


def _may_record(document_id: str, job_id: str) -> bool:
    """Return whether this job may record the failure of a cron or task.

    A job may record it again: its transaction may not have been committed.
    """
    if document_id not in _recording_jobs and len(_recording_jobs) >= MAX_RECORDED:
        return False
    return _recording_jobs.setdefault(document_id, job_id) == job_id


async def record_failure(
    ctx: Context, function_name: str, error: Exception, data: Json, attempts: int = 1
) -> str:
    """Insert a failure of the owner in the caller's transaction, and return its id."""
    failure = NewFailure(
        id=ctx.new_id(),
        recorded_by_id=None if ctx.running_job is None else _recorder_of(ctx.running_job),
        owner=ctx.owner,
        function_name=function_name,
        error=refusal_document(error),
        data=to_json_value(data, "data"),
        attempts=attempts,
        at=await ctx.now(),
    )
    await ctx.db.internal_collection("failures").insert_one(failure.document())
    return failure.id


def _recorder_of(running: JobInfo) -> str:
    """Return the job that records a failure, which may have scheduled `errors.logFailure`."""
    cause = running.cause
    is_scheduled = running.function_name == LOG_FAILURE and cause.kind is CauseKind.JOB
    return cause.id if is_scheduled and cause.id is not None else running.id


@action(
    name=CALL_HOOKS,
    internal=True,
    retry=Retry(retries=4, base_ms=1_000, give_up_on=(TimeoutError,)),  # after lost workers
    result_ttl_ms=HOUR_MS,
)
async def call_hooks(ctx: Context, failed: FailedJob) -> None:
    """Call the hooks of a failed job concurrently; an error of a hook is only logged."""
    async with asyncio.TaskGroup() as calls:
        for hook in hooks_of(ctx.registry, failed.function_name):
            calls.create_task(_call(hook, ctx, failed))


async def _call(hook: AnyFunction, ctx: Context, failed: FailedJob) -> None:
    try:
        await hook(ctx, failed)
    except Exception:  # user code ran here
        name = f"{hook.__module__}.{hook.__qualname__}"
        ctx.log.exception("failure_hook.failed", hook=name, failed_job_id=failed.id)
