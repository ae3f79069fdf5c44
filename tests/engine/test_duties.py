"""Every long-lived task of a worker meets an exception that nobody expected, and goes on."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from jobs.mongo.due_jobs import DueJobs
from jobs.mongo.job_store import JobStore
from jobs.mongo.missing_work import MissingWork
from jobs.mongo.queues import QueueStore
from jobs.mongo.workers import WorkerStore
from jobs.queue import consumer, doorbell
from jobs.queue.chunks import Chunks
from tests.engine.rig import Rig

SEAMS: Final[dict[str, tuple[object, str]]] = {
    "heartbeat": (WorkerStore, "beat"),
    "election": (WorkerStore, "lead"),
    "fleet": (WorkerStore, "fleet"),
    "lost workers": (WorkerStore, "gone"),
    "queue watch": (QueueStore, "all"),
    "watch": (JobStore, "held_by"),
    "dispatcher": (Chunks, "outstanding"),
    "survey": (DueJobs, "heads"),
    "sweeper": (MissingWork, "_without_job"),
    "listener": (doorbell, "_rung"),
    "consumer": (consumer._DoorbellWorker, "_poll_iteration"),
}
"""Where each task reaches out: the first calls raise, and the real one follows."""
TIMES: Final = 2


class Seam:
    """Raise at the first calls, and then do as before."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self.real = real
        self.raised = 0

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.raised < TIMES:
            self.raised += 1
            raise ArithmeticError("a mistake of ours")
        return self.real(*args, **options)


@pytest.mark.parametrize("name", SEAMS)
async def test_a_task_that_meets_an_exception_goes_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place, method = SEAMS[name]
    assert (await rig.run("echo", value=1))["state"] == "success"
    (before,) = await rig.all("workers")
    seam = Seam(getattr(place, method))
    with capture_logs() as logs:
        monkeypatch.setattr(place, method, lambda *args, **options: seam(*args, **options))
        await rig.until(lambda: seam.raised == TIMES, within=30)
        job_id = await rig.schedule("echo", value=2)
        assert (await rig.ended(job_id, within=30))["state"] == "success"
    (after,) = await rig.all("workers")
    assert after["_id"] == before["_id"]
    assert "error" in {line["log_level"] for line in logs}, logs
