"""The client's verbs that change pending and ended jobs."""

from datetime import timedelta

import pytest

from ostinato import Call, Ostinato
from ostinato.jobs.errors import BadRequest, Conflict, NotFound
from tests.client.functions import double

WEEK = timedelta(weeks=1)


async def test_the_issue_of_one_of_many_has_its_position(app: Ostinato) -> None:
    with pytest.raises(BadRequest, match=r"jobs\[1\]: ") as raised:
        await app.schedule_many([Call(double, {"number": 1}), Call(double, {"number": "x"})])
    assert [issue.path for issue in raised.value.issues] == [("jobs", 1, "args", "number")]


async def test_a_pending_job_is_rescheduled(app: Ostinato) -> None:
    job = (await app.schedule(double, {"number": 1}, owner="eve", run_after=WEEK, tags=["a"])).job
    at = job.scheduled_time + WEEK
    changed = await app.reschedule(job.id, run_at=at, expected_version=1, owner="eve")
    assert (changed.scheduled_time, changed.version, changed.tags) == (at, 2, ("a",))
    with pytest.raises(Conflict, match="version 2, not 1"):
        await app.reschedule(job.id, run_after=WEEK, expected_version=1)
    with pytest.raises(BadRequest, match="pass one of them"):
        await app.reschedule(job.id)
    with pytest.raises(NotFound):
        await app.reschedule(job.id, run_after=WEEK, owner="bob")


async def test_a_job_is_retried_with_other_arguments(app: Ostinato) -> None:
    handle = await app.schedule(double, {"number": 1})
    await handle.cancel()
    with pytest.raises(BadRequest, match="number"):
        await app.retry(handle.id, args={"number": "x"})
    retried = await app.retry(handle.id, args={"number": 2})
    assert (retried.args, retried.timeline[-1].args_changed) == ({"number": 2}, True)
