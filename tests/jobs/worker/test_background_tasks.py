"""Background tasks of a worker: each is restarted after an unexpected exception."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.arq_queue import consumer, notifier
from ostinato.jobs.arq_queue.chunk_queue import ChunkQueue
from ostinato.jobs.mongo.due_jobs import DueJobs
from ostinato.jobs.mongo.job_store import JobStore
from ostinato.jobs.mongo.orphans import OrphanFinder
from ostinato.jobs.mongo.outcomes import OutcomeStore
from ostinato.jobs.mongo.poisoned_jobs import PoisonedJobs
from ostinato.jobs.mongo.queues import QueueStore
from ostinato.jobs.mongo.workers import WorkerStore
from ostinato.jobs.settings import Settings
from tests.engine.rig import Rig, run_worker

SEAMS: Final[dict[str, tuple[object, str]]] = {
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
"""Where each task reaches out: the first calls raise, and the real one follows."""
TIMES: Final = 2


class Seam:
    """Raise at the first calls, and then do as before."""

    def __init__(
        self, real: Callable[..., Any], error: type[Exception] = ArithmeticError, times: int = TIMES
    ) -> None:
        self.real = real
        self.error = error
        self.times = times
        self.raised = 0

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.raised < self.times:
            self.raised += 1
            raise self.error("a mistake of ours")
        return self.real(*args, **options)


@pytest.mark.parametrize("name", SEAMS)
async def test_background_task_continues_after_an_exception(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place, method = SEAMS[name]
    assert (await rig.run("echo", value=1))["state"] == "success"
    (before,) = await rig.all("workers")
    seam = Seam(getattr(place, method))
    with capture_logs() as logs:
        monkeypatch.setattr(place, method, lambda *args, **options: seam(*args, **options))
        await rig.wait_until(lambda: seam.raised == TIMES, within=30)
        job_id = await rig.schedule("echo", value=2)
        assert (await rig.wait_until_ended(job_id, within=30))["state"] == "success"
    (after,) = await rig.all("workers")
    assert after["_id"] == before["_id"]
    assert "error" in {line["log_level"] for line in logs}, logs


async def test_outcome_is_written_after_an_exception_in_its_first_write(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(OutcomeStore.write)
    monkeypatch.setattr(OutcomeStore, "write", lambda *args: seam(*args))
    with capture_logs() as logs:
        job = await rig.run("echo", value=1)
    assert (job["state"], job["attempt"], seam.raised) == ("success", 1, TIMES)
    assert "completion.rejected" in {line["event"] for line in logs}


async def test_slow_failure_write_does_not_delay_jobs_of_the_same_claim(
    rig_without_worker: Rig, fast_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = [await rig_without_worker.schedule("echo", value=n) for n in range(2)]
    await rig_without_worker.engine.mongo["jobs"].update_one(
        {"_id": bad}, {"$set": {"cause": None}}
    )
    seam = Seam(PoisonedJobs.fail, TimeoutError, times=1)
    monkeypatch.setattr(PoisonedJobs, "fail", lambda *args: seam(*args))
    async with run_worker(fast_settings):
        assert (await rig_without_worker.wait_until_ended(good, within=30))["attempt"] == 1
    assert seam.raised == 1
