"""Related data of objects: causes, children, runs, errors, rates; read in batches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Decimal128

from ostinato.jobs.engine import Engine
from ostinato.jobs.json_values import format_instant
from ostinato.schema.ids import parse_global_id
from tests.api.conftest import Client
from tests.api.documents import ERROR, Documents
from tests.malformed import DUE

CAUSES = {
    "cron": ("cron", "cron"),
    "recurring_task": ("recurring", "recurringTask"),
    "batch": ("batch", "batch"),
    "request": ("request", "request"),
    "job": ("job", "job"),
}
CAUSE = """query($id: ID!) { job(id: $id) { cause { kind id
  cron { id } recurringTask { id } batch { id } request { id } job { id } } } }"""
JOBS_OF = "query($id: ID!) { node(id: $id) { ... on %s { %s { nodes { id } } } } }"


def _document_id(global_id: str) -> str:
    return parse_global_id(global_id)[1]


@pytest.mark.parametrize("source", CAUSES)
async def test_a_job_has_the_object_that_created_it(
    ann: Client, documents: Documents, source: str
) -> None:
    kind, field = CAUSES[source]
    origin = await getattr(documents, source)()
    job = await documents.job(cause={"kind": kind, "id": _document_id(origin)})
    cause = (await ann.get(CAUSE, id=job))["cause"]
    objects = {name: cause[name] for _, name in CAUSES.values()}
    assert (cause["kind"], cause["id"]) == (kind.upper(), origin)
    assert objects == dict.fromkeys(objects) | {field: {"id": origin}}


async def test_a_job_scheduled_by_a_client_has_no_causing_object(
    ann: Client, documents: Documents
) -> None:
    cause = (await ann.get(CAUSE, id=await documents.job()))["cause"]
    assert {name for name, value in cause.items() if value is not None} == {"kind"}


@pytest.mark.parametrize(
    ("source", "relation", "seen"),
    [
        ("job", ("Job", "children"), [True, False]),
        ("cron", ("Cron", "runs"), [False]),
        ("recurring_task", ("RecurringTask", "runs"), [False]),
    ],
)
async def test_an_object_lists_the_jobs_that_it_created(
    ann: Client, documents: Documents, source: str, relation: tuple[str, str], seen: list[bool]
) -> None:
    field = relation[1]
    origin = await getattr(documents, source)()
    cause = {"kind": CAUSES[source][0], "id": _document_id(origin)}
    jobs = {own: await documents.job(cause=cause, internal=own) for own in (False, True)}
    await documents.job("bob", cause=cause)
    node = await ann.get(JOBS_OF % relation, id=origin)
    assert [child["id"] for child in node[field]["nodes"]] == [jobs[own] for own in seen]


async def test_the_runs_of_a_cron_are_paged(ann: Client, documents: Documents) -> None:
    cron = await documents.cron()
    cause = {"kind": "cron", "id": _document_id(cron)}
    runs = [await documents.job(cause=cause) for _ in range(3)][::-1]
    document = """query($id: ID!, $after: String) { cron(id: $id) {
      runs(first: 2, after: $after) { nodes { id } pageInfo { endCursor hasNextPage } } } }"""
    first = (await ann.get(document, id=cron))["runs"]
    rest = (await ann.get(document, id=cron, after=first["pageInfo"]["endCursor"]))["runs"]
    assert [node["id"] for node in first["nodes"] + rest["nodes"]] == runs
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)


async def _reads(engine: Engine, client: Client, document: str) -> int:
    """Return the number of reads of MongoDB for an operation."""
    database = engine.mongo.database
    await database.command("profile", 2)
    try:
        answer = await client(document)
    finally:
        await database.command("profile", 0)
    assert not answer.errors
    profiled_reads = await database["system.profile"].find({"op": {"$in": READS}}).to_list(None)
    await database.drop_collection("system.profile")
    return len(profiled_reads)


READS = ["query", "command", "getmore"]
NESTED = {
    "jobs": "{ jobs { nodes { cause { cron { runs(first: 2) { nodes { id } } } } } } }",
    "children": "{ jobs { nodes { children { nodes { id cause { job { id } } } } } } }",
    "failures": "{ failures { nodes { job { id cause { cron { id } } } } } }",
}


@pytest.mark.parametrize("name", NESTED)
async def test_related_objects_are_read_in_a_constant_number_of_queries(
    ann: Client, engine: Engine, documents: Documents, name: str
) -> None:
    async def insert() -> None:
        cron = await documents.cron()
        job = await documents.job(cause={"kind": "cron", "id": _document_id(cron)})
        await documents.job(internal=True, cause={"kind": "job", "id": _document_id(job)})
        await documents.failure(jobId=_document_id(job))

    await insert()
    expected = await _reads(engine, ann, NESTED[name])
    for _ in range(5):
        await insert()
    assert await _reads(engine, ann, NESTED[name]) == expected


async def test_a_job_has_its_progress_and_result(ann: Client, documents: Documents) -> None:
    progress = {"done": 1, "total": 2, "message": "half"}
    document = "query($id: ID!) { job(id: $id) { result progress { done total message } } }"
    running = await documents.job(state="inProgress", progress=progress)
    assert await ann.get(document, id=running) == {"result": None, "progress": progress}
    ended = await documents.job(state="success", result={"n": [1, None]})
    assert await ann.get(document, id=ended) == {"result": {"n": [1, None]}, "progress": None}


async def test_counts_beyond_32_bits_are_exact(ann: Client, documents: Documents) -> None:
    many = 3_000_000_000
    await documents.job(state="inProgress", progress={"done": many, "total": 2 * many})
    await documents.batch(processed=many, total=3 * many)
    await documents.cron(skippedTicks=many)
    answer = await ann("""{ jobs { nodes { progress { done total } } }
      batches { nodes { processed remaining } } crons { nodes { skippedTicks } } }""")
    (job,), (batch,), (cron,) = (found["nodes"] for found in answer.data.values())
    assert job["progress"] == {"done": many, "total": 2 * many}
    assert batch == {"processed": many, "remaining": 2 * many}
    assert cron == {"skippedTicks": many}


@pytest.mark.parametrize("done", ["half", 0.5, 2**53, -(2**53), None, {"n": 1}, Decimal128("1")])
async def test_invalid_progress_fails_only_its_own_field(
    ann: Client, documents: Documents, done: Any
) -> None:
    await documents.job(state="inProgress", progress={"done": done})
    answer = await ann("{ jobs { nodes { state progress { done } } } viewer { id } }")
    assert answer.data["jobs"]["nodes"] == [{"state": "IN_PROGRESS", "progress": None}]
    assert answer.code == "MALFORMED_DOCUMENT"
    assert "done " in answer.message
    assert "must be a whole number" in answer.message
    assert answer.data["viewer"]


async def test_a_request_has_its_result(ann: Client, documents: Documents) -> None:
    request = await documents.request(state="completed", result="done", completedAt=DUE)
    document = "query($id: ID!) { request(id: $id) { state result completedAt } }"
    at = "2030-01-01T00:00:00.000Z"
    found = await ann.get(document, id=request)
    assert found == {"state": "COMPLETED", "result": "done", "completedAt": at}


async def test_only_admins_see_tracebacks(ann: Client, admin: Client, documents: Documents) -> None:
    job = await documents.job(state="failed", error=ERROR)
    document = "query($id: ID!) { job(id: $id) { error { name message traceback } } }"
    error = (await ann.get(document, id=job))["error"]
    assert error == {"name": "ValueError", "message": "no luck", "traceback": None}
    assert (await admin.get(document, id=job))["error"]["traceback"] == ERROR["traceback"]


async def test_a_timeline_has_every_change(ann: Client, documents: Documents) -> None:
    retried = {"seq": 2, "at": DUE, "from": "inProgress", "state": "pending", "attempt": 1}
    retried |= {"worker": "w", "nextRunAt": DUE, "error": ERROR}
    job = await documents.job(timeline=[retried])
    event = "seq at from state attempt workerId nextRunAt error { message traceback }"
    found = await ann.get(
        f"query($id: ID!) {{ job(id: $id) {{ timeline {{ {event} }} }} }}", id=job
    )
    at = "2030-01-01T00:00:00.000Z"
    assert found["timeline"] == [
        {
            "seq": 2, "at": at, "from": "IN_PROGRESS", "state": "PENDING", "attempt": 1,
            "workerId": "w", "nextRunAt": at, "error": {"message": "no luck", "traceback": None},
        }
    ]  # fmt: skip


BATCH = "query($id: ID!) { batch(id: $id) { processed remaining itemsPerSecond estimatedEnd } }"


async def test_a_batch_has_a_rate_and_an_estimated_end(
    ann: Client, engine: Engine, documents: Documents
) -> None:
    started = await engine.now() - timedelta(seconds=10)
    batch = await documents.batch(processed=5, total=10, createdAt=started)
    found = await ann.get(BATCH, id=batch)
    assert (found["processed"], found["remaining"]) == (5, 5)
    assert found["itemsPerSecond"] == pytest.approx(0.5, rel=0.2)
    assert found["estimatedEnd"] > (started + timedelta(seconds=19)).isoformat()


@pytest.mark.parametrize(
    ("fields", "remaining"),
    [({"processed": 0}, 10), ({"total": None}, None), ({"processed": 12, "total": 10}, 0)],
)
async def test_a_batch_without_a_rate_or_total_has_no_estimated_end(
    ann: Client, documents: Documents, fields: dict[str, Any], remaining: int | None
) -> None:
    found = await ann.get(BATCH, id=await documents.batch(**fields))
    assert (found["remaining"], found["estimatedEnd"]) == (remaining, None)


async def test_the_estimated_end_counts_the_delays(
    ann: Client, engine: Engine, documents: Documents
) -> None:
    started = await engine.now() - timedelta(seconds=1)
    hour, due = 3_600_000, datetime(2030, 1, 1, tzinfo=UTC)
    fields: dict[str, Any] = {
        "createdAt": started,
        "processed": 100,
        "total": 1_000,
        "delayMs": hour,
    }
    older = await ann.get(BATCH, id=await documents.batch(**fields))
    assert older["estimatedEnd"] > (started + timedelta(hours=8)).isoformat()
    newer = await documents.batch(**fields, nextPageTime=due, busyMs=1_000)
    end = due + timedelta(hours=8, seconds=9)
    assert (await ann.get(BATCH, id=newer))["estimatedEnd"] == format_instant(end)


async def test_an_ended_batch_keeps_its_rate(ann: Client, documents: Documents) -> None:
    completed_at = DUE + timedelta(seconds=5)
    batch = await documents.batch(state="done", processed=10, completedAt=completed_at)
    found = await ann.get(BATCH, id=batch)
    assert (found["itemsPerSecond"], found["estimatedEnd"]) == (2.0, None)


async def test_the_viewer_is_the_caller(ann: Client, admin: Client) -> None:
    document = "{ viewer { id roles isAdmin } }"
    assert await ann.get(document) == {"id": "ann", "roles": [], "isAdmin": False}
    assert await admin.get(document) == {"id": "root", "roles": ["admin"], "isAdmin": True}


@pytest.mark.parametrize("relation", ["children", "runs"])
async def test_a_page_of_related_jobs_may_exceed_the_document_size_of_mongodb(
    ann: Client, documents: Documents, relation: str
) -> None:
    source = {"children": "job", "runs": "cron"}[relation]
    origin = await getattr(documents, source)()
    cause = {"kind": source, "id": _document_id(origin)}
    for _ in range(80):
        await documents.job(cause=cause, result="x" * 250_000)
    kind = source.capitalize()
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {relation}(first: 70) "
    node = await ann.get(query + "{ nodes { id } pageInfo { hasNextPage } } } } }", id=origin)
    found = node[relation]
    assert (len(found["nodes"]), found["pageInfo"]["hasNextPage"]) == (70, True)


async def test_a_malformed_related_job_is_omitted_from_its_page(
    ann: Client, documents: Documents
) -> None:
    cron = await documents.cron()
    cause = {"kind": "cron", "id": _document_id(cron)}
    runs = [await documents.job(cause=cause) for _ in range(4)][::-1]
    await documents.job(cause=cause, attempt="many")
    query = "query($id: ID!) { cron(id: $id) { runs(first: 3) { nodes { id } pageInfo { %s } } } }"
    page = (await ann.get(query % "hasNextPage", id=cron))["runs"]
    assert [node["id"] for node in page["nodes"]] == runs[:3]
    assert page["pageInfo"]["hasNextPage"]
