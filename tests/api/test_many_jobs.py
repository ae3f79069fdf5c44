"""scheduleJobs, rescheduleJob, and retryJob with other arguments."""

from datetime import timedelta
from typing import Any

import pytest
from graphql import parse

from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from ostinato.schema.execution.document_limits import DocumentLimits, check_cost
from ostinato.schema.ids import parse_global_id
from tests.api import operations as op
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.malformed import DUE

GREET: dict[str, Any] = {"functionName": "functions.greet", "args": {"name": "ann"}}
MANY = op.mutation(
    "scheduleJobs", "ScheduleJobsInput", "jobIds nodes { id key tags scheduledTime }"
)
RESCHEDULE = op.mutation("rescheduleJob", "RescheduleJobInput", "job { id scheduledTime version }")
RETRY = """mutation($input: JobIdInput!, $args: JSON) { retryJob(input: $input, args: $args) {
  job { id args timeline { state argsChanged } } } }"""
LATER = (DUE + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


async def _count(engine: Engine) -> int:
    return await engine.mongo["jobs"].count_documents({})


async def test_many_jobs_are_scheduled_in_order(ann: Client, engine: Engine) -> None:
    jobs = [GREET | {"key": f"k{n}", "tags": [f"t{n}"], "runAt": LATER} for n in range(1_000)]
    payload = await ann.get(MANY, input={"jobs": jobs})
    assert payload["jobIds"] == [node["id"] for node in payload["nodes"]]
    assert [node["key"] for node in payload["nodes"]] == [f"k{n}" for n in range(1_000)]
    assert payload["nodes"][7]["tags"] == ["t7"]
    assert payload["nodes"][7]["scheduledTime"] == LATER
    assert await _count(engine) == 1_000
    again = await ann.get(MANY, input={"jobs": jobs[:2]})
    assert again["jobIds"] == payload["jobIds"][:2]
    assert await _count(engine) == 1_000


async def test_one_wrong_job_prevents_all_and_each_issue_names_its_job(
    ann: Client, engine: Engine
) -> None:
    jobs = [GREET, GREET | {"args": {"nam": "x"}}, GREET | {"functionName": "no.such"}]
    answer = await ann(MANY, input={"jobs": jobs})
    assert answer.code == "BAD_REQUEST"
    assert ["input", "jobs", 2, "functionName"] in answer.paths
    assert ["input", "jobs", 1, "args", "name"] in answer.paths
    assert await _count(engine) == 0


async def test_limits_of_each_job_are_checked(ann: Client) -> None:
    limits = [
        GREET,
        GREET | {"priority": 10, "tags": [""]},
        GREET | {"runAfterMs": 1, "runAt": LATER},
    ]
    answer = await ann(MANY, input={"jobs": limits})
    assert answer.paths == [
        ["input", "jobs", 1, "priority"],
        ["input", "jobs", 1, "tags", 0],
        ["input", "jobs", 2, "runAfterMs"],
        ["input", "jobs", 2, "runAt"],
    ]


async def test_number_and_keys_of_many_jobs_are_checked(ann: Client, engine: Engine) -> None:
    for jobs in ([], [GREET] * 1_001):
        assert (await ann(MANY, input={"jobs": jobs})).paths == [["input", "jobs"]]
    other = GREET | {"key": "k", "args": {"name": "bob"}}
    assert (await ann(MANY, input={"jobs": [GREET | {"key": "k"}, other]})).code == "CONFLICT"
    assert await _count(engine) == 0


async def test_many_jobs_are_one_entry_of_the_audit_log(ann: Client, engine: Engine) -> None:
    await ann.get(MANY, input={"jobs": [GREET, GREET]})
    await engine.audit.close()
    (entry,) = await engine.mongo["auditLog"].find({}).to_list(None)
    assert entry["input"] == {"jobs": 2, "functionNames": ["functions.greet"]}


async def test_a_pending_job_is_rescheduled_and_its_timeline_tells_it(
    ann: Client, engine: Engine
) -> None:
    job = (await ann.get(op.SCHEDULE_JOB, input=GREET))["job"]
    changed = (await ann.get(RESCHEDULE, input={"jobId": job["id"], "runAt": LATER}))["job"]
    assert (changed["scheduledTime"], changed["version"]) == (LATER, 2)
    stored = await engine.mongo["jobs"].find_one({})
    assert stored is not None
    last = stored["timeline"][-1]
    assert (last["from"], last["state"]) == ("pending", "pending")
    assert last["nextRunAt"] == stored["scheduledTime"]
    before = await engine.now()
    soon = {"jobId": job["id"], "runAfterMs": 1_000, "expectedVersion": 2}
    due = (await ann.get(RESCHEDULE, input=soon))["job"]["scheduledTime"]
    assert due > before.isoformat()[:19]
    answer = await ann(RESCHEDULE, input=soon)
    assert (answer.code, "version 3, not 2" in answer.message) == ("CONFLICT", True)


@pytest.mark.parametrize(
    "fields", [{"state": "inProgress"}, {"state": "failed"}, {"internal": True}]
)
async def test_other_jobs_cannot_be_rescheduled(
    ann: Client, bob: Client, documents: Documents, fields: dict[str, Any]
) -> None:
    job_id = await documents.job(**fields)
    given = {"jobId": job_id, "runAfterMs": 0}
    assert (await ann(RESCHEDULE, input=given)).code == "PRECONDITION_FAILED"
    assert (await bob(RESCHEDULE, input=given)).code == "NOT_FOUND"


async def test_a_reschedule_needs_one_time_within_five_years(
    ann: Client, documents: Documents
) -> None:
    job_id = await documents.job()
    for times, field in (
        ({}, "runAt"),
        ({"runAt": LATER, "runAfterMs": 1}, "runAt"),
        ({"runAfterMs": -1}, "runAfterMs"),
        ({"runAt": "2050-01-01T00:00:00Z"}, "runAt"),
    ):
        answer = await ann(RESCHEDULE, input={"jobId": job_id, **times})
        assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", field]])


async def test_a_rescheduled_job_is_not_claimed_early(ann: Client, engine: Engine) -> None:
    """The dispatcher has sent its id to a worker before it was rescheduled."""
    job = (await ann.get(op.SCHEDULE_JOB, input=GREET))["job"]
    await ann.get(RESCHEDULE, input={"jobId": job["id"], "runAfterMs": 60_000})
    job_id = parse_global_id(job["id"])[1]
    assert await engine.store.claim([job_id], "w1", "t1", await engine.clock.read()) == []
    await engine.advance(60_000)
    (claimed,) = await engine.store.claim([job_id], "w1", "t2", await engine.clock.read())
    assert claimed is not None


async def test_a_reservation_of_a_rate_limit_is_given_up(ann: Client, engine: Engine) -> None:
    job_id = (await ann.get(op.SCHEDULE_JOB, input=GREET))["job"]["id"]
    jobs = engine.mongo["jobs"]
    before = await jobs.find_one_and_update({}, [{"$set": {"lane": {"$concat": ["$lane", "!"]}}}])
    await ann.get(RESCHEDULE, input={"jobId": job_id, "runAfterMs": 5})
    stored = await jobs.find_one({})
    assert before is not None
    assert stored is not None
    assert stored["lane"] == before["lane"]


def test_each_of_many_jobs_adds_to_the_cost(settings: Settings) -> None:
    limits = DocumentLimits.of(settings)
    document = parse(MANY)
    costs = [
        check_cost(document, None, {"input": {"jobs": [None] * count}}, limits) for count in (1, 11)
    ]
    of_variable = 2  # 55 bytes
    assert costs[1] - costs[0] - 10 * (5 + 4) in range(of_variable)
    literal = parse('mutation { scheduleJobs(input: {jobs: [{functionName: "a"}]}) { jobIds } }')
    assert check_cost(literal, None, {}, limits) == 1 + 50 + 5 + 1


async def test_a_job_is_retried_with_other_arguments(ann: Client, engine: Engine) -> None:
    job_id = (await ann.get(op.SCHEDULE_JOB, input=GREET))["job"]["id"]
    await ann.get(op.CANCEL_JOB, input={"jobId": job_id})
    wrong = await ann(RETRY, input={"jobId": job_id}, args={"name": 7})
    assert (wrong.code, wrong.paths) == ("BAD_REQUEST", [["args", "name"]])
    assert (await ann(RETRY, input={"jobId": job_id}, args=[1])).paths == [["args"]]
    job = (await ann.get(RETRY, input={"jobId": job_id}, args={"name": "$owner"}))["job"]
    assert job["args"] == {"name": "$owner", "times": 1}
    assert [event["argsChanged"] for event in job["timeline"]] == [False, False, True]


async def test_new_arguments_need_the_right_to_schedule_the_function(
    ann: Client, admin: Client, documents: Documents
) -> None:
    job_id = await documents.job(
        functionName="functions.hidden", state="canceled", retry={"retries": 0}
    )
    assert (await ann(RETRY, input={"jobId": job_id}, args={})).code == "FORBIDDEN"
    assert (await admin(RETRY, input={"jobId": job_id}, args={})).code == "FORBIDDEN"
