"""A claimed job has the values that are stored, whichever program has written them."""

from datetime import UTC, datetime, timedelta

from tests.engine.rig import Rig

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)


async def test_dates_of_a_claimed_job_are_in_utc(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("echo")
    (claimed,) = await rig_without_worker.claim(job_id)
    stored = await rig_without_worker.job(job_id)
    assert (claimed.info.scheduled_time, claimed.started_at) == (
        stored["scheduledTime"],
        stored["startedAt"],
    )
    assert claimed.info.scheduled_time.utcoffset() == timedelta(0)


async def test_date_in_arguments_is_passed_as_text_with_its_zone(rig_without_worker: Rig) -> None:
    job_id = await rig_without_worker.schedule("echo")
    written = {"$set": {"args": {"value": [{"at": NOON}]}}}
    await rig_without_worker.engine.mongo["jobs"].update_one({"_id": job_id}, written)
    (claimed,) = await rig_without_worker.claim(job_id)
    assert claimed.args == {"value": [{"at": "2030-01-31T12:00:00.000Z"}]}
