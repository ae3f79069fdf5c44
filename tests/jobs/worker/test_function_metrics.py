"""Workers add what they count of each function to the totals in MongoDB."""

from datetime import timedelta

import pytest
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from ostinato.jobs import function_counters
from ostinato.jobs.function_counters import FunctionCounts
from ostinato.jobs.mongo.function_metrics import FunctionMetrics
from ostinato.jobs.settings import Settings
from tests.engine.rig import Rig, run_worker, running_worker
from tests.jobs.worker.test_crashes import build_rescuer


@pytest.fixture(autouse=True)
def _label_for_every_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_counters, "MAX_FUNCTIONS", 10_000)


async def counts_of(rig: Rig, function: str) -> FunctionCounts:
    return (await rig.engine.function_metrics.read())[f"functions.{function}"]


async def test_attempts_and_failures_are_counted_by_function(
    rig_without_worker: Rig, fast_settings: Settings
) -> None:
    rig = rig_without_worker
    async with run_worker(fast_settings):
        await rig.run("echo")
        await rig.run("echoInMutation")
        await rig.run("failWithHook", attempts=1)
        await rig.run("failWithHook", attempts=9)
    failing = await counts_of(rig, "failWithHook")
    assert (failing.retries, failing.failures, failing.run_time.counts.total()) == (2, 1, 4)
    assert (await counts_of(rig, "echoInMutation")).run_time.counts.total() == 1


async def test_lateness_is_the_time_from_the_due_time_to_the_start(
    rig_without_worker: Rig, fast_settings: Settings
) -> None:
    new = await rig_without_worker.build_job("echo")
    due = new.scheduled_time - timedelta(minutes=2)
    job_id = await rig_without_worker.schedule_at(new, due)
    async with run_worker(fast_settings):
        job = await rig_without_worker.wait_until_ended(job_id)
    lateness = (await counts_of(rig_without_worker, "echo")).lateness
    assert lateness.sum_s == pytest.approx((job["startedAt"] - due).total_seconds())
    assert lateness.counts[8] == 1  # at most 300 s


async def test_totals_of_workers_add_up(rig_without_worker: Rig, fast_settings: Settings) -> None:
    for _ in range(2):
        async with run_worker(fast_settings):
            await rig_without_worker.run("echo")
    assert (await counts_of(rig_without_worker, "echo")).run_time.counts.total() == 2


async def test_failures_of_lost_workers_are_counted(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    await rig.claim(await rig.schedule("echo"), "dead")
    await build_rescuer(rig).rescue()
    counts = rig.engine.function_counters.take()["functions.echo"]
    assert (counts.failures, counts.run_time.counts.total()) == (1, 0)


async def test_counts_are_kept_while_mongodb_does_not_answer(
    rig_without_worker: Rig, fast_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise AutoReconnect("gone")

    async with running_worker(fast_settings) as worker:
        await rig_without_worker.run("echo")
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(FunctionMetrics, "add", fail)
            await worker._flush_metrics()
        assert [line["event"] for line in logs] == ["function_metrics.not_written"]
    assert (await counts_of(rig_without_worker, "echo")).run_time.counts.total() == 1


async def test_malformed_totals_are_left_out(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    rig.engine.function_counters.of("functions.echo").failures += 1
    await rig.engine.function_metrics.add(rig.engine.function_counters.take())
    await rig.engine.mongo["functionMetrics"].insert_one({"_id": "a.b", "failures": "many"})
    assert set(await rig.engine.function_metrics.read()) == {"functions.echo"}


@pytest.mark.parametrize(
    "change", [{"failures": "many"}, {"runTime": 5}, {"lateness": {"sum": []}}]
)
async def test_counts_beside_malformed_totals_are_added_once(
    rig_without_worker: Rig, change: dict[str, object]
) -> None:
    rig = rig_without_worker
    malformed = {"_id": "functions.echoInMutation", **change}
    await rig.engine.mongo["functionMetrics"].insert_one(malformed)
    for name in ("echo", "echoInMutation"):
        rig.engine.function_counters.of(f"functions.{name}").failures += 1
    await rig.engine.function_metrics.add(rig.engine.function_counters.take())
    assert (await counts_of(rig, "echo")).failures == 1
