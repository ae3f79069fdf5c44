"""jobTotals: the numbers of jobs in each state, at one instant, also in statsChanged."""

from typing import Final

import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.job_totals import JobTotals
from ostinato.jobs.mongo import job_totals
from ostinato.jobs.mongo.job_totals import read_job_totals
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.profiling import profiled

TOTALS = "pendingDue pendingScheduled inProgress succeeded failed canceled isExact"
QUERY = f"{{ jobTotals {{ {TOTALS} }} }}"
COUNTED: Final = {
    "pendingScheduled": 1,
    "inProgress": 1,
    "succeeded": 2,
    "failed": 1,
    "canceled": 1,
    "isExact": True,
}


async def numbers(engine: Engine, owner: str | None = "ann") -> JobTotals:
    return await read_job_totals(engine.mongo, owner, await engine.now())


async def test_jobs_are_counted_by_state_and_due_time(
    ann: Client, admin: Client, documents: Documents, engine: Engine
) -> None:
    due = await engine.now()
    for state in ("pending", "inProgress", "success", "success", "failed", "canceled"):
        await documents.job(state=state)
    for owner in ("ann", "ann", "bob"):
        await documents.job(owner, scheduledTime=due)
    await documents.job(internal=True)
    expected = COUNTED | {"pendingDue": 2}
    assert await ann.get(QUERY) == expected
    assert await admin.get(QUERY) == expected | {"pendingDue": 3}


@pytest.mark.parametrize("owner", ["ann", None])
async def test_of_too_many_jobs_the_newest_are_counted_and_others_up_to_1000(
    documents: Documents, engine: Engine, monkeypatch: pytest.MonkeyPatch, owner: str | None
) -> None:
    monkeypatch.setattr(job_totals, "MAX_JOBS", 4)
    for state in ("failed", "inProgress", "failed", "success", "failed"):
        await documents.job(state=state)
    found = await numbers(engine, owner)
    assert (found.failed, found.in_progress, found.succeeded) == (3, 1, 1)
    assert not found.is_exact
    await engine.mongo["jobs"].delete_many({"state": {"$ne": "failed"}})
    assert (await numbers(engine, owner)).is_exact


async def test_totals_of_an_owner_read_no_jobs_of_others(
    documents: Documents, engine: Engine
) -> None:
    for owner in ["bob"] * 9 + ["ann"] * 3:
        await documents.job(owner)
    async with profiled(engine.mongo) as reads:
        assert (await numbers(engine)).pending_scheduled == 3
    assert [(read["docsExamined"], read["keysExamined"]) for read in reads] == [(3, 3)]


async def test_totals_are_read_once_for_all_who_see_the_same_jobs(
    ann: Client, documents: Documents, engine: Engine
) -> None:
    before = engine.overview.reads
    for _ in range(3):
        await ann.get(QUERY)
    assert engine.overview.reads == before + 1


async def test_malformed_states_are_left_out(documents: Documents, engine: Engine) -> None:
    for state in (7, None, "unknown", "pending"):
        await documents.job(state=state, scheduledTime="soon")
    found = await numbers(engine)
    assert found.pending_due + found.pending_scheduled == 1
