"""Work starts at a signal or at the next due time, and by timers when a signal was lost."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from ostinato.jobs.arq_queue.notifier import Signal
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.mongo.stored_json import encode_document
from ostinato.jobs.new_job import NewJob
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.worker import WorkerRuntime
from tests.engine.functions import gate
from tests.engine.rig import Rig, run_worker, running_worker

HOUR_S = 3_600.0
MADE_DUE = [{"$set": {"scheduledTime": "$$NOW"}}]


@pytest.fixture
def hourly_polling(fast_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings; workers in this process poll once an hour."""
    monkeypatch.setattr("ostinato.jobs.dispatch.dispatcher.POLL_INTERVAL_S", HOUR_S)
    monkeypatch.setattr("ostinato.jobs.dispatch.queue_settings.REFRESH_INTERVAL_S", HOUR_S)
    monkeypatch.setattr("ostinato.jobs.arq_queue.consumer.POLL_INTERVAL_S", HOUR_S)
    return fast_settings.model_copy(
        update={"functions": (*fast_settings.functions, "tests.engine.limited")}
    )


@pytest.fixture
async def slow_polling(hourly_polling: Settings, rig_without_worker: Rig) -> AsyncIterator[Rig]:
    """Return an installation whose worker polls once an hour."""
    async with run_worker(hourly_polling):
        await rig_without_worker.run("echo")
        yield rig_without_worker


async def far_job(rig: Rig) -> NewJob:
    """Return a new job that the dispatcher does not read yet."""
    new_job = await rig.build_job("echo")
    return replace(new_job, scheduled_time=new_job.scheduled_time + timedelta(days=1))


async def test_signal_starts_a_due_job(slow_polling: Rig) -> None:
    assert (await slow_polling.run("echo"))["state"] == "success"


async def test_signal_starts_all_due_jobs(slow_polling: Rig) -> None:
    new_job = await slow_polling.build_job("echo")
    documents = [build_job_document(new_job, new_job.scheduled_time, 9) for _ in range(2)]
    await slow_polling.engine.store.insert([encode_document(one) for one in documents])
    slow_polling.engine.notifier.notify(Signal.DUE)
    states = {
        (await slow_polling.wait_until_ended(document["_id"]))["state"] for document in documents
    }
    assert states == {"success"}


async def test_timer_starts_the_next_due_job(slow_polling: Rig) -> None:
    new_job = await slow_polling.build_job("echo")
    for delay_ms in (300, 600):
        due = new_job.scheduled_time + timedelta(milliseconds=delay_ms)
        for _ in range(2):  # a single job would be held before its due time
            await slow_polling.schedule_at(new_job, due)
    await slow_polling.wait_until(lambda: slow_polling.has_jobs("echo", "success", at_least=5))


async def test_retry_after_zero_runs_again_at_once(slow_polling: Rig) -> None:
    job = await slow_polling.run("request_retry", ms=0)
    assert (job["state"], job["attempt"]) == ("failed", 2)


@pytest.mark.parametrize("delay_ms", [-60_000, 200])
async def test_job_that_requests_a_retry_time_runs_again(slow_polling: Rig, delay_ms: int) -> None:
    when = await slow_polling.engine.now() + timedelta(milliseconds=delay_ms)
    assert (await slow_polling.run("request_retry", at=when.isoformat()))["attempt"] == 2


async def test_retry_due_soon_does_not_wait_for_a_poll(slow_polling: Rig) -> None:
    job_id = await slow_polling.schedule("fail_once")
    await gate.reached.wait()
    gate.opened.set()
    job = await slow_polling.wait_until_ended(job_id)
    assert (job["state"], job["attempt"]) == ("success", 2)


async def test_manually_retried_job_does_not_wait_for_a_poll(slow_polling: Rig) -> None:
    failed = await slow_polling.run("fail_with", message="no")
    await slow_polling.engine.changes.retry(failed["_id"])
    await slow_polling.wait_until(
        lambda: slow_polling.all("jobs", _id=failed["_id"], attempt=2, state="failed")
    )


async def test_start_delayed_by_a_rate_limit_does_not_wait_for_a_poll(slow_polling: Rig) -> None:
    ids = [await slow_polling.schedule("four_per_second") for _ in range(4)]
    assert {(await slow_polling.wait_until_ended(job_id))["state"] for job_id in ids} == {"success"}


async def test_pause_and_resume_do_not_wait_for_a_poll(
    hourly_polling: Settings, rig_without_worker: Rig
) -> None:
    async with running_worker(hourly_polling) as worker:
        await rig_without_worker.run("echo")
        await rig_without_worker.engine.queues.pause("default")
        await rig_without_worker.wait_until(lambda: worker.queue_settings.is_paused("default"))
        job_id = await rig_without_worker.schedule("echo")
        await rig_without_worker.engine.queues.resume("default")
        assert (await rig_without_worker.wait_until_ended(job_id))["state"] == "success"


async def test_released_job_does_not_wait_for_a_poll(
    slow_polling: Rig, fast_settings: Settings
) -> None:
    async with WorkerRuntime.open(fast_settings) as other:
        job_id = (await slow_polling.engine.schedule(await far_job(slow_polling))).id
        await slow_polling.engine.mongo["jobs"].update_one({"_id": job_id}, MADE_DUE)
        (claimed,) = await slow_polling.claim(job_id, other.id)
        await other.executor.hand_back_claim((job_id, claimed.info.attempt), 9)
        assert (await slow_polling.wait_until_ended(job_id))["attempt"] == 2


async def test_job_starts_at_the_next_poll_without_a_signal(rig: Rig) -> None:
    await rig.run("echo")
    new_job = await rig.build_job("echo")
    document = build_job_document(new_job, new_job.scheduled_time, 9)
    await rig.engine.store.insert([encode_document(document)])
    assert (await rig.wait_until_ended(document["_id"]))["state"] == "success"
