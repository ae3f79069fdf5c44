"""Rate limits: never more starts in a window than allowed."""

from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from bson import DBRef, ObjectId

from ostinato.jobs.mongo.rate_limits import EPOCH, RateLimitStore, StartRequest, bucket_id
from ostinato.jobs.rate_limit import RateLimit
from ostinato.jobs.settings import Settings
from ostinato.testing import Harness
from ostinato.testing.harness import START
from tests.engine.limited import MINUTE_MS
from tests.engine.rig import Document, Rig, run_worker, state_changes
from tests.processes import eventually

MILLISECOND = timedelta(milliseconds=1)
MINUTE = timedelta(milliseconds=MINUTE_MS)
REAL_TIME = timedelta(seconds=5)
"""Real time that may pass during a test, in addition to the advanced time."""


async def wait_until_jobs_ended(rig: Rig, name: str, number: int) -> list[Document]:
    """Return the ended jobs of a function, once this many have ended."""

    async def enough_ended() -> list[Document]:
        found = await rig.find_jobs(name, completedAt={"$ne": None})
        return found if len(found) >= number else []

    found = await eventually(enough_ended)
    assert len(found) == number
    return found


async def test_starts_are_spread_over_the_window_and_never_early(
    held_rig: Rig, ostinato: Harness
) -> None:
    for number in range(6):
        await held_rig.schedule("three_per_minute", number=number)
    await ostinato.advance(minutes=2)
    starts = sorted(job["startedAt"] for job in await held_rig.find_jobs("three_per_minute"))
    assert [later - earlier for earlier, later in pairwise(starts)] == [MINUTE / 3] * 5


async def test_rate_limited_jobs_start_in_order(rig: Rig) -> None:
    await rig.schedule("three_per_minute")
    await wait_until_jobs_ended(rig, "three_per_minute", 1)
    ids = [await rig.schedule("three_per_minute", number=number) for number in range(3)]
    await rig.run("echo")
    assert {(await rig.job(job_id))["lane"] for job_id in ids} == {
        "default/functions.threePerMinute"
    }


async def test_job_with_a_non_json_rate_limit_key_does_not_block_others(rig: Rig) -> None:
    new_job = await rig.build_job("once_per_user", {"userId": "u1"})
    odd = await rig.schedule_at(new_job, new_job.scheduled_time + MINUTE)
    value = {"args.userId": DBRef("users", ObjectId())}
    await rig.engine.mongo["jobs"].update_one({"_id": odd}, {"$set": value})
    other = await rig.schedule_at(new_job, new_job.scheduled_time + MINUTE)
    await rig.engine.advance(MINUTE_MS)
    assert (await rig.wait_until_ended(other))["state"] == "success"
    assert (await rig.wait_until_ended(odd))["state"] == "failed"


async def test_each_value_of_the_key_has_its_own_limit(rig: Rig) -> None:
    ids = [await rig.schedule("once_per_user", userId="u1") for _ in range(3)]
    other = await rig.run("once_per_user", userId="u2")
    assert other["state"] == "success"
    await wait_until_jobs_ended(rig, "once_per_user", 2)
    waiting = [await rig.job(job_id) for job_id in ids]
    waiting = sorted((job for job in waiting if job["state"] == "pending"), key=_due)
    (first,) = await rig.find_jobs("once_per_user", state="success", **{"args.userId": "u1"})
    delays = [job["scheduledTime"] - first["startedAt"] for job in waiting]
    assert all(abs(delay - n * MINUTE) < MINUTE / 2 for n, delay in enumerate(delays, 1))


def _due(job: Document) -> datetime:
    due: datetime = job["scheduledTime"]
    return due


async def test_reserved_start_is_on_the_timeline_and_is_honored(rig: Rig) -> None:
    await rig.run("once_per_user", userId="u1")
    job_id = await rig.schedule("once_per_user", userId="u1")

    async def is_reserved() -> bool:
        return bool((await rig.job(job_id))["lane"].endswith("!"))

    await rig.wait_until(is_reserved)
    await rig.engine.advance(MINUTE_MS)
    job = await rig.wait_until_ended(job_id)
    assert state_changes(job)[1:] == [
        ("pending", "pending"),
        ("pending", "inProgress"),
        ("inProgress", "success"),
    ]
    assert job["timeline"][1]["nextRunAt"] == job["scheduledTime"] <= job["startedAt"]


async def test_burst_starts_at_once_and_the_rest_is_spread(
    held_rig: Rig, ostinato: Harness
) -> None:
    for _ in range(5):
        await held_rig.schedule("in_bursts")
    await ostinato.advance(minutes=2)
    starts = [job["startedAt"] - START for job in await held_rig.find_jobs("in_bursts")]
    assert sorted(starts) == [timedelta(0)] * 3 + [MINUTE / 3, 2 * MINUTE / 3]


