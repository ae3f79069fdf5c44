"""A MongoDB outage longer than every lease loses no job, and declares no worker lost."""

import asyncio
import time
from collections.abc import AsyncIterator, MutableMapping, Sequence
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.async_tools.backoff import Backoff
from ostinato.jobs.mongo.client import Mongo, Session
from ostinato.jobs.mongo.function_db import FunctionDatabase
from ostinato.jobs.mongo.transaction import Contended, run_transaction
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.main import _run_once
from tests.engine.functions import gate
from tests.engine.proxy import Proxy
from tests.engine.rig import Rig, run_worker
from tests.processes import eventually

OUTAGE_S = 4.0  # longer than the lease and the grace period of `fast_settings`


@pytest.fixture
async def worker_proxy(fast_settings: Settings, mongo_proxy: Proxy) -> AsyncIterator[Proxy]:
    """Run a worker that connects to MongoDB through a proxy."""
    async with run_worker(fast_settings.model_copy(update={"mongo_url": mongo_proxy.url})):
        yield mongo_proxy
        mongo_proxy.heal()


@pytest.fixture
async def mongo(fast_settings: Settings, mongo_proxy: Proxy) -> AsyncIterator[Mongo]:
    """Return a connection that goes through the proxy."""
    mongo = Mongo.connect(fast_settings.model_copy(update={"mongo_url": mongo_proxy.url}), "test")
    await mongo.ping()
    yield mongo
    mongo_proxy.heal()
    await mongo.ping()
    await mongo.sessions.close()
    await asyncio.to_thread(mongo.close)


def events_of(logs: Sequence[MutableMapping[str, Any]], event: str) -> list[Any]:
    return [line for line in logs if line["event"] == event]


async def end_outage(rig: Rig, worker_proxy: Proxy) -> None:
    end = time.monotonic() + OUTAGE_S
    await rig.wait_until(lambda: time.monotonic() > end)
    worker_proxy.heal()


@pytest.mark.parametrize("failure", ["cut", "stall"])
async def test_mongodb_outage_loses_no_job_and_no_worker(
    rig_without_worker: Rig, worker_proxy: Proxy, failure: str
) -> None:
    running = [await rig_without_worker.schedule(name) for name in ("hold", "hold_in_mutation")]
    await rig_without_worker.wait_until(lambda: gate.visits == 2)
    getattr(worker_proxy, failure)()
    pending = [await rig_without_worker.schedule("echo") for _ in range(20)]
    gate.opened.set()
    await end_outage(rig_without_worker, worker_proxy)
    jobs = [await rig_without_worker.wait_until_ended(job_id) for job_id in [*running, *pending]]
    assert [job["state"] for job in jobs] == ["success"] * 22, jobs[1]
    assert jobs[0]["attempt"] == 1
    errors = [
        event["error"]["name"] for job in jobs for event in job["timeline"] if "error" in event
    ]
    assert "WorkerLost" not in errors
    assert len(await rig_without_worker.all("effects")) == 1


async def test_mutation_that_times_out_after_an_outage_runs_again(
    mongo: Mongo, mongo_proxy: Proxy
) -> None:
    began = time.monotonic()

    async def body(session: Session) -> None:
        mongo_proxy.cut()
        await eventually(lambda: mongo.primary_monitor.was_unavailable_since(began))
        mongo_proxy.heal()
        await asyncio.Event().wait()

    with pytest.raises(Contended, match="no primary"):
        await run_transaction(mongo, body, 1.5)


async def test_mutation_waiting_for_an_unresponsive_database_may_run_again(
    mongo: Mongo, mongo_proxy: Proxy
) -> None:
    async def body(session: Session) -> None:
        mongo_proxy.stall()
        asyncio.get_running_loop().call_later(1.0, mongo_proxy.heal)
        await FunctionDatabase(mongo, session)["effects"].insert_one({"_id": "one"})

    with pytest.raises(Contended, match="had not responded"):
        await run_transaction(mongo, body, 0.5)


async def test_abandoned_write_is_not_applied_outside_its_transaction(
    rig_without_worker: Rig, mongo: Mongo, mongo_proxy: Proxy
) -> None:
    async def body(session: Session) -> None:
        mongo_proxy.cut()
        await eventually(lambda: not mongo.client.delegate.nodes)
        await FunctionDatabase(mongo, session)["effects"].insert_one({"_id": "one"})

    with pytest.raises(Contended):
        await run_transaction(mongo, body, 0.5)
    mongo_proxy.heal()
    await mongo.ping()
    await mongo.sessions.close()
    assert await rig_without_worker.all("effects") == []


