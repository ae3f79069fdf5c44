"""totalCount of lists: filtered, owned, capped, and counted only if it is selected."""

from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo import list_counts
from ostinato.jobs.mongo.list_counts import MAX_COUNT, list_counter
from ostinato.jobs.paging import ListCount, Page
from ostinato.schema.ids import parse_global_id
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.malformed import valid_document
from tests.profiling import profiled

TOTAL = "totalCount { count isExact }"
JOBS = (
    f"query($filter: JobFilter) {{ jobs(filter: $filter, first: 2) {{ nodes {{ id }} {TOTAL} }} }}"
)
CHILDREN = f"query($id: ID!) {{ job(id: $id) {{ children(first: 1) {{ {TOTAL} }} }} }}"


async def _count(client: Client, **wanted: Any) -> dict[str, Any]:
    total: dict[str, Any] = (await client.get(JOBS, filter=wanted))["totalCount"]
    return total


async def test_a_total_counts_all_pages_of_the_filtered_list(
    ann: Client, admin: Client, documents: Documents
) -> None:
    for number in range(5):
        await documents.job(tags=["a"], state="failed" if number else "pending")
    await documents.job("bob", tags=["a"])
    assert await _count(ann, tags=["a"]) == {"count": 5, "isExact": True}
    assert await _count(ann, states=["FAILED"]) == {"count": 4, "isExact": True}
    assert await _count(ann, tags=["b"]) == {"count": 0, "isExact": True}
    assert await _count(admin) == {"count": 6, "isExact": True}
    assert await _count(admin, owner="bob") == {"count": 1, "isExact": True}


async def test_every_list_has_a_total(admin: Client, documents: Documents) -> None:
    lists = {
        "crons": documents.cron,
        "recurringTasks": documents.recurring_task,
        "batches": documents.batch,
        "requests": documents.request,
        "failures": documents.failure,
    }
    for name, insert in lists.items():
        for _ in range(3):
            await insert()
        page = await admin.get(f"{{ {name}(first: 1) {{ {TOTAL} }} }}")
        assert page["totalCount"] == {"count": 3, "isExact": True}, name
    for name in ("auditLog", "suspendedOwners", "tokenRevocations"):
        page = await admin.get(f"{{ {name} {{ {TOTAL} }} }}")
        assert page["totalCount"] == {"count": 0, "isExact": True}, name


async def test_children_are_counted_for_each_job(ann: Client, documents: Documents) -> None:
    parent = await documents.job()
    cause = {"kind": "job", "id": parse_global_id(parent)[1]}
    for _ in range(3):
        await documents.job(cause=cause)
    found = await ann.get(CHILDREN, id=parent)
    assert found["children"]["totalCount"] == {"count": 3, "isExact": True}


async def test_a_long_list_is_counted_up_to_the_limit(ann: Client, engine: Engine) -> None:
    job = valid_document("jobs")
    many = [job | {"_id": new_id()} for _ in range(MAX_COUNT + 1)]
    await engine.mongo["jobs"].insert_many(many[:-1])
    assert await _count(ann) == {"count": MAX_COUNT, "isExact": True}
    await engine.mongo["jobs"].insert_one(many[-1])
    async with profiled(engine.mongo) as reads:
        assert await _count(ann) == {"count": MAX_COUNT, "isExact": False}
    (counted,) = [read for read in reads if read["op"] == "command"]
    assert (counted["docsExamined"], counted["keysExamined"]) == (0, MAX_COUNT + 1)


async def test_a_total_is_counted_only_if_it_is_selected(
    ann: Client, documents: Documents, engine: Engine
) -> None:
    for _ in range(3):
        await documents.job()
    async with profiled(engine.mongo) as reads:
        await ann.get("{ jobs(first: 1) { nodes { id } } }")
    assert [read["op"] for read in reads] == ["query"]


async def test_a_count_that_takes_too_long_is_a_lower_bound(
    documents: Documents, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_counts, "COUNT_MS", 1)
    for _ in range(300):
        await documents.job()
    slow = {"$expr": {"$gt": [{"$size": {"$range": [0, 100_000]}}, 0]}}
    count = list_counter(engine.mongo["jobs"], slow)
    assert await count() == ListCount(count=0, is_exact=False)
    page = Page(items=(1, 2), has_next=True, has_previous=False, count=count)
    assert await page.total() == ListCount(count=2, is_exact=False)
