"""Retention of ended jobs, and jobs scheduled by functions that fail."""

from datetime import timedelta

import pytest

from ostinato.jobs.errors import PayloadTooLarge
from tests.engine.retention import MINUTE_MS
from tests.engine.rig import Rig

WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("name", "retention"),
    [("echo", WEEK), ("retained_for_a_minute", timedelta(milliseconds=MINUTE_MS))],
)
async def test_result_is_kept_for_a_week_or_its_result_ttl(
    rig: Rig, name: str, retention: timedelta
) -> None:
    job = await rig.run(name)
    assert job["purgeAt"] - job["completedAt"] == retention


async def test_ttl_index_purges_jobs_at_their_purge_time(rig_without_worker: Rig) -> None:
    indexes = await rig_without_worker.engine.mongo["jobs"].index_information()
    (ttl_index,) = [index for index in indexes.values() if index["key"] == [("purgeAt", 1)]]
    assert ttl_index["expireAfterSeconds"] == 0


async def test_jobs_scheduled_by_a_failed_action_remain(rig: Rig) -> None:
    assert (await rig.run("schedule_then_fail"))["state"] == "failed"
    assert [job["args"] for job in await rig.find_jobs("echo")] == [{"value": "stays"}]


async def test_total_argument_bytes_of_jobs_scheduled_in_a_transaction_are_limited(
    rig: Rig,
) -> None:
    job = await rig.run("schedule_wide_characters", number=150)
    assert (job["state"], job["error"]["name"]) == ("failed", PayloadTooLarge.__name__)
