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
from tests.jobs.functions.work import answer, faults, gate
from tests.jobs.functions.world import MINUTE, SECOND, World, running_world
from tests.processes import eventually

TIMEOUT, PROCESS = "requests.timeout", "requests.process"


async def create(world: World, data: Json = "hello", timeout_ms: int = 30 * SECOND) -> Request:
    return await world.do(lambda ctx: create_with_timeout(ctx, data, timeout_ms))


@pytest.fixture
def slow_handler(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the request handler wait at the gate."""
    monkeypatch.setattr(world.engine.registry, "request_handler", answer)


async def test_one_transaction_creates_the_request_and_both_jobs(
    world_without_worker: World,
) -> None:
    request = await create(world_without_worker)
    process, timeout = await world_without_worker.jobs()
    assert (process.function_name, timeout.function_name) == (PROCESS, TIMEOUT)
    assert timeout.scheduled_time == request.timeout_at
    assert request.timeout_at - request.created_at >= timedelta(seconds=30)
    for job in (process, timeout):
        assert (job.internal, job.cause.kind, job.cause.id) == (True, CauseKind.REQUEST, request.id)


async def test_an_aborted_transaction_creates_no_request_and_no_job(
    world_without_worker: World,
) -> None:
    async def body(ctx: Any) -> None:
        await create_with_timeout(ctx, {}, SECOND)
        raise RuntimeError("aborted")

    with pytest.raises(RuntimeError):
        await world_without_worker.do(body)
    assert (await world_without_worker.jobs(), await world_without_worker.all("requests")) == (
        [],
        [],
    )


async def test_a_request_is_completed_with_the_result_of_its_handler(world: World) -> None:
    request = await create(world, {"question": 6})
    await world.settled()
    document = await world.one("requests", _id=request.id)
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
    world: World, monkeypatch: pytest.MonkeyPatch, returned: Any, state: RequestState, result: Json
) -> None:
    async def give(*_: object) -> Any:
        return returned

    monkeypatch.setattr(world.engine.registry, "request_handler", give)
    request = await create(world)
    await world.settled()
    document = await world.one("requests", _id=request.id)
    assert (document["state"], document["result"]) == (state, result)


async def test_a_completed_request_cancels_its_timeout(world: World) -> None:
    await create(world)
    await world.settled()
    [timeout] = await world.jobs(TIMEOUT)
    assert timeout.state is JobState.CANCELED


async def test_data_cannot_overwrite_state_or_owner(world: World) -> None:
    request = await create(world, {"state": "timeout", "owner": "bob", "status": "x"})
    await world.settled()
    document = await world.one("requests", _id=request.id)
    assert (document["state"], document["owner"]) == (RequestState.COMPLETED, "alice")


@pytest.mark.usefixtures("slow_handler")
async def test_a_pending_request_times_out(world: World) -> None:
    request = await create(world)
    await gate.reached.wait()
    await world.engine.advance(30 * SECOND)
    document = await eventually(lambda: ended(world, request))
    assert (document["state"], document["result"]) == (RequestState.TIMEOUT, None)


@pytest.mark.usefixtures("slow_handler")
async def test_a_result_after_the_timeout_changes_nothing(world: World) -> None:
    request = await create(world)
    await gate.reached.wait()
    await world.engine.advance(30 * SECOND)
    timed_out = await eventually(lambda: ended(world, request))
    gate.opened.set()
    await world.settled()
    assert await world.one("requests", _id=request.id) == timed_out
    assert (await world.jobs(PROCESS))[0].state is JobState.SUCCESS


@pytest.mark.usefixtures("slow_handler")
async def test_an_error_after_the_timeout_changes_nothing(world: World) -> None:
    faults["answer"] = 1
    request = await create(world)
    await gate.reached.wait()
    await world.engine.advance(30 * SECOND)
    timed_out = await eventually(lambda: ended(world, request))
    gate.opened.set()
    await world.settled()
    assert await world.one("requests", _id=request.id) == timed_out


@pytest.mark.usefixtures("slow_handler")
async def test_a_result_before_the_timeout_completes_the_request(world: World) -> None:
    request = await create(world)
    await gate.reached.wait()
    gate.opened.set()
    await world.settled()
    await world.schedule(TIMEOUT, {"requestId": request.id})
    await world.advance(30 * SECOND)
    document = await world.one("requests", _id=request.id)
    assert (document["state"], document["version"]) == (RequestState.COMPLETED, 2)


async def test_a_handler_that_raises_fails_its_request(world: World) -> None:
    request = await create(world, {"fail": True})
    await world.settled()
    document = await world.one("requests", _id=request.id)
    failure = await world.one("failures", functionName=PROCESS)
    assert document["state"] == RequestState.FAILED
    assert (failure["owner"], failure["error"]["name"]) == ("alice", "RuntimeError")


async def test_a_request_that_has_timed_out_is_not_processed(
    world_without_worker: World, pattern_settings: Settings
) -> None:
    request = await create(world_without_worker, {"fail": True})
    ended_early = {"$set": {"state": "timeout"}}
    await world_without_worker.engine.mongo["requests"].update_one({"_id": request.id}, ended_early)
    async with running_world(pattern_settings) as world:
        await world.settled()
        [process] = await world.jobs(PROCESS)
        assert process.state is JobState.SUCCESS


async def test_concurrent_completions_and_timeouts_end_a_request_once(world: World) -> None:
    request = await create(world, {"delayMs": 50})
    args = {"requestId": request.id}
    complete = {**args, "result": 1}
    await asyncio.gather(
        *(world.schedule("requests.complete", complete) for _ in range(3)),
        *(world.schedule(TIMEOUT, args) for _ in range(3)),
    )
    await world.settled()
    assert (await world.one("requests", _id=request.id))["version"] == 2


@pytest.mark.parametrize("timeout_ms", [-1, 0, 366 * 24 * 60 * MINUTE])
async def test_a_timeout_out_of_range_is_rejected(
    world_without_worker: World, timeout_ms: int
) -> None:
    with pytest.raises(BadRequest) as raised:
        await create(world_without_worker, timeout_ms=timeout_ms)
    assert raised.value.issues[0].path == ("timeoutMs",)


async def test_a_request_with_a_lost_timeout_is_ended_once(world_without_worker: World) -> None:
    request = await create(world_without_worker)
    assert not await world_without_worker.do(lambda ctx: repair_request(ctx, request.id))
    await world_without_worker.engine.advance(MINUTE)
    assert not await world_without_worker.do(lambda ctx: repair_request(ctx, request.id))
    await world_without_worker.engine.mongo["jobs"].delete_many({})
    assert await world_without_worker.do(lambda ctx: repair_request(ctx, request.id))
    assert not await world_without_worker.do(lambda ctx: repair_request(ctx, request.id))
    assert (await world_without_worker.one("requests", _id=request.id))[
        "state"
    ] == RequestState.TIMEOUT


async def test_a_request_whose_handler_was_canceled_fails(world: World, slow_handler: None) -> None:
    request = await create(world, timeout_ms=60 * MINUTE)
    handling = {"functionName": PROCESS, "state": "inProgress"}
    [job] = await eventually(lambda: world.all("jobs", **handling))
    await world.engine.cancel(job["_id"])
    await eventually(lambda: world.all("jobs", _id=job["_id"], state="canceled"))
    await world.engine.advance(MINUTE)
    await eventually(lambda: world.all("requests", _id=request.id, state="failed"))


async def test_sweeper_recovers_a_lost_timeout(world: World, slow_handler: None) -> None:
    request = await create(world)
    await world.engine.mongo["jobs"].delete_one({"functionName": TIMEOUT})
    await world.engine.advance(MINUTE)
    await eventually(lambda: world.all("requests", _id=request.id, state="timeout"))
    gate.opened.set()


async def ended(world: World, request: Request) -> dict[str, Any] | None:
    document = await world.one("requests", _id=request.id)
    return None if document["state"] == RequestState.PENDING else document
