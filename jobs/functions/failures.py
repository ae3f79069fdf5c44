"""Records failures that will not be retried."""

from typing import Annotated

from pydantic import Field, JsonValue

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import mutation
from ostinato.jobs.documents import NewFailure
from ostinato.jobs.errors import BadRequest, QuotaExceeded
from ostinato.jobs.json_values import replace_surrogates, to_json_value
from ostinato.jobs.logs import LogThrottle
from ostinato.jobs.records import Json

__ostinato_module__ = "errors"  # the registered name is errors.logFailure

QUOTA_PERIOD_S = 3_600.0
MAX_MESSAGE_CHARS = 1_000  # at most 4 KiB in UTF-8
Attempts = Annotated[int, Field(ge=0, le=2**31 - 1)]  # the range of GraphQL's Int

_throttle = LogThrottle(QUOTA_PERIOD_S)


@mutation(internal=True)
async def log_failure(
    ctx: Context, error: str, data: JsonValue = None, attempts: Attempts = 1
) -> str:
    """Insert a failure and return its id; `attempts` is the number of attempts made."""
    function_name = ctx.running_job.function_name if ctx.running_job else "errors.logFailure"
    return await record_failure(ctx, function_name, Exception(error), data, attempts)


async def record_refusal(
    ctx: Context, function_name: str, error: BadRequest | QuotaExceeded, args: Json
) -> None:
    """Record that a cron or recurring task could not schedule its function.

    An exceeded quota is recorded at most once an hour by each process: the failures would fill what
    the quota keeps free.
    """
    if isinstance(error, BadRequest) or _throttle.allows((ctx.owner, function_name)):
        await record_failure(ctx, function_name, error, args)


async def record_failure(
    ctx: Context, function_name: str, error: Exception, data: Json, attempts: int = 1
) -> str:
    """Insert a failure of the owner in the caller's transaction, and return its id."""
    message = replace_surrogates(str(error)[:MAX_MESSAGE_CHARS])
    failure = NewFailure(
        id=ctx.new_id(),
        owner=ctx.owner,
        function_name=function_name,
        error={"name": type(error).__name__, "message": message},
        data=to_json_value(data, "data"),
        attempts=attempts,
        at=await ctx.now(),
    )
    await ctx.db.internal_collection("failures").insert_one(failure.document())
    return failure.id
