"""How long what has ended is kept, and what an action leaves behind when it fails."""

from datetime import timedelta

import pytest

from ostinato.jobs.errors import PayloadTooLarge
from tests.engine.keeping import MINUTE_MS
from tests.engine.rig import Rig

WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("name", "kept"), [("echo", WEEK), ("kept_a_minute", timedelta(milliseconds=MINUTE_MS))]
)
async def test_a_result_is_kept_for_a_week_or_as_long_as_its_function_says(
    rig: Rig, name: str, kept: timedelta
) -> None:
    job = await rig.run(name)
    assert job["purgeAt"] - job["completedAt"] == kept


async def test_the_database_itself_purges_what_is_past_its_time(idle: Rig) -> None:
    indexes = await idle.engine.mongo["jobs"].index_information()
    (purge,) = [one for one in indexes.values() if one["key"] == [("purgeAt", 1)]]
    assert purge["expireAfterSeconds"] == 0


async def test_what_an_action_scheduled_stays_when_it_fails(rig: Rig) -> None:
    assert (await rig.run("schedule_then_fail"))["state"] == "failed"
    assert [job["args"] for job in await rig.jobs_of("echo")] == [{"value": "stays"}]


async def test_the_arguments_of_a_transaction_are_counted_in_bytes(rig: Rig) -> None:
    job = await rig.run("schedule_wide", number=150)
    assert (job["state"], job["error"]["name"]) == ("failed", PayloadTooLarge.__name__)
