"""Queues in the API: managing them, and job options."""

import pytest

from ostinato.jobs.engine import Engine
from tests.api import operations as op
from tests.api.conftest import Client

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
