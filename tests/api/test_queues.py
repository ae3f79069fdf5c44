"""Queues in the API: managing them, and job options."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from tests.api import operations as op
from tests.api.conftest import Client
from tests.malformed import valid_document

QUEUES = "{ queues { name paused weight pendingDue workers version } }"
PAUSE = """mutation($input: QueueInput!) {
  pauseQueue(input: $input) { queue { name paused weight pendingDue } } }"""
RESUME = """mutation($input: ResumeQueueInput!) {
  resumeQueue(input: $input) { queue { name paused weight version } } }"""
SCHEDULE = """mutation($input: ScheduleJobInput!) {
  scheduleJob(input: $input) { job { id queue priority timeoutMs } } }"""
IN_QUEUE = "query($filter: JobFilter) { jobs(filter: $filter) { nodes { id } } }"
GREET = {"functionName": "functions.greet", "args": {"name": "ann"}}
MAIL = {"queue": "mail"}


async def test_an_admin_pauses_and_resumes_a_queue(admin: Client, ann: Client) -> None:
    await ann.get(op.SCHEDULE_JOB, input=GREET | MAIL)
    paused = await admin.get(PAUSE, input=MAIL)
    expected = {"name": "mail", "paused": True, "weight": 1, "pendingDue": 1}
    assert paused["queue"] == expected
    (listed,) = await admin.get(QUEUES)
    assert listed == {**expected, "workers": 0, "version": 1}
    resumed = await admin.get(RESUME, input={**MAIL, "weight": 5})
    assert resumed["queue"] == {"name": "mail", "paused": False, "weight": 5, "version": 2}


async def test_queues_are_read_in_pages(admin: Client, ann: Client, engine: Engine) -> None:
    names = [f"q{number:03}" for number in range(150)]
    await engine.mongo["queues"].insert_many({"_id": name} for name in names[:140])
    for name in names[138:]:
        await ann.get(op.SCHEDULE_JOB, input=GREET | {"queue": name})
    first = await admin.get("{ queues { name pendingDue } }")
    assert [queue["name"] for queue in first] == names[:100]
    page = "query($after: String) { queues(first: 45, after: $after) { name pendingDue } }"
    second = await admin.get(page, after="q099")
    assert [queue["name"] for queue in second] == names[100:145]
    assert [queue["pendingDue"] for queue in second] == [0] * 38 + [1] * 7
    assert [queue["name"] for queue in await admin.get(page, after="q144")] == names[145:]


@pytest.fixture
async def profiled(engine: Engine) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Return a function that counts the commands of the engine since its call before."""
    database = engine.mongo.database

    async def count() -> int:
        await database.command("profile", 0)
        counted = await database["system.profile"].count_documents({})
        await database.drop_collection("system.profile")
        await database.command("profile", 2)
        return counted

    yield count
    await database.command("profile", 0)
    await database.drop_collection("system.profile")


async def test_number_of_queries_does_not_depend_on_the_number_of_queues(
    admin: Client, ann: Client, profiled: Callable[[], Awaitable[int]]
) -> None:
    for number in range(30):
        await ann.get(op.SCHEDULE_JOB, input=GREET | {"queue": f"q{number}"})
    await profiled()
    assert len(await admin.get(QUEUES)) == 30
    assert 0 < await profiled() < 10


@pytest.mark.parametrize("first", [0, 101, -1])
async def test_number_of_queues_on_a_page_is_limited(admin: Client, first: int) -> None:
    answer = await admin("query($n: Int) { queues(first: $n) { name } }", n=first)
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["first"]])
    assert answer.message == f"first must be 1 to 100, got {first}"


async def test_due_jobs_of_a_queue_are_counted_up_to_a_thousand(
    admin: Client, engine: Engine
) -> None:
    job = valid_document("jobs", "ann", scheduledTime=await engine.now() - timedelta(hours=1))
    lanes = ("default/", "default/:3") * 700
    await engine.mongo["jobs"].insert_many({**job, "_id": new_id(), "lane": lane} for lane in lanes)
    (queue,) = await admin.get(QUEUES)
    assert queue["pendingDue"] == 1_000


@pytest.mark.parametrize("document", [PAUSE, RESUME, QUEUES])
async def test_only_admins_can_list_pause_and_resume_queues(ann: Client, document: str) -> None:
    variables = {} if document == QUEUES else {"input": MAIL}
    assert (await ann(document, **variables)).code == "FORBIDDEN"


async def test_a_job_is_scheduled_with_queue_priority_and_timeout(ann: Client) -> None:
    options = {**MAIL, "priority": 9, "timeoutMs": 86_400_000}
    job = (await ann.get(SCHEDULE, input=GREET | options))["job"]
    assert {name: job[name] for name in options} == options
    plain = (await ann.get(SCHEDULE, input=GREET))["job"]
    assert (plain["queue"], plain["priority"], plain["timeoutMs"]) == ("default", 0, None)


async def test_all_invalid_job_options_are_reported_together(ann: Client, engine: Engine) -> None:
    options = {"queue": "No Queue", "priority": 10, "timeoutMs": 86_400_001}
    answer = await ann(SCHEDULE, input=GREET | options)
    paths = [["input", "queue"], ["input", "priority"], ["input", "timeoutMs"]]
    assert (answer.code, answer.paths) == ("BAD_REQUEST", paths)


@pytest.mark.parametrize("queue", ["", "x" * 65, "a/b", "a!", "Ä", "a\n"])
async def test_invalid_queue_name_is_rejected(admin: Client, queue: str) -> None:
    answer = await admin(PAUSE, input={"queue": queue})
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", "queue"]])


async def test_jobs_can_be_filtered_by_queue(ann: Client) -> None:
    mailed = (await ann.get(SCHEDULE, input=GREET | MAIL))["job"]["id"]
    await ann.get(SCHEDULE, input=GREET)
    page = await ann.get(IN_QUEUE, filter=MAIL)
    assert [node["id"] for node in page["nodes"]] == [mailed]
