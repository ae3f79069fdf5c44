"""Answers to requests: they end a pending one, or are kept as late. Also extends and cancels.

Every function runs in the caller's transaction, so that of an answer and a timeout one wins.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ostinato.jobs.context import Context
from ostinato.jobs.documents import MAX_MESSAGE_CHARS, Document, request_from
from ostinato.jobs.errors import BadRequest, NotFound, PreconditionFailed, require_range
from ostinato.jobs.functions.job_chain import cancel_if_active, update_document
from ostinato.jobs.json_values import format_instant
from ostinato.jobs.records import Cause, CauseKind, Json, Request, RequestState

MIN_TIMEOUT_MS: Final = 1
MAX_TIMEOUT_MS: Final = 365 * 86_400_000  # a year
MAX_ERROR_CHARS: Final = MAX_MESSAGE_CHARS
REJECTED: Final = "Rejected"
"""The name of the error of a request that a person rejected."""
TIMEOUT: Final = "requests.timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of a request, or the error with which it was rejected."""

    result: Json = None
    error: Document | None = None
    by: str | None = None
    """The user who gave it; None for the handler, and for an application."""

    @classmethod
    def rejection(cls, message: str, by: str | None) -> "Answer":
        """Build the answer of a person who rejects a request; raises BadRequest at `error`."""
        if not 1 <= len(message) <= MAX_ERROR_CHARS:
            problem = f"error must have 1 to {MAX_ERROR_CHARS:,} characters, got {len(message):,}"
            raise BadRequest.at("error", message=problem, code="length")
        return cls(error={"name": REJECTED, "message": message}, by=by)


async def answer_request(ctx: Context, request_id: str, given: Answer) -> Request:
    """Complete or reject a pending request, or keep the answer to one that has timed out.

    Raises NotFound, and PreconditionFailed if it has ended otherwise, or has a late answer.
    """
    found = await _find(ctx, request_id)
    if not may_be_answered(found):
        raise PreconditionFailed(_ended(found))
    return request_from(await answer(ctx, found, given))


async def cancel_request(ctx: Context, request_id: str, by: str | None) -> Request:
    """Cancel a pending request with its handler; raises NotFound and PreconditionFailed."""
    found = await _find(ctx, request_id)
    if await _is_too_late(ctx, found):
        raise PreconditionFailed(_ended(found))
    await _cancel_jobs(ctx, found)
    return request_from(
        await end(ctx, found, {"state": RequestState.CANCELED.value, "answeredBy": by})
    )


async def extend_request(
    ctx: Context, request_id: str, timeout_ms: int | None, until: datetime | None
) -> Request:
    """Set the timeout of a pending request: from now, or at an aware time; give exactly one.

    It can also be earlier than before. Raises BadRequest for a time that is not 1 ms to a year from
    now, NotFound, and PreconditionFailed.
    """
    now = await ctx.now()
    timeout_at = _new_timeout(now, timeout_ms, until)
    found = await _find(ctx, request_id)
    if await _is_too_late(ctx, found):
        raise PreconditionFailed(_ended(found))
    await cancel_if_active(ctx, found.get("timeoutJobId"))
    cause = Cause(kind=CauseKind.REQUEST, id=request_id)
    job_id = await ctx.scheduler.run_at(timeout_at, TIMEOUT, {"requestId": request_id}, cause=cause)
    fields = {"timeoutAt": timeout_at, "timeoutJobId": job_id}
    return request_from(await update_document(ctx, "requests", found, fields))


def may_be_answered(found: Document) -> bool:
    """Return whether a request is pending, or has timed out without an answer."""
    return found["state"] == RequestState.PENDING or (
        found["state"] == RequestState.TIMEOUT and found.get("late") is None
    )


async def answer(ctx: Context, found: Document, given: Answer) -> dict[str, Any]:
    """End a request that may be answered; after its timeout, keep the answer as late.

    Whether an answer is late depends on the time alone, not on whether the timeout job has run.
    """
    if await _is_too_late(ctx, found):
        late = {"at": await ctx.now(), "by": given.by, "error": given.error}
        fields: dict[str, Any] = {"late": late, "lateAnswer": given.result}
        if found["state"] == RequestState.TIMEOUT:
            return await update_document(ctx, "requests", found, fields)
        return await end(ctx, found, {"state": RequestState.TIMEOUT.value, **fields})
    await _cancel_jobs(ctx, found)
    state = RequestState.COMPLETED if given.error is None else RequestState.FAILED
    fields = {"result": given.result, "error": given.error, "answeredBy": given.by}
    return await end(ctx, found, {"state": state.value, **fields})


async def end(ctx: Context, found: Document, fields: Document) -> dict[str, Any]:
    """Write the final state of a pending request, as read in this transaction."""
    return await update_document(ctx, "requests", found, {"completedAt": await ctx.now(), **fields})


async def _find(ctx: Context, request_id: str) -> dict[str, Any]:
    found = await ctx.db.ostinato("requests").find_one({"_id": request_id, "owner": ctx.owner})
    if found is None:
        raise NotFound("there is no such request")
    return found


async def _is_too_late(ctx: Context, found: Document) -> bool:
    is_pending = found["state"] == RequestState.PENDING
    return not is_pending or await ctx.now() >= found["timeoutAt"]


async def _cancel_jobs(ctx: Context, found: Document) -> None:
    await cancel_if_active(ctx, found.get("timeoutJobId"))
    await cancel_if_active(ctx, found.get("processJobId"))


def _ended(found: Document) -> str:
    if found["state"] == RequestState.PENDING:
        return f"the request timed out at {format_instant(found['timeoutAt'])}"
    if found.get("late") is not None:
        return "the request has timed out, and already has a late answer"
    return f"the request has already ended: it is {found['state']}"


def _new_timeout(now: datetime, timeout_ms: int | None, until: datetime | None) -> datetime:
    if (timeout_ms is None) == (until is None):
        message = "send exactly one of timeoutMs and until"
        raise BadRequest.at("timeoutMs", message=message, code="exclusive")
    if timeout_ms is not None:
        require_range("timeoutMs", timeout_ms, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS)
        return now + timedelta(milliseconds=timeout_ms)
    assert until is not None
    latest = now + timedelta(milliseconds=MAX_TIMEOUT_MS)
    if not now < until <= latest:
        message = (
            f"until must be from now, {format_instant(now)}, to a year from now, got "
            f"{format_instant(until)}"
        )
        raise BadRequest.at("until", message=message, code="out_of_range")
    return until
