"""Requests: either completed before their timeout or ended by it."""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from bson import Decimal128, ObjectId

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.functions.requests import create_with_timeout, repair_request
from ostinato.jobs.records import CauseKind, JobState, Json, Request, RequestState
from ostinato.jobs.settings import Settings
from tests.jobs.functions.pattern_rig import MINUTE, SECOND, PatternRig, running_rig
from tests.jobs.functions.work import answer, faults, gate
from tests.processes import eventually

TIMEOUT, PROCESS = "requests.timeout", "requests.process"


async def create(rig: PatternRig, data: Json = "hello", timeout_ms: int = 30 * SECOND) -> Request:
    return await rig.run_mutation(lambda ctx: create_with_timeout(ctx, data, timeout_ms))


@pytest.fixture
def slow_handler(rig: PatternRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the request handler wait at the gate."""
    monkeypatch.setattr(rig.engine.registry, "request_handler", answer)


async def test_one_transaction_creates_the_request_and_both_jobs(
    rig_without_worker: PatternRig,
) -> None:
    request = await create(rig_without_worker)
    process, timeout = await rig_without_worker.jobs()
    assert (process.function_name, timeout.function_name) == (PROCESS, TIMEOUT)
    assert timeout.scheduled_time == request.timeout_at
    assert request.timeout_at - request.created_at >= timedelta(seconds=30)
    for job in (process, timeout):
        assert (job.internal, job.cause.kind, job.cause.id) == (True, CauseKind.REQUEST, request.id)


async def test_an_aborted_transaction_creates_no_request_and_no_job(
    rig_without_worker: PatternRig,
) -> None:
    async def body(ctx: Any) -> None:
        await create_with_timeout(ctx, {}, SECOND)
        raise RuntimeError("aborted")

    with pytest.raises(RuntimeError):
        await rig_without_worker.run_mutation(body)
    assert (await rig_without_worker.jobs(), await rig_without_worker.all("requests")) == (
        [],
        [],
    )


async def test_a_request_is_completed_with_the_result_of_its_handler(rig: PatternRig) -> None:
    request = await create(rig, {"question": 6})
    await rig.wait_until_settled()
    document = await rig.find_one("requests", _id=request.id)
    assert (document["state"], document["result"]) == (RequestState.COMPLETED, {"question": 6})
    assert document["completedAt"] is not None


@pytest.mark.parametrize(
    ("returned", "state", "result"),
    [
        (HTTPStatus.OK, RequestState.COMPLETED, 200),
        (ObjectId("0123456789abcdef01234567"), RequestState.COMPLETED, "0123456789abcdef01234567"),
        (Decimal128("1.1"), RequestState.FAILED, None),
        (object(), RequestState.FAILED, None),
    ],
)
async def test_the_result_of_a_handler_is_stored_as_json_or_fails_the_request(
    rig: PatternRig,
    monkeypatch: pytest.MonkeyPatch,
    returned: Any,
    state: RequestState,
    result: Json,
) -> None:
    async def handle(*_: object) -> Any:
        return returned

    monkeypatch.setattr(rig.engine.registry, "request_handler", handle)
    request = await create(rig)
    await rig.wait_until_settled()
    document = await rig.find_one("requests", _id=request.id)
    assert (document["state"], document["result"]) == (state, result)


async def test_a_completed_request_cancels_its_timeout(rig: PatternRig) -> None:
    await create(rig)
    await rig.wait_until_settled()
    [timeout] = await rig.jobs(TIMEOUT)
    assert timeout.state is JobState.CANCELED


async def test_data_cannot_overwrite_state_or_owner(rig: PatternRig) -> None:
    request = await create(rig, {"state": "timeout", "owner": "bob", "status": "x"})
    await rig.wait_until_settled()
    document = await rig.find_one("requests", _id=request.id)
    assert (document["state"], document["owner"]) == (RequestState.COMPLETED, "alice")


@pytest.mark.usefixtures("slow_handler")
async def test_a_pending_request_times_out(rig: PatternRig) -> None:
    request = await create(rig)
    await gate.reached.wait()
    await rig.engine.advance(30 * SECOND)
    document = await eventually(lambda: ended_request(rig, request))
    assert (document["state"], document["result"]) == (RequestState.TIMEOUT, None)


@pytest.mark.usefixtures("slow_handler")
@pytest.mark.parametrize("fails", [False, True])
async def test_an_answer_of_the_handler_after_the_timeout_is_kept_as_late(
    rig: PatternRig, fails: bool
) -> None:
    faults["answer"] = int(fails)
    request = await create(rig)
    await gate.reached.wait()
    await rig.engine.advance(30 * SECOND)
    timed_out = await eventually(lambda: ended_request(rig, request))
    gate.opened.set()
    await rig.wait_until_settled()
    document = await rig.find_one("requests", _id=request.id)
    late = document.pop("late")
    error = {"name": "ConnectionError", "message": "answer failed on request"} if fails else None
    assert (late["by"], late["error"]) == (None, error)
    assert document.pop("lateAnswer") == (None if fails else {"answer": "hello"})
    assert document == timed_out | {"version": 3}


@pytest.mark.usefixtures("slow_handler")
async def test_a_result_before_the_timeout_completes_the_request(rig: PatternRig) -> None:
    request = await create(rig)
    await gate.reached.wait()
    gate.opened.set()
    await rig.wait_until_settled()
    await rig.schedule(TIMEOUT, {"requestId": request.id})
    await rig.advance(30 * SECOND)
    document = await rig.find_one("requests", _id=request.id)
    assert (document["state"], document["version"]) == (RequestState.COMPLETED, 2)


async def test_a_handler_that_raises_fails_its_request(rig: PatternRig) -> None:
    request = await create(rig, {"fail": True})
    await rig.wait_until_settled()
    document = await rig.find_one("requests", _id=request.id)
    failure = await rig.find_one("failures", functionName=PROCESS)
    assert document["state"] == RequestState.FAILED
    assert (failure["owner"], failure["error"]["name"]) == ("alice", "RuntimeError")


async def test_a_request_that_has_timed_out_is_not_processed(
    rig_without_worker: PatternRig, pattern_settings: Settings
) -> None:
    request = await create(rig_without_worker, {"fail": True})
    ended_early = {"$set": {"state": "timeout"}}
    await rig_without_worker.engine.mongo["requests"].update_one({"_id": request.id}, ended_early)
    async with running_rig(pattern_settings) as rig:
        await rig.wait_until_settled()
        [process] = await rig.jobs(PROCESS)
        assert process.state is JobState.SUCCESS


async def test_delayed_requests_hold_no_slot(pattern_settings: Settings) -> None:
    async with running_rig(pattern_settings.model_copy(update={"concurrency": 1})) as rig:
        delayed = [await create(rig, {"delayMs": MINUTE}, 2 * MINUTE) for _ in range(3)]
        prompt = await create(rig, "prompt")
        await eventually(lambda: rig.all("requests", _id=prompt.id, state="completed"))

        async def none_is_running() -> bool:
            return not await rig.jobs(PROCESS, state="inProgress")

        await eventually(none_is_running)
        assert len(await rig.all("requests", state="pending")) == len(delayed)
        await rig.advance(MINUTE)
        ended = await rig.all("requests", state="completed")
        assert {request["_id"] for request in ended} == {one.id for one in (*delayed, prompt)}


@pytest.mark.parametrize(
    ("data", "delay"),
    [
        ({"delayMs": 1_500}, 1.5),
        ({"delayMs": 2 * MINUTE}, 60),
        ({"delayMs": float("inf")}, 60),
        ({"delayMs": float("nan")}, 0),
        ({"delayMs": -1}, 0),
        ({"delayMs": "1000"}, 0),
        ("hello", 0),
    ],
)
async def test_a_request_without_a_handler_is_processed_after_its_delay(
    rig_without_worker: PatternRig, data: Json, delay: float
) -> None:
    request = await create(rig_without_worker, data)
    [process] = await rig_without_worker.jobs(PROCESS)
    scheduled_after = process.scheduled_time - request.created_at
    assert timedelta(0) <= scheduled_after - timedelta(seconds=delay) < timedelta(seconds=30)


async def test_a_handler_receives_its_request_without_a_delay(
    rig_without_worker: PatternRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig_without_worker.engine.registry, "request_handler", answer)
    request = await create(rig_without_worker, {"delayMs": MINUTE})
    [process] = await rig_without_worker.jobs(PROCESS)
    assert process.scheduled_time - request.created_at < timedelta(seconds=30)


async def test_concurrent_completions_and_timeouts_end_a_request_once(rig: PatternRig) -> None:
    request = await create(rig, {"delayMs": 50})
    args = {"requestId": request.id}
    complete = {**args, "result": 1}
    await asyncio.gather(
        *(rig.schedule("requests.complete", complete) for _ in range(3)),
        *(rig.schedule(TIMEOUT, args) for _ in range(3)),
    )
    await rig.wait_until_settled()
    assert (await rig.find_one("requests", _id=request.id))["version"] == 2


@pytest.mark.parametrize("timeout_ms", [-1, 0, 366 * 24 * 60 * MINUTE])
async def test_a_timeout_out_of_range_is_rejected(
    rig_without_worker: PatternRig, timeout_ms: int
) -> None:
    with pytest.raises(BadRequest) as raised:
        await create(rig_without_worker, timeout_ms=timeout_ms)
    assert raised.value.issues[0].path == ("timeoutMs",)


async def test_a_request_with_a_lost_timeout_is_ended_once(rig_without_worker: PatternRig) -> None:
    request = await create(rig_without_worker)
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_request(ctx, request.id))
    await rig_without_worker.engine.advance(MINUTE)
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_request(ctx, request.id))
    await rig_without_worker.engine.mongo["jobs"].delete_many({})
    assert await rig_without_worker.run_mutation(lambda ctx: repair_request(ctx, request.id))
    assert not await rig_without_worker.run_mutation(lambda ctx: repair_request(ctx, request.id))
    assert (await rig_without_worker.find_one("requests", _id=request.id))[
        "state"
    ] == RequestState.TIMEOUT


async def test_a_request_whose_handler_was_canceled_fails(
    rig: PatternRig, slow_handler: None
) -> None:
    request = await create(rig, timeout_ms=60 * MINUTE)
    handling = {"functionName": PROCESS, "state": "inProgress"}
    [job] = await eventually(lambda: rig.all("jobs", **handling))
    await rig.engine.cancel(job["_id"])
    await eventually(lambda: rig.all("jobs", _id=job["_id"], state="canceled"))
    await rig.engine.advance(MINUTE)
    await eventually(lambda: rig.all("requests", _id=request.id, state="failed"))


async def test_sweeper_recovers_a_lost_timeout(rig: PatternRig, slow_handler: None) -> None:
    request = await create(rig)
    await rig.engine.mongo["jobs"].delete_one({"functionName": TIMEOUT})
    await rig.engine.advance(MINUTE)
    await eventually(lambda: rig.all("requests", _id=request.id, state="timeout"))
    gate.opened.set()


async def ended_request(rig: PatternRig, request: Request) -> dict[str, Any] | None:
    document = await rig.find_one("requests", _id=request.id)
    return None if document["state"] == RequestState.PENDING else document
