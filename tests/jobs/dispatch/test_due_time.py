"""Due time is the server's, independent of the host's clock."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import arq.connections
import arq.worker
import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Mode, Settings
from tests.engine.rig import Rig, run_worker, start_workers
from tests.processes import Processes

HOUR_MS = 3_600_000


def set_host_clock(monkeypatch: pytest.MonkeyPatch, offset_s: float) -> None:
    """Make the host's clock wrong, for Ostinato and for arq."""
    real, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + offset_s)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(offset_s * 1e9))
    for module in (arq.worker, arq.connections):
        monkeypatch.setattr(module, "timestamp_ms", lambda: int((real() + offset_s) * 1000))


@pytest.mark.parametrize("offset_s", [-86_400.0 * 365, -7_200.0, 7_200.0, 86_400.0 * 365])
async def test_wrong_host_clock_starts_no_job_early_or_late(
    monkeypatch: pytest.MonkeyPatch,
    fast_settings: Settings,
    rig_without_worker: Rig,
    offset_s: float,
) -> None:
    set_host_clock(monkeypatch, offset_s)
    async with run_worker(fast_settings):
        new_job = await rig_without_worker.build_job("echo")
        later = await rig_without_worker.schedule_at(
            new_job, new_job.scheduled_time + timedelta(hours=1)
        )
        assert (await rig_without_worker.run("echo"))["state"] == "success"
        assert (await rig_without_worker.job(later))["attempt"] == 0
        await rig_without_worker.engine.advance(HOUR_MS)
        assert (await rig_without_worker.wait_until_ended(later))["state"] == "success"


async def test_job_starts_soon_after_its_due_time_and_never_before(rig: Rig) -> None:
    now = await rig.engine.now()
    new_job = await rig.build_job("echo")
    ids = [await rig.schedule_at(new_job, now + timedelta(milliseconds=37 * n)) for n in range(30)]
    for job in [await rig.wait_until_ended(job_id) for job_id in ids]:
        late = job["startedAt"] - job["scheduledTime"]
        assert timedelta(0) <= late < timedelta(seconds=30)


async def test_stale_hint_starts_no_job_early(rig_without_worker: Rig) -> None:
    new_job = await rig_without_worker.build_job("echo")
    later = await rig_without_worker.schedule_at(
        new_job, new_job.scheduled_time + timedelta(seconds=20)
    )
    assert await rig_without_worker.claim(later) == []
    assert (await rig_without_worker.job(later))["attempt"] == 0


async def test_time_offset_applies_to_every_process(
    rig_without_worker: Rig, processes: Processes
) -> None:
    await start_workers(rig_without_worker, processes)
    async with Engine.open(rig_without_worker.engine.settings) as other:
        new_job = await rig_without_worker.build_job("read_clocks")
        job_id = await rig_without_worker.schedule_at(
            new_job, new_job.scheduled_time + timedelta(days=400)
        )
        await other.advance(400 * 24 * HOUR_MS)
        job = await rig_without_worker.wait_until_ended(job_id)
        assert abs(await other.now() - await rig_without_worker.engine.now()) < timedelta(
            seconds=30
        )
    assert job["result"]["due"][:19] >= job["scheduledTime"].isoformat()[:19]
    assert job["result"]["host"] < new_job.scheduled_time.isoformat()[:4] + "-12-31T99"


async def test_production_neither_sets_nor_applies_a_time_offset(
    rig_without_worker: Rig, fast_settings: Settings
) -> None:
    async with Engine.open(
        fast_settings.model_copy(update={"mode": Mode.PRODUCTION})
    ) as production:
        with pytest.raises(RuntimeError, match="test and development"):
            await production.advance(1)
        await rig_without_worker.engine.advance(HOUR_MS)
        ahead = await rig_without_worker.engine.now() - await production.now()
        assert abs(ahead - timedelta(hours=1)) < timedelta(seconds=30)


async def test_due_time_is_in_whole_milliseconds(rig_without_worker: Rig) -> None:
    new_job = replace(await rig_without_worker.build_job("echo"))
    assert new_job.scheduled_time.microsecond % 1000 == 0
    assert new_job.scheduled_time.utcoffset() == timedelta(0)


async def test_held_time_applies_to_every_process_and_to_stored_times(
    rig_without_worker: Rig, fast_settings: Settings
) -> None:
    held_at = datetime(2031, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
    await rig_without_worker.engine.clock.hold_at(held_at)
    async with Engine.open(fast_settings) as other:
        assert await other.now() == held_at
        job_id = await rig_without_worker.schedule("echo")
        await other.cancel(job_id)
    job = await rig_without_worker.job(job_id)
    assert {job["scheduledTime"], job["createdAt"], job["completedAt"]} == {held_at}


async def test_held_time_makes_due_jobs_claimable_at_that_time_only(
    rig_without_worker: Rig,
) -> None:
    clock, due = rig_without_worker.engine.clock, datetime(2031, 5, 6, tzinfo=UTC)
    job_id = await rig_without_worker.schedule_at(await rig_without_worker.build_job("echo"), due)
    await clock.hold_at(due - timedelta(milliseconds=1))
    claim = partial(rig_without_worker.engine.store.claim, [job_id], "w", "token")
    assert await claim(await clock.read()) == []
    await clock.hold_at(due)
    assert len(await claim(await clock.read())) == 1
    assert (await rig_without_worker.job(job_id))["startedAt"] == due


async def test_production_neither_holds_time_nor_applies_held_time(
    rig_without_worker: Rig, fast_settings: Settings
) -> None:
    in_production = fast_settings.model_copy(update={"mode": Mode.PRODUCTION})
    async with Engine.open(in_production) as production:
        with pytest.raises(RuntimeError, match="test and development"):
            await production.clock.hold_at(await production.now())
        await rig_without_worker.engine.clock.hold_at(datetime(2031, 5, 6, tzinfo=UTC))
        assert (await production.now()).year < 2031
