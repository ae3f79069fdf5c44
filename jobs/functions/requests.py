"""Requests: documents that must be completed before their timeout, by a handler or a person."""

from datetime import timedelta
from typing import Any, Final

from pydantic import JsonValue

from ostinato.jobs.context import Context
from ostinato.jobs.decorators import action, mutation
from ostinato.jobs.documents import refusal_document, request_from
from ostinato.jobs.errors import NotFound, PreconditionFailed, require_range
from ostinato.jobs.functions.answers import (
    MAX_TIMEOUT_MS,
    MIN_TIMEOUT_MS,
    TIMEOUT,
    Answer,
    answer,
    end,
    may_be_answered,
)
from ostinato.jobs.functions.job_chain import (
    cancel_if_active,
    delete_document,
    effective_now,
    is_active,
)
from ostinato.jobs.ids import EPOCH, SAMPLE_ID
from ostinato.jobs.json_values import to_json_value
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.quotas.transaction_checks import require_room
from ostinato.jobs.records import Cause, CauseKind, Json, Request, RequestState

MAX_DELAY_MS: Final = 60_000
NO_RESULT: Final = {
    "name": "NoResult",
    "message": "the request's handler ended without a result, for example because it was canceled",
}


async def create_with_timeout(
    ctx: Context, data: Json, timeout_ms: int = 30_000, *, run_handler: bool = True
) -> Request:
    """Store a request with the job that processes it and the job that times it out, atomically.

    The first job is due now. Without a registered handler, it is due after the data's `delayMs`.
    There is none without `run_handler`: the request waits for an answer. Raises BadRequest for a
    timeout outside 1 ms to a year, and QuotaExceeded.
    """
    require_range("timeoutMs", timeout_ms, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS)
    await require_room(ctx, QuotaKind.REQUESTS)
    now = await ctx.now()
    request_id = ctx.new_id()
    cause = Cause(kind=CauseKind.REQUEST, id=request_id)
    args = {"requestId": request_id}
    timeout_at = now + timedelta(milliseconds=timeout_ms)
    timeout_id = await ctx.scheduler.run_at(timeout_at, TIMEOUT, args, cause=cause)
    process_id = None
    if run_handler:
        delay_ms = 0 if ctx.registry.request_handler else _delay_ms_of(data)
        process_id = await ctx.scheduler.run_after(delay_ms, process, args, cause=cause)
    document = sample_request(ctx.owner, data) | {
        "_id": request_id,
        "createdAt": now,
        "timeoutAt": timeout_at,
        "timeoutJobId": timeout_id,
        "processJobId": process_id,
    }
    await ctx.db.internal_collection("requests").insert_one(document)
    return request_from(document)


def sample_request(owner: str | None, data: Json) -> dict[str, Any]:
    """Build a document of the size of a pending request; its ids and times are samples."""
    return {
        "_id": SAMPLE_ID,
        "owner": owner,
        "state": RequestState.PENDING.value,
        "data": data,
        "result": None,
        "createdAt": EPOCH,
        "timeoutAt": EPOCH,
        "completedAt": None,
        "timeoutJobId": SAMPLE_ID,
        "processJobId": SAMPLE_ID,
        "version": 1,
    }


@mutation(internal=True)
async def timeout(ctx: Context, request_id: str) -> bool:
    """Time out a request; return False if it has ended or was extended."""
    found = await ctx.db.ostinato("requests").find_one(_pending(ctx, request_id))
    if found is None or await effective_now(ctx) < found["timeoutAt"]:
        return False
    await end(ctx, found, {"state": RequestState.TIMEOUT.value})
    return True


@action(internal=True)
async def process(ctx: Context, request_id: str) -> None:
    """Call the registered handler and complete the request with its result.

    A result or an error after the timeout is kept as the late answer.
    """
    found = await ctx.run_mutation(read, {"requestId": request_id})
    if found is None:
        return
    handle = ctx.registry.request_handler or echo
    try:
        result = to_json_value(await handle(ctx, found["data"]), "result")
    except Exception as error:
        described = dict(refusal_document(error))
        await ctx.run_mutation(fail, {"requestId": request_id, "error": described})
        raise
    await ctx.run_mutation(complete, {"requestId": request_id, "result": result})


async def echo(ctx: Context, data: Json) -> Json:
    """Return the request's data as its result; raise if the data has `fail: true`, for demos."""
    if isinstance(data, dict) and data.get("fail") is True:
        raise RuntimeError("the request's data has fail: true")
    return data


def _delay_ms_of(data: Json) -> int:
    """Return the data's `delayMs` (at most 60,000), for demos; 0 if it has none.

    A handler that waited for it would hold a worker's slot.
    """
    delay_ms = data.get("delayMs") if isinstance(data, dict) else None
    if isinstance(delay_ms, int | float) and delay_ms > 0:
        return int(min(delay_ms, MAX_DELAY_MS))
    return 0


@mutation(internal=True)
async def read(ctx: Context, request_id: str) -> dict[str, JsonValue] | None:
    """Return the data of a pending request; None if it has ended."""
    found = await ctx.db.ostinato("requests").find_one(_pending(ctx, request_id), {"data": 1})
    return {"data": found["data"]} if found else None


@mutation(internal=True)
async def complete(ctx: Context, request_id: str, result: JsonValue) -> bool:
    """Complete a request; return whether it was still pending."""
    return await _answer_once(ctx, request_id, Answer(result=result))


@mutation(internal=True)
async def fail(ctx: Context, request_id: str, error: dict[str, JsonValue] | None = None) -> bool:
    """Fail a request whose handler raised; return whether it was still pending."""
    return await _answer_once(ctx, request_id, Answer(error=error or dict(NO_RESULT)))


async def _answer_once(ctx: Context, request_id: str, given: Answer) -> bool:
    """Write the handler's answer; return False if the request has ended."""
    found = await ctx.db.ostinato("requests").find_one({"_id": request_id, "owner": ctx.owner})
    if found is None or not may_be_answered(found):
        return False
    ended = await answer(ctx, found, given)
    return bool(ended["state"] != RequestState.TIMEOUT)


async def delete_request(ctx: Context, request_id: str) -> Request:
    """Delete an ended request and return it; its jobs are kept.

    Raises NotFound, PreconditionFailed if it is pending.
    """
    found = await ctx.db.ostinato("requests").find_one({"_id": request_id, "owner": ctx.owner})
    if found is None:
        raise NotFound("there is no such request")
    if found["state"] == RequestState.PENDING.value:
        raise PreconditionFailed("the request is pending: wait until it has ended")
    await delete_document(ctx, "requests", found)
    return request_from(found)


async def repair_request(ctx: Context, request_id: str) -> bool:
    """End a request whose handler or timeout job is lost; return False if neither is."""
    found = await ctx.db.ostinato("requests").find_one(_pending(ctx, request_id))
    if found is None:
        return False
    if await ctx.now() < found["timeoutAt"]:
        job_id = found.get("processJobId")  # None: it waits for a person
        if job_id is None or await is_active(ctx, job_id):
            return False
        failed = {"state": RequestState.FAILED.value, "error": dict(NO_RESULT)}
        await end(ctx, found, failed)
        await cancel_if_active(ctx, found["timeoutJobId"])
        return True
    if await is_active(ctx, found["timeoutJobId"]):
        return False
    await end(ctx, found, {"state": RequestState.TIMEOUT.value})
    return True


def _pending(ctx: Context, request_id: str) -> dict[str, Any]:
    return {"_id": request_id, "owner": ctx.owner, "state": RequestState.PENDING.value}
