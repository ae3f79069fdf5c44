"""Queues: pausing, resuming, listing, and the options of scheduling."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.settings import Settings
from ostinato.jobs.worker.worker import WorkerRuntime
from tests.engine.functions import gate
from tests.engine.rig import Rig, run_worker, running_worker


async def schedule_in_queue(rig: Rig, name: str, queue: str) -> str:
    new_job = replace(await rig.build_job(name), queue=queue)
    return (await rig.engine.schedule(new_job)).id


@pytest.fixture
def fast_settings(fast_settings: Settings) -> Settings:
    return fast_settings.model_copy(update={"queues": ("default", "mail")})


async def test_jobs_of_a_paused_queue_stay_pending_until_it_is_resumed(rig: Rig) -> None:
    assert (await rig.engine.queues.pause("mail")).paused
    for _ in range(5):
        await rig.run("echo")
    job_id = await schedule_in_queue(rig, "echo", "mail")
    for _ in range(5):
        await rig.run("echo")
    assert (await rig.job(job_id))["attempt"] == 0
    assert not (await rig.engine.queues.resume("mail")).paused
    assert (await rig.wait_until_ended(job_id, within=30))["state"] == "success"


async def test_running_job_finishes_when_its_queue_is_paused(rig: Rig) -> None:
    running = await schedule_in_queue(rig, "hold", "mail")
    await gate.reached.wait()
    await rig.engine.queues.pause("mail")
    gate.opened.set()
    assert (await rig.wait_until_ended(running))["result"] == "let go"


async def test_job_queued_in_redis_does_not_start_after_its_queue_is_paused(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    async with running_worker(fast_settings.model_copy(update={"concurrency": 1})) as worker:
        ids = [await schedule_in_queue(rig_without_worker, "hold", "mail") for _ in range(10)]
        await gate.reached.wait()
        await rig_without_worker.engine.queues.pause("mail")
        await rig_without_worker.wait_until(
            lambda: worker.queue_settings.is_paused("mail"), within=30
        )
        gate.opened.set()
        await rig_without_worker.wait_until(lambda: worker.executor.taken_slots == 0)
        await rig_without_worker.run("echo")
    attempts = [(await rig_without_worker.job(job_id))["attempt"] for job_id in ids]
    assert sorted(attempts) == [0] * 9 + [1]


async def test_pause_takes_effect_soon_without_a_signal(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    async with running_worker(fast_settings) as worker:
        await rig_without_worker.run("echo")
        assert (
            await rig_without_worker.engine.queues.store.pause("mail")
        ).paused  # without a message
        await rig_without_worker.wait_until(
            lambda: worker.queue_settings.is_paused("mail"), within=30
        )
        job_id = await schedule_in_queue(rig_without_worker, "echo", "mail")
        await rig_without_worker.run("echo")
        assert (await rig_without_worker.job(job_id))["attempt"] == 0


async def test_a_pause_applies_to_workers_that_start_later(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    await rig_without_worker.engine.queues.pause("mail")
    job_id = await schedule_in_queue(rig_without_worker, "echo", "mail")
    async with run_worker(fast_settings):
        await rig_without_worker.run("echo")
        assert (await rig_without_worker.job(job_id))["attempt"] == 0


async def test_a_retry_in_a_paused_queue_waits(rig: Rig) -> None:
    new_job = replace(await rig.build_job("fail_twice"), queue="mail")
    job_id = (await rig.engine.schedule(new_job)).id
    await rig.wait_for_retry(job_id, 1)
    await rig.engine.queues.pause("mail")
    await rig.engine.advance(40 * 60_000)
    await rig.run("echo")
    assert (await rig.job(job_id))["attempt"] == 1


async def test_pausing_twice_changes_the_queue_once(rig_without_worker: Rig) -> None:
    first, second = [await rig_without_worker.engine.queues.pause("mail") for _ in range(2)]
    assert (first.version, second) == (1, first)
    resumed = await rig_without_worker.engine.queues.resume("mail", weight=4)
    assert (resumed.version, resumed.weight, resumed.paused) == (2, 4, False)


async def test_every_known_queue_is_listed_with_its_due_jobs_and_workers(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    await rig_without_worker.engine.queues.resume("quiet", weight=2)
    for queue in ("mail", "mail", "other"):
        await schedule_in_queue(rig_without_worker, "echo", queue)
    async with WorkerRuntime.open(fast_settings):
        seen = [
            (queue.name, queue.pending_due, queue.workers)
            for queue in await rig_without_worker.engine.queues.find(10)
        ]
    assert seen == [("default", 0, 1), ("mail", 2, 1), ("other", 1, 0), ("quiet", 0, 0)]


async def test_a_function_schedules_with_queue_priority_and_timeout(
    rig_without_worker: Rig,
) -> None:
    options = {"queue": "mail", "priority": 7, "timeout_ms": 5_000}
    job_id = await rig_without_worker.engine.transact(
        "ann",
        lambda ctx: ctx.scheduler.run_after(
            0, "functions.echo", queue="mail", priority=7, timeout_ms=5_000
        ),
    )
    job = await rig_without_worker.job(job_id)
    assert {name: job[name] for name in ("queue", "priority")} == {
        name: options[name] for name in ("queue", "priority")
    }
    assert (job["timeoutMs"], job["lane"]) == (5_000, "mail/:7")


async def test_all_options_out_of_range_are_reported_together(rig_without_worker: Rig) -> None:
    with pytest.raises(BadRequest) as raised:
        await rig_without_worker.engine.transact(
            "ann",
            lambda ctx: ctx.scheduler.run_after(
                0, "functions.echo", queue="No Queue", priority=10, timeout_ms=0
            ),
        )
    paths = [issue.path for issue in raised.value.issues]
    assert paths == [("queue",), ("priority",), ("timeoutMs",)]


async def test_the_leader_logs_an_unserved_queue_with_due_jobs_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.jobs.maintenance.sweeper.SLOW_SWEEP_EVERY", 10**9)
    later = replace(await rig.build_job("echo"), queue="later")
    await rig.schedule_at(later, later.scheduled_time + timedelta(hours=1))
    await schedule_in_queue(rig, "echo", "other")
    with capture_logs() as lines:
        for _ in range(3):
            await rig.engine.queues.report_unserved()
    named = [line["queue"] for line in lines if line["event"] == "queue.not_served"]
    assert named == ["other"]
