"""Workers add what they count to buckets of scheduler time; that of an owner is read from jobs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from ostinato.jobs import function_counters
from ostinato.jobs.activity import Activity, ActivityPoint, ActivityRange
from ostinato.jobs.function_counters import FunctionCounters
from ostinato.jobs.mongo import owner_activity
from ostinato.jobs.mongo.activity import ActivityStore
from ostinato.jobs.overview_reader import SeriesKey
from ostinato.jobs.settings import Settings
from ostinato.testing import Harness
from tests.engine.rig import Rig, run_worker, running_worker, start_workers
from tests.processes import Processes

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
DAY, HOUR = ActivityRange.ONE_DAY, ActivityRange.ONE_HOUR


@pytest.fixture(autouse=True)
def _label_for_every_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_counters, "MAX_FUNCTIONS", 10_000)


async def series(
    rig: Rig, reach: ActivityRange = HOUR, name: str | None = None, owner: str | None = None
) -> Activity:
    return await rig.engine.overview.query_activity(
        SeriesKey(reach=reach, function_name=name, owner=owner)
    )


def totals(activity: Activity) -> tuple[int, int, int]:
    points = activity.points
    return (
        sum(point.succeeded for point in points),
        sum(point.failed for point in points),
        sum(point.retried for point in points),
    )


def not_empty(activity: Activity) -> Mapping[datetime, ActivityPoint]:
    return {each.start: each for each in activity.points if each.run_time.p50_ms is not None}


def counters(**successes: int) -> FunctionCounters:
    """Return counters of functions `shop.…`, of which `tick` is internal."""
    found = FunctionCounters(["shop.send", "shop.tick"], {"shop.tick"})
    for name, number in successes.items():
        counts = found.of(f"shop.{name}")
        counts.successes += number
        for _ in range(number):
            counts.run_time.observe(0.1)
            counts.lateness.observe(2.0)
    return found


async def test_counts_of_workers_add_up_in_the_buckets_of_scheduler_time(
    rig_without_worker: Rig, fast_settings: Settings
) -> None:
    rig = rig_without_worker
    for _ in range(2):
        async with run_worker(fast_settings):
            await rig.run("echo")
            await rig.run("readNote")
            await rig.run("failWithHook", attempts=9)
        await rig.engine.advance(3 * 3_600_000)
    assert totals(await series(rig, DAY)) == (4, 2, 2)
    assert totals(await series(rig, HOUR)) == (0, 0, 0)
    assert totals(await series(rig, DAY, "functions.echo")) == (2, 0, 0)
    assert totals(await series(rig, DAY, owner="alice")) == (4, 2, 2)
    assert len(not_empty(await series(rig, DAY))) == 2


async def test_report_is_in_the_bucket_of_its_time_in_each_range(rig_without_worker: Rig) -> None:
    store = rig_without_worker.engine.overview.activity
    for minutes, number in ((0, 5), (-1, 1), (-90, 2)):
        at = NOW + timedelta(minutes=minutes)
        await store.add(counters(send=number).take(), at)
    found = {reach: await store.read(reach, None, NOW) for reach in ActivityRange}
    by_minute = {at: each.succeeded for at, each in found[HOUR].items()}
    assert by_minute == {NOW: 5, NOW - timedelta(minutes=1): 1}
    numbers = {reach: sum(each.succeeded for each in found[reach].values()) for reach in found}
    assert numbers == {ActivityRange.FIFTEEN_MINUTES: 6, HOUR: 6, DAY: 8}
    assert found[HOUR][NOW].run_times.total() == found[HOUR][NOW].lateness.total() == 5


async def test_totals_are_without_internal_functions(rig_without_worker: Rig) -> None:
    counted = counters(send=1, tick=3)
    store = ActivityStore(rig_without_worker.engine.mongo, counted.is_internal)
    await store.add(counted.take(), NOW)
    found = [await store.read(DAY, label, NOW) for label in (None, "shop.tick", "shop.other")]
    assert [each[NOW].succeeded for each in found] == [1, 3, 0]


async def test_buckets_are_deleted_after_the_time_of_their_range(rig_without_worker: Rig) -> None:
    rig = rig_without_worker
    await rig.engine.overview.activity.add(counters(send=1).take(), NOW)
    kept = {
        row["_id"].split("/")[0]: row["purgeAt"] - NOW for row in await rig.all("activityBuckets")
    }
    assert kept == {
        each.value: 2 * each.buckets.count * each.buckets.size for each in ActivityRange
    }
    indexes = await rig.engine.mongo["activityBuckets"].index_information()
    assert indexes["purge"]["expireAfterSeconds"] == 0


async def test_counts_are_kept_while_mongodb_does_not_answer(
    rig_without_worker: Rig, fast_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise AutoReconnect("gone")

    async with running_worker(fast_settings) as worker:
        await rig_without_worker.run("echo")
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(ActivityStore, "add", fail)
            await worker._flush_metrics()
        assert [line["event"] for line in logs] == ["function_metrics.not_written"]
        assert totals(await series(rig_without_worker)) == (0, 0, 0)
    assert totals(await series(rig_without_worker)) == (1, 0, 0)
    metrics = await rig_without_worker.engine.function_metrics.read()
    assert metrics["functions.echo"].run_time.counts.total() == 1


@pytest.mark.parametrize("change", [{"total": 5}, {"total": {"runTimes": {"x": 1}}}, {"start": 1}])
async def test_malformed_buckets_are_left_out_and_others_counted(
    rig_without_worker: Rig, change: dict[str, object]
) -> None:
    engine = rig_without_worker.engine
    await engine.overview.activity.add(counters(send=1).take(), NOW)
    malformed = {"_id": f"oneDay/{NOW.isoformat()}"}
    await engine.mongo["activityBuckets"].update_one(malformed, {"$set": change})
    await engine.overview.activity.add(counters(send=1).take(), NOW)
    assert await engine.overview.activity.read(DAY, None, NOW) == {}
    assert (await engine.overview.activity.read(HOUR, None, NOW))[NOW].succeeded == 2


async def test_activity_of_an_owner_is_read_from_the_timelines_of_their_jobs(
    ostinato: Harness, held_rig: Rig
) -> None:
    start = ostinato.now
    job = await held_rig.build_job("failWithHook", {"attempts": 9})
    await held_rig.schedule_at(job, start + timedelta(minutes=3))
    await held_rig.schedule("echo")
    await ostinato.advance(minutes=10)
    found = await series(held_rig, owner="alice")
    assert totals(found) == (1, 1, 1)
    assert min(not_empty(found)) == start
    assert {each.lateness.p95_ms for each in not_empty(found).values()} == {1}
    assert totals(await series(held_rig, name="functions.echo", owner="alice")) == (1, 0, 0)
    assert totals(await series(held_rig, owner="bob")) == (0, 0, 0)
    await ostinato.advance(hours=1)
    assert totals(await series(held_rig, owner="alice")) == (0, 0, 0)


async def test_activity_of_an_owner_with_many_jobs_says_from_when_it_counts(
    ostinato: Harness, held_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await held_rig.schedule("echo")
        await ostinato.advance(minutes=1)
    assert (await series(held_rig, owner="alice")).counted_from is None
    monkeypatch.setattr(owner_activity, "MAX_JOBS", 2)
    found = await series(held_rig, owner="alice")
    assert totals(found) == (2, 0, 0)
    assert found.counted_from == ostinato.now - timedelta(minutes=3)


async def test_retry_that_is_due_in_the_future_and_malformed_jobs_are_read(
    ostinato: Harness, held_rig: Rig
) -> None:
    jobs = held_rig.engine.mongo["jobs"]
    first = await held_rig.schedule("failWithHook", attempts=9)
    for change in ({"timeline": 5}, {"timeline": [{"at": 1}, {"from": "inProgress"}, 7]}):
        job_id = await held_rig.schedule("echo")
        await jobs.update_one({"_id": job_id}, {"$set": {**change, "state": "success"}})
    await ostinato.run_due()
    assert (await held_rig.job(first))["state"] == "pending"
    assert totals(await series(held_rig, owner="alice")) == (0, 0, 1)


async def test_killed_worker_loses_only_what_it_has_not_reported(
    rig_without_worker: Rig, processes: Processes
) -> None:
    rig = rig_without_worker
    (worker,) = await start_workers(rig, processes)
    await rig.run("echo")

    async def is_reported() -> bool:
        return totals(await series(rig)) == (1, 0, 0)

    await rig.wait_until(is_reported)
    job_id = await rig.schedule("echo")
    await rig.wait_until_ended(job_id)
    worker.popen.kill()
    await worker.wait()
    assert totals(await series(rig)) in ((1, 0, 0), (2, 0, 0))
    assert totals(await series(rig, owner="alice")) == (2, 0, 0)
