"""All jobs that one job leads to carry its id as `rootId`."""

from dataclasses import replace

import pytest

from ostinato.jobs.cascade import Cascade, cancel_descendants
from ostinato.jobs.documents import job_from, root_id_of
from ostinato.jobs.filters import JobFilter, JobOrder
from ostinato.jobs.mongo import job_trees
from ostinato.jobs.paging import Window
from ostinato.jobs.records import Cause, CauseKind, Job
from tests.engine.rig import Document, Rig

BY_NAME = "functions.scheduleByName"


async def ended_jobs(rig: Rig, number: int) -> dict[str, Document]:
    """Return all jobs by their function, once so many have ended."""

    async def enough() -> bool:
        ended = {"$in": ["success", "failed"]}
        return len(await rig.all("jobs", state=ended)) >= number

    await rig.wait_until(enough)
    return {job["functionName"]: job for job in await rig.all("jobs")}


async def test_children_grandchildren_and_failure_hooks_belong_to_the_tree_of_the_first_job(
    rig: Rig,
) -> None:
    failing = {"name": "functions.failWithHook", "args": {"attempts": 9}}
    first = await rig.schedule("schedule_by_name", name=BY_NAME, args=failing)
    other = await rig.schedule("echo")
    jobs = await ended_jobs(rig, 5)
    roots = {name: root_id_of(job) for name, job in jobs.items()}
    assert roots.pop("functions.echo") == other
    assert roots == dict.fromkeys(roots, first)
    assert {"functions.failWithHook", "failures.callHooks"} < roots.keys()
    which = JobFilter(root_id=first, internal=None)
    page = await rig.engine.reads.find_job_page(None, which, JobOrder.OLDEST, Window(limit=9))
    assert [job.root_id for job in page.items] == [first] * 4
    assert page.items[0].id == first


async def test_an_action_passes_its_tree_on(rig: Rig) -> None:
    first = await rig.schedule("schedule_with_options", what="integral float")
    await rig.wait_until_ended(first)
    assert [root_id_of(job) for job in await rig.all("jobs")] == [first, first]


async def test_a_job_without_a_stored_root_is_the_root_of_its_own_tree(
    rig_without_worker: Rig,
) -> None:
    rig = rig_without_worker
    new = await rig.build_job("echo")
    job_id = (await rig.engine.schedule(new)).id
    child = (await rig.engine.schedule(replace(new, root_id=job_id))).id
    stored = await rig.job(job_id)
    assert "rootId" not in stored
    assert (job_from(stored).root_id, job_from(await rig.job(child)).root_id) == (job_id, job_id)
    assert [event.get("rootId") for event in (await rig.job(child))["timeline"]] == [job_id]


async def child_of(rig: Rig, parent: Job, owner: str | None = "alice") -> Job:
    """Insert a pending job that another one has scheduled."""
    new = await rig.build_job("echo")
    cause = Cause(kind=CauseKind.JOB, id=parent.id)
    return await rig.engine.schedule(replace(new, owner=owner, cause=cause, root_id=parent.root_id))


async def states(rig: Rig, *jobs: Job) -> list[str]:
    return [(await rig.job(job.id))["state"] for job in jobs]


def cascade(canceled: int, requested: int = 0, *, is_complete: bool = True) -> Cascade:
    return Cascade(canceled=canceled, requested=requested, is_complete=is_complete)


async def test_the_unfinished_descendants_of_any_job_are_canceled_and_again_without_effect(
    rig_without_worker: Rig,
) -> None:
    rig = rig_without_worker
    first = await rig.engine.schedule(await rig.build_job("echo"))
    left, right = await child_of(rig, first), await child_of(rig, first)
    below, running = await child_of(rig, left), await child_of(rig, left)
    others = await child_of(rig, below, owner="bob")
    await rig.claim_all([running.id, left.id])
    await rig.engine.mongo["jobs"].update_one({"_id": left.id}, {"$set": {"state": "success"}})
    assert await cancel_descendants(rig.engine, left, "alice") == cascade(2, 1)
    assert await states(rig, left, below, running) == ["success", "canceled", "inProgress"]
    assert (await rig.job(running.id))["cancelRequestedAt"] is not None
    assert await states(rig, first, right, others) == ["pending"] * 3
    assert await cancel_descendants(rig.engine, left, "alice") == cascade(0)
    assert await cancel_descendants(rig.engine, first, "alice") == cascade(1)
    assert await states(rig, right, others) == ["canceled", "pending"]
    assert await cancel_descendants(rig.engine, first) == cascade(1)


async def test_a_cancellation_of_many_descendants_stops_at_a_limit_and_is_repeated(
    rig_without_worker: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_without_worker
    monkeypatch.setattr(job_trees, "BATCH_SIZE", 2)
    monkeypatch.setattr(job_trees, "MAX_CANCELED", 4)
    first = await rig.engine.schedule(await rig.build_job("echo"))
    middle = await child_of(rig, first)
    for _ in range(5):
        await child_of(rig, middle)
    assert await cancel_descendants(rig.engine, middle) == cascade(4, is_complete=False)
    assert await cancel_descendants(rig.engine, first) == cascade(2)