@pytest.fixture
def _patient_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the driver wait for a server for longer than any deadline of a test."""
    monkeypatch.setattr("ostinato.jobs.mongo.client.SERVER_SELECTION_TIMEOUT_MS", 120_000)


@pytest.mark.usefixtures("_patient_driver")
async def test_leaving_a_transaction_during_an_outage_does_not_block(
    mongo: Mongo, mongo_proxy: Proxy
) -> None:
    async def body(session: Session) -> None:
        await mongo["effects"].insert_one({"_id": "one"}, session=session)
        mongo_proxy.cut()
        await asyncio.Event().wait()

    async with asyncio.timeout(30):
        with pytest.raises(Contended):
            await run_transaction(mongo, body, 0.5)


async def test_unanswered_commit_may_run_again(mongo: Mongo, mongo_proxy: Proxy) -> None:
    async def body(session: Session) -> None:
        await mongo["effects"].insert_one({"_id": "one"}, session=session)
        mongo_proxy.stall()
        asyncio.get_running_loop().call_later(1.0, mongo_proxy.heal)

    with pytest.raises(Contended, match="had not responded"):
        await run_transaction(mongo, body, 0.5)


async def test_mutation_that_conflicts_until_its_timeout_runs_again(rig: Rig) -> None:
    counters, where = rig.engine.mongo["counters"], {"_id": "one"}
    await counters.insert_one({**where, "value": 0})
    async with await rig.engine.mongo.client.start_session() as session:
        session.start_transaction()
        await counters.update_one(where, {"$set": {"value": 10}}, session=session)
        job_id = await rig.schedule("conflict_once")
        await rig.wait_for_retry(job_id, 1)
        await session.commit_transaction()
    await rig.engine.advance(1_000)
    job = await rig.wait_until_ended(job_id)
    assert (job["state"], job["result"], job["attempt"]) == ("success", 11, 2)
    assert job["timeline"][2]["error"]["name"] == "Contended"


async def test_mutation_without_a_reachable_server_runs_again(rig: Rig) -> None:
    job_id = await rig.schedule("insert_effect", name="one", behavior="no server")
    await rig.wait_for_retry(job_id, 1)
    await rig.engine.advance(1_000)
    job = await rig.wait_until_ended(job_id)
    assert (job["state"], job["attempt"]) == ("success", 2)
    assert [effect["name"] for effect in await rig.all("effects")] == ["one"]


async def test_worker_that_starts_during_an_outage_starts_again(
    fast_settings: Settings, mongo_proxy: Proxy
) -> None:
    settings = fast_settings.model_copy(update={"mongo_url": mongo_proxy.url})
    stop, backoff = asyncio.Event(), Backoff(0.001, 1.0)
    mongo_proxy.cut()
    with capture_logs() as logs:
        await _run_once(settings, stop, backoff)
        mongo_proxy.heal()
        stop.set()
        await _run_once(settings, stop, backoff)
    events = [line["event"] for line in logs]
    assert [event for event in events if event.startswith("worker.")] == [
        "worker.not_started",
        "worker.started",
        "worker.stopped",
    ]
    assert backoff.next_s() == 0.001


@pytest.mark.slow
async def test_outcome_that_mongodb_does_not_acknowledge_before_the_exit_is_logged(
    rig_without_worker: Rig, fast_settings: Settings, mongo_proxy: Proxy
) -> None:
    job_id = await rig_without_worker.schedule("hold")
    with capture_logs() as logs:
        async with run_worker(fast_settings.model_copy(update={"mongo_url": mongo_proxy.url})):
            await gate.reached.wait()
            mongo_proxy.cut()
            gate.opened.set()
            unanswered = partial(events_of, logs, "outcome.unanswered")
            await rig_without_worker.wait_until(unanswered)
        mongo_proxy.heal()
    (line,) = events_of(logs, "outcome.given_up")
    assert (line["job_id"], line["attempt"], line["transition"]) == (job_id, 1, "succeed")
    assert line["error"] == "MongoDB did not acknowledge it within 2 s"
