"""All jobs that one job leads to carry its id as `rootId`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ostinato.jobs.cascade import Cascade, cancel_descendants
from ostinato.jobs.documents import job_from, root_id_of
from ostinato.jobs.engine import ImmediateJobWriter
from ostinato.jobs.filters import JobFilter, JobOrder
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.mongo import job_trees
from ostinato.jobs.mongo.job_trees import TreeCanceler
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


@asynccontextmanager
async def holding_back(rig: Rig, owner: str | None, key: str) -> AsyncIterator[None]:
    """Hold back inserts of a job with this key, by another transaction that is aborted."""
    async with await rig.engine.mongo.client.start_session() as session:
        session.start_transaction()
        held = {"_id": "held", "owner": owner, "key": key}
        await rig.engine.mongo["jobs"].insert_one(held, session=session)
        yield
        await session.abort_transaction()


async def test_job_of_an_action_that_is_inserted_slowly_is_canceled_with_the_action(
    rig_without_worker: Rig,
) -> None:
    rig, new = rig_without_worker, await rig_without_worker.build_job("echo")
    [claimed] = await rig.claim(await rig.schedule("wait_forever"))
    writer, parent_id = ImmediateJobWriter(rig.engine, claimed.info), claimed.info.id
    cause = Cause(kind=CauseKind.JOB, id=parent_id)
    async with holding_back(rig, new.owner, "k"):
        inserting = asyncio.create_task(writer.schedule(replace(new, key="k", cause=cause)))
        await rig.wait_until(partial(is_held_back, rig))
        await rig.engine.cancel(parent_id)
        parent = job_from(await rig.job(parent_id))
        assert await cancel_descendants(rig.engine, parent) == cascade(0)
    assert (await rig.job(await inserting))["state"] == "canceled"


async def is_held_back(rig: Rig) -> bool:
    namespace = f"{rig.engine.settings.database}.jobs"
    command = {"currentOp": True, "op": "insert", "ns": namespace}
    found = await rig.engine.mongo.client.admin.command(command)
    return any(each.get("writeConflicts") for each in found["inprog"])


class InterruptedCanceler(TreeCanceler):
    """Lets something happen between the first time that it finds jobs and its write."""

    def interrupt_with(self, change: Callable[[], Awaitable[None]]) -> None:
        self._changes = [change]

    async def _write(
        self, name: TransitionName, ids: Sequence[str], update: list[dict[str, Any]]
    ) -> int:
        if self._changes:
            await self._changes.pop()()
        return await super()._write(name, ids, update)


SMALLEST_ID = "0" * 24


async def end_and_schedule(rig: Rig, running: Job) -> None:
    """End a job that has scheduled another one, on a host whose clock lags behind."""
    cause = {"kind": "job", "id": running.id}
    fields = {"_id": SMALLEST_ID, "state": "pending", "attempt": 0, "cause": cause}
    await rig.engine.mongo["jobs"].insert_one({**await rig.job(running.id), **fields})
    ended = {"$set": {"state": "success"}}
    await rig.engine.mongo["jobs"].update_one({"_id": running.id}, ended)


async def test_job_that_ends_while_it_is_canceled_leaves_no_descendant(
    rig_without_worker: Rig,
) -> None:
    rig = rig_without_worker
    first = await rig.engine.schedule(await rig.build_job("echo"))
    middle = await child_of(rig, first)
    await rig.claim_all([first.id, middle.id])
    await rig.engine.mongo["jobs"].update_one({"_id": first.id}, {"$set": {"state": "success"}})
    clock_time = await rig.engine.clock.read()
    canceler = InterruptedCanceler(rig.engine.mongo, clock_time, 1_000, "alice")
    canceler.interrupt_with(lambda: end_and_schedule(rig, middle))
    assert await canceler.cancel_descendants(job_from(await rig.job(first.id))) == cascade(1)
    assert await states(rig, middle) == ["success"]
    assert (await rig.job(SMALLEST_ID))["state"] == "canceled"


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
