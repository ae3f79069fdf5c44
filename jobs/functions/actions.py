"""Retries with exponential backoff: an action that schedules its own next attempt."""

from typing import Annotated

from pydantic import Field

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action
from ostinato.jobs.functions.errors import log_failure
from ostinato.jobs.functions.external_calls import CALL_ERRORS, HttpCall, make_call
from ostinato.jobs.json_values import replace_surrogates
from ostinato.jobs.records import Json

Attempts = Annotated[int, Field(ge=0, le=20)]  # 2^20 s is 12 days


@action(public=True)
async def retryable_action(
    ctx: Context, data: HttpCall, attempts: Attempts = 0, max_attempts: Attempts = 3
) -> Json:
    """Call an external HTTP API, and retry after 1 s, 2 s, 4 s, …, each time in a new job.

    `attempts` is the number of failures so far. After 1 + `maxAttempts` calls, the failure is
    recorded. Returns the status and body of the response, or null if the call failed.
    """
    try:
        return await make_call(data, ctx.settings.allowed_hosts_http)
    except CALL_ERRORS as error:
        message = replace_surrogates(f"{type(error).__name__}: {error}")
    ctx.log.warning("action.failed", url=data.url, attempts=attempts, error=message)
    wire = data.model_dump(mode="json", by_alias=True)
    if attempts < max_attempts:
        await ctx.scheduler.run_after(
            2**attempts * 1000,
            retryable_action,
            {"data": wire, "attempts": attempts + 1, "maxAttempts": max_attempts},
        )
    else:
        await ctx.run_mutation(
            log_failure, {"error": message, "data": wire, "attempts": attempts + 1}
        )
    return None
