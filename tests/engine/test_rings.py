"""What starts work: a ring, or the time of what is due next; and timers, when a ring was lost."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from jobs.mongo.job_documents import job_document
from jobs.queue.doorbell import Bell
from jobs.settings import Settings
from tests.engine.rig import Rig, working

HOUR_S = 3_600.0


@pytest.fixture
async def rung(hasty: Settings, idle: Rig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """Return an installation whose worker looks by itself once in an hour."""
    monkeypatch.setattr("jobs.worker.dispatcher.FALLBACK_S", HOUR_S)
    monkeypatch.setattr("jobs.queue.consumer.FALLBACK_S", HOUR_S)
    async with working(hasty):
        await idle.run("echo")
        yield idle


async def test_a_ring_starts_what_is_due_now(rung: Rig) -> None:
    assert (await rung.run("echo"))["state"] == "success"


async def test_a_ring_starts_what_waits_in_the_queue(rung: Rig) -> None:
    plan = await rung.plan("echo")
    documents = [job_document(plan, plan.scheduled_time, 9) for _ in range(2)]
    await rung.engine.store.insert(documents)
    rung.engine.doorbell.ring(Bell.DUE)
    states = {(await rung.ended(document["_id"]))["state"] for document in documents}
    assert states == {"success"}


async def test_a_timer_starts_what_is_due_next(rung: Rig) -> None:
    plan = await rung.plan("echo")
    for delay_ms in (300, 600):
        due = plan.scheduled_time + timedelta(milliseconds=delay_ms)
        for _ in range(2):  # one alone is at hand before its time
            await rung.plan_at(plan, due)
    await rung.until(lambda: rung.count_of("echo", "success", at_least=5))


async def test_a_job_whose_ring_was_lost_starts_within_a_second_or_two(rig: Rig) -> None:
    await rig.run("echo")
    plan = await rig.plan("echo")
    document = job_document(plan, plan.scheduled_time, 9)
    await rig.engine.store.insert([document])
    job = await rig.ended(document["_id"])
    assert job["startedAt"] - job["scheduledTime"] < timedelta(seconds=2)