async def test_jobs_delayed_by_an_outage_still_start_within_the_rate_limit(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    for _ in range(5):
        await rig_without_worker.schedule("once_per_user", userId="u")
    async with run_worker(fast_settings):
        await wait_until_jobs_ended(rig_without_worker, "once_per_user", 1)
        await rig_without_worker.wait_until(lambda: _reserved(rig_without_worker, 4))
    await rig_without_worker.engine.advance(10 * MINUTE_MS)
    async with run_worker(fast_settings):
        await wait_until_jobs_ended(rig_without_worker, "once_per_user", 2)
        await rig_without_worker.run("echo")
        await wait_until_jobs_ended(rig_without_worker, "once_per_user", 2)


async def _reserved(rig: Rig, number: int) -> bool:
    waiting = await rig.find_jobs("once_per_user", state="pending")
    return len([job for job in waiting if job["lane"].endswith("!")]) == number


async def test_rate_limit_survives_a_change_of_leader(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    for done in (1, 2):
        async with run_worker(fast_settings):
            await rig_without_worker.schedule("three_per_minute")
            await rig_without_worker.schedule("three_per_minute")
            await wait_until_jobs_ended(rig_without_worker, "three_per_minute", done)
            await rig_without_worker.run("echo")
        await wait_until_jobs_ended(rig_without_worker, "three_per_minute", done)
        await rig_without_worker.engine.advance(MINUTE_MS // 3)


async def test_retry_counts_towards_the_rate_limit(held_rig: Rig, ostinato: Harness) -> None:
    job_id = await held_rig.schedule("fail_once_a_minute")
    await ostinato.advance(minutes=2)
    job = await held_rig.job(job_id)
    starts = [event["at"] for event in job["timeline"] if event["state"] == "inProgress"]
    assert starts[1] - starts[0] == MINUTE
    assert (job["state"], job["attempt"]) == ("failed", 2)


@pytest.mark.parametrize("limit", [RateLimit(count=7, per_ms=1_000), RateLimit(count=3, per_ms=1)])
async def test_starts_are_exact_for_odd_rates(rig_without_worker: Rig, limit: RateLimit) -> None:
    request = StartRequest(new=71, reserved=0)
    grant = await RateLimitStore(rig_without_worker.engine.mongo).acquire("odd", limit, request, 0)
    (bucket,) = await rig_without_worker.all("buckets")
    granted_at = EPOCH + timedelta(milliseconds=bucket["at"] // limit.count)
    starts = [granted_at] * grant.start_now + [*grant.start_at]
    window = timedelta(milliseconds=limit.per_ms)
    assert len(starts) == 71
    assert starts[-1] - starts[0] <= window * 70 / limit.count + MILLISECOND
    for n, start in enumerate(starts):
        assert sum(start <= other < start + window for other in starts[n:]) <= limit.count


async def test_key_of_any_json_type_names_a_bucket() -> None:
    limit = RateLimit(count=1, per_ms=1, key="x")
    values = [None, 1, "1", True, {"a": [1]}, "x" * 10_000]
    assert len({bucket_id("f.f", limit, value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("count", "per_ms", "burst"), [(0, 1, None), (1, 0, None), (1, 1, 0), (10**7, 1, None)]
)
def test_invalid_rate_is_rejected(count: int, per_ms: int, burst: int | None) -> None:
    with pytest.raises(ValueError, match="must be"):
        RateLimit(count=count, per_ms=per_ms, burst=burst)


@pytest.mark.parametrize(
    "fields", [{"timeline": "none"}, {"version": "x", "attempt": "x"}, {"args": None}]
)
async def test_malformed_job_does_not_prevent_other_starts(
    fast_settings: Settings, rig_without_worker: Rig, fields: Document
) -> None:
    jobs = [await rig_without_worker.schedule("in_bursts") for _ in range(5)]
    await rig_without_worker.engine.mongo["jobs"].update_one({"_id": jobs[3]}, {"$set": fields})
    async with run_worker(fast_settings):
        for job_id in jobs[:3]:
            assert (await rig_without_worker.wait_until_ended(job_id, 30))["state"] == "success"
        await rig_without_worker.wait_until(
            partial(rig_without_worker.all, "jobs", lane={"$regex": "!$"}), 30
        )
        await rig_without_worker.engine.advance(MINUTE_MS)
        assert (await rig_without_worker.wait_until_ended(jobs[4], 30))["state"] == "success"
        assert (await rig_without_worker.wait_until_ended(jobs[3], 30))["state"] == "failed"
