"""Lists read only a page of an index, however many documents there are."""

from collections.abc import Iterator
from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.filters import FailureFilter, JobFilter, JobOrder
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.page_queries import KeysetQuery, job_page_query
from ostinato.jobs.paging import PagePosition, Window
from ostinato.jobs.records import JobState
from ostinato.schema.ids import parse_global_id
from tests.api.documents import Documents
from tests.malformed import DUE
from tests.profiling import profiled

FAILED = JobFilter(states=(JobState.FAILED,))
ENDED = JobFilter(states=(JobState.FAILED, JobState.SUCCESS))
POSITION = PagePosition(id=new_id(), instant=DUE)
Wanted = tuple[str | None, JobFilter, JobOrder]
LISTS: list[Wanted] = [
    ("ann", JobFilter(), JobOrder.NEWEST),
    ("ann", JobFilter(), JobOrder.OLDEST),
    ("ann", JobFilter(internal=None), JobOrder.NEWEST),
    ("ann", FAILED, JobOrder.NEWEST),
    ("ann", JobFilter(states=(JobState.PENDING,)), JobOrder.NEWEST),
    ("ann", JobFilter(states=(JobState.IN_PROGRESS,)), JobOrder.NEWEST),
    ("ann", ENDED, JobOrder.NEWEST),
    ("ann", JobFilter(function_name="functions.greet"), JobOrder.NEWEST),
    ("ann", JobFilter(tags=("a",)), JobOrder.NEWEST),
    ("ann", JobFilter(tags=("a", "b")), JobOrder.OLDEST),
    ("ann", JobFilter(), JobOrder.SCHEDULED_ASC),
    ("ann", JobFilter(), JobOrder.SCHEDULED_DESC),
    ("ann", JobFilter(scheduled_from=DUE), JobOrder.SCHEDULED_ASC),
    ("ann", JobFilter(root_id=new_id(), internal=None), JobOrder.NEWEST),
    (None, JobFilter(root_id=new_id(), internal=None), JobOrder.NEWEST),
    (None, JobFilter(), JobOrder.NEWEST),
    (None, FAILED, JobOrder.NEWEST),
    (None, JobFilter(), JobOrder.SCHEDULED_ASC),
]


def _stages(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for inner in (*plan.get("inputStages", ()), *filter(None, [plan.get("inputStage")])):
        yield from _stages(inner)


async def _plan_of(engine: Engine, find: KeysetQuery) -> dict[str, Any]:
    command = {"filter": find.filter, "sort": dict(find.sort), "limit": find.limit}
    explain = {"explain": {"find": "jobs", **command}, "verbosity": "queryPlanner"}
    plan: dict[str, Any] = await engine.mongo.database.command(explain)
    winning: dict[str, Any] = plan["queryPlanner"]["winningPlan"]
    return winning


@pytest.mark.parametrize("position", [None, POSITION])
async def test_a_list_is_read_in_the_order_of_an_index(
    engine: Engine, documents: Documents, position: PagePosition | None, subtests: pytest.Subtests
) -> None:
    await documents.job()
    for wanted in LISTS:
        with subtests.test(repr(wanted)):
            find = job_page_query(*wanted, Window(limit=20, after=position))
            stages = set(_stages(await _plan_of(engine, find)))
            assert stages.isdisjoint({"COLLSCAN", "SORT"}), stages


async def test_jobs_with_a_tag_or_a_key_are_found_among_many(
    engine: Engine, documents: Documents
) -> None:
    for number in range(50):
        await documents.job(tags=["all", f"tag-{number}"], key=f"key-{number}")
    for wanted in (JobFilter(tags=("tag-7",)), JobFilter(key="key-7")):
        async with profiled(engine.mongo) as reads:
            page = await engine.reads.find_job_page(
                "ann", wanted, JobOrder.NEWEST, Window(limit=20)
            )
        assert [job.key for job in page.items] == ["key-7"]
        assert [read["docsExamined"] for read in reads] == [1]


async def test_jobs_with_ids_are_found_among_many(engine: Engine, documents: Documents) -> None:
    stored = [parse_global_id(await documents.job())[1] for _ in range(50)]
    for owner in ("ann", None):
        wanted = JobFilter(ids=(stored[7], new_id()))
        async with profiled(engine.mongo) as reads:
            page = await engine.reads.find_job_page(
                owner, wanted, JobOrder.NEWEST, Window(limit=20)
            )
        assert [job.id for job in page.items] == [stored[7]]
        assert [read["docsExamined"] for read in reads] == [1]


async def test_a_key_is_looked_up_with_an_index(engine: Engine, documents: Documents) -> None:
    for number in range(50):
        await documents.job(key=f"key-{number}")
    async with profiled(engine.mongo) as reads:
        assert await engine.store.find_by_key("ann", "key-7") is not None
    assert [read["docsExamined"] for read in reads] == [1]


async def test_open_failures_are_read_with_an_index(engine: Engine, documents: Documents) -> None:
    for _ in range(50):
        await documents.failure(resolvedAt=DUE)
    opened = parse_global_id(await documents.failure())[1]
    for _ in range(50):
        await documents.failure(resolvedAt=DUE)
    for owner in ("ann", None):
        async with profiled(engine.mongo, "failures") as reads:
            page = await engine.reads.find_failures(owner, FailureFilter(), Window(limit=20))
        assert [failure.id for failure in page.items] == [opened]
        assert [read["docsExamined"] for read in reads] == [1]


async def test_jobs_of_a_cause_are_read_with_an_index(engine: Engine, documents: Documents) -> None:
    causes = [new_id(), new_id()]
    for cause_id in causes:
        await documents.job(cause={"kind": "cron", "id": cause_id})
    for _ in range(50):
        await documents.job(cause={"kind": "cron", "id": new_id()})
    window = Window(limit=20)
    async with profiled(engine.mongo) as reads:
        pages = await engine.reads.find_job_pages_by_cause("ann", JobFilter(), causes, window)
        by_cause = JobFilter(cause_id=causes[0])
        alone = await engine.reads.find_job_page("ann", by_cause, JobOrder.NEWEST, window)
    assert [len(pages[cause_id].items) for cause_id in causes] == [1, 1]
    assert len(alone.items) == 1
    assert all(read.get("docsExamined", 0) <= len(causes) for read in reads), reads
