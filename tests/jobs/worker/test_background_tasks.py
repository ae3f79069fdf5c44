"""Background tasks of a worker: each is restarted after an unexpected exception."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.arq_queue import consumer, notifier
from ostinato.jobs.arq_queue.chunk_queue import ChunkQueue
from ostinato.jobs.mongo.due_jobs import DueJobs
from ostinato.jobs.mongo.job_store import JobStore
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.poisoned_jobs import PoisonedJobs
from ostinato.jobs.mongo.queues import QueueStore
from ostinato.jobs.mongo.sweeps import OrphanFinder
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Settings
from tests.engine.rig import Rig, run_worker

CALLED_BY_TASK: Final[dict[str, tuple[object, str]]] = {
    "heartbeat": (WorkerStore, "heartbeat"),
    "election": (WorkerStore, "acquire_leadership"),
    "fleet": (WorkerStore, "read_fleet"),
    "rescuer": (WorkerStore, "find_unregistered_holders"),
    "queue settings": (QueueStore, "all"),
    "reconciler": (JobStore, "find_leases"),
    "dispatcher": (ChunkQueue, "queued"),
    "candidates": (DueJobs, "lane_heads"),
    "sweeper": (OrphanFinder, "_without_job"),
    "listener": (notifier, "_signals_in"),
    "consumer": (consumer._ArqWorker, "_poll_iteration"),
}
"""The function that each task calls; its first calls raise in the test."""
FAILURES: Final = 2


class FailingFirst:
    """Raises in its first calls, and then calls the real function."""

    def __init__(
        self,
        real: Callable[..., Any],
        error: type[Exception] = ArithmeticError,
        times: int = FAILURES,
    ) -> None:
        self.real = real
        self.error = error
        self.times = times
        self.raised = 0

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.raised < self.times:
            self.raised += 1
            raise self.error("a bug")
        return self.real(*args, **options)


@pytest.mark.parametrize("name", CALLED_BY_TASK)
async def test_background_task_continues_after_an_exception(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    owner, method = CALLED_BY_TASK[name]
    assert (await rig.run("echo", value=1))["state"] == "success"
    (before,) = await rig.all("workers")
    failing = FailingFirst(getattr(owner, method))
    with capture_logs() as logs:
        monkeypatch.setattr(owner, method, lambda *args, **options: failing(*args, **options))
        await rig.wait_until(lambda: failing.raised == FAILURES, within=30)
        job_id = await rig.schedule("echo", value=2)
        assert (await rig.wait_until_ended(job_id, within=30))["state"] == "success"
    (after,) = await rig.all("workers")
    assert after["_id"] == before["_id"]
    assert "error" in {line["log_level"] for line in logs}, logs


async def test_outcome_is_written_after_an_exception_in_its_first_write(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = FailingFirst(OutcomeStore.write)
    monkeypatch.setattr(OutcomeStore, "write", lambda *args: failing(*args))
    with capture_logs() as logs:
        job = await rig.run("echo", value=1)
    assert (job["state"], job["attempt"], failing.raised) == ("success", 1, FAILURES)
    assert "outcome.rejected" in {line["event"] for line in logs}


async def test_slow_failure_write_does_not_delay_jobs_of_the_same_claim(
    rig_without_worker: Rig, fast_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = [await rig_without_worker.schedule("echo", value=n) for n in range(2)]
    await rig_without_worker.engine.mongo["jobs"].update_one(
        {"_id": bad}, {"$set": {"cause": None}}
    )
    failing = FailingFirst(PoisonedJobs.fail, TimeoutError, times=1)
    monkeypatch.setattr(PoisonedJobs, "fail", lambda *args: failing(*args))
    async with run_worker(fast_settings):
        assert (await rig_without_worker.wait_until_ended(good, within=30))["attempt"] == 1
    assert failing.raised == 1
