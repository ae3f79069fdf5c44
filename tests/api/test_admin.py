"""What admins can do with the objects of others, beyond what the owners can do."""

import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.schema.ids import global_id
from tests.api import operations as op
from tests.api.conftest import Client
from tests.api.documents import Documents


async def test_stopping_a_task_takes_exactly_one_of_its_ids(ann: Client) -> None:
    both = {"taskId": "t", "recurringTaskId": global_id("RecurringTask", new_id())}
    for given in ({}, both, {"taskId": None}):
        answer = await ann(op.STOP_TASK, input=given)
        assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", "taskId"]])
        assert answer.message == "send exactly one of taskId and recurringTaskId"


async def test_unknown_id_of_a_task_and_that_of_another_owner_are_answered_alike(
    bob: Client, documents: Documents
) -> None:
    for identifier in (await documents.recurring_task(), global_id("RecurringTask", new_id())):
        answer = await bob(op.STOP_TASK, input={"recurringTaskId": identifier})
        assert (answer.code, answer.message) == (
            "NOT_FOUND",
            "you have no recurring task with this id",
        )


async def test_admin_stops_a_malformed_task_by_its_id(
    admin: Client, documents: Documents, engine: Engine
) -> None:
    identifier = await documents.recurring_task(intervalMs="often")
    answer = await admin(op.STOP_TASK, input={"recurringTaskId": identifier})
    assert answer.code == "MALFORMED_DOCUMENT"
    stored = await engine.mongo["taskConfigs"].find_one({})
    assert (stored or {})["enabled"] is False


@pytest.mark.parametrize(
    ("state", "after"), [("pending", "CANCELED"), ("inProgress", "IN_PROGRESS")]
)
async def test_admin_cancels_an_internal_job(
    admin: Client, ann: Client, documents: Documents, state: str, after: str
) -> None:
    tick = await documents.job(internal=True, functionName="crons.executeCron", state=state)
    assert (await ann(op.CANCEL_JOB, input={"jobId": tick})).code == "PRECONDITION_FAILED"
    canceled = await admin.get(op.CANCEL_JOB, input={"jobId": tick})
    assert canceled["job"]["state"] == after
    assert (await admin(op.RETRY_JOB, input={"jobId": tick})).code == "PRECONDITION_FAILED"
