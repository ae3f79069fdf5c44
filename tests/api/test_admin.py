"""What admins can do with the objects of others, beyond what the owners can do."""

from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.schema.ids import global_id
from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.api.documents import Documents

pytestmark = pytest.mark.audit("suspension and purge")


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


OWNER = "{ suspendedAt suspendedBy suspensionReason purgeRequestedAt purgedAt roles id }"
OWNER_MUTATIONS = {
    "suspendOwner": op.mutation("suspendOwner", "SuspendOwnerInput", f"owner {OWNER}"),
    "resumeOwner": op.mutation("resumeOwner", "OwnerInput", f"owner {OWNER}"),
    "purgeOwner": op.mutation("purgeOwner", "OwnerInput", f"owner {OWNER}"),
}
OWNER_QUERIES = {
    "owner": f'{{ owner(id: "ann") {OWNER} }}',
    "suspendedOwners": f"{{ suspendedOwners {{ nodes {OWNER} }} }}",
}
NEW_WORK: dict[str, tuple[str, dict[str, Any]]] = {
    "registerCron": (op.REGISTER_CRON, {"name": "n", "cronspec": "@daily"}),
    "scheduleJob": (op.SCHEDULE_JOB, {"functionName": "tasks.runTask", "args": {"name": "x"}}),
    "startRecurringTask": (op.START_TASK, {"taskId": "t", "intervalMs": 1_000}),
    "addItems": (op.ADD_ITEMS, {"items": [1]}),
    "startBatch": (op.START_BATCH, {}),
    "createWithTimeout": (op.CREATE_WITH_TIMEOUT, {"data": 1}),
}
ANN = {"owner": "ann"}


async def read_all_pages(admin: Client, name: str, size: int) -> list[str]:
    """Return the ids of a list, read forwards in pages; the last page is read backwards, too."""
    page = f"{name}(first: $first, after: $after, last: $last, before: $before)"
    variables = "$first: Int, $after: String, $last: Int, $before: String"
    fields = "nodes { id } pageInfo { startCursor endCursor hasNextPage }"
    query = f"query({variables}) {{ {page} {{ {fields} }} }}"
    found: list[str] = []
    after = None
    while True:
        read = await admin.get(query, first=size, after=after)
        ids = [node["id"] for node in read["nodes"]]
        found += ids
        after = read["pageInfo"]["endCursor"]
        if not read["pageInfo"]["hasNextPage"]:
            break
    back = await admin.get(query, last=size, before=read["pageInfo"]["startCursor"])
    before_last = found[: -len(ids)][-size:]
    assert [node["id"] for node in back["nodes"]] == before_last
    return found


async def suspend(admin: Client, reason: str | None = None) -> dict[str, Any]:
    payload = await admin.get(OWNER_MUTATIONS["suspendOwner"], input={**ANN, "reason": reason})
    owner: dict[str, Any] = payload["owner"]
    return owner


@pytest.mark.parametrize("name", NEW_WORK)
async def test_new_work_of_a_suspended_owner_is_rejected(
    admin: Client, ann: Client, bob: Client, name: str
) -> None:
    document, input_ = NEW_WORK[name]
    await suspend(admin, "spam")
    answer = await ann(document, input=input_)
    assert answer.code == "OWNER_SUSPENDED"
    assert answer.message.startswith("the user 'ann' is suspended (spam): no new work is accepted")
    assert (await bob(document, input=input_)).code is None
    await admin.get(OWNER_MUTATIONS["resumeOwner"], input=ANN)
    assert (await ann(document, input=input_)).code is None


async def test_work_of_a_suspended_owner_can_be_seen_and_ended_but_not_started_again(
    admin: Client, ann: Client, documents: Documents
) -> None:
    pending, failed = await documents.job(), await documents.job(state="failed")
    cron = await documents.cron(enabled=False)
    await suspend(admin)
    for client in (ann, admin):
        assert (await client(op.RETRY_JOB, input={"jobId": failed})).code == "OWNER_SUSPENDED"
        assert (await client(op.RESUME_CRON, input={"cronId": cron})).code == "OWNER_SUSPENDED"
    canceled = await ann.get(op.CANCEL_JOB, input={"jobId": pending})
    assert canceled["job"]["state"] == "CANCELED"
    assert (await ann(op.DELETE_CRON, input={"cronId": cron})).code is None


async def test_admins_see_who_is_suspended_and_why(admin: Client, engine: Engine) -> None:
    suspended = await suspend(admin, "spam")
    assert (suspended["id"], suspended["suspendedBy"]) == ("ann", "root")
    assert suspended["suspensionReason"] == "spam"
    assert await admin.get(OWNER_QUERIES["suspendedOwners"]) == {"nodes": [suspended]}
    assert await admin.get(OWNER_QUERIES["owner"]) == suspended
    resumed = (await admin.get(OWNER_MUTATIONS["resumeOwner"], input=ANN))["owner"]
    assert {resumed[name] for name in ("suspendedAt", "suspendedBy", "suspensionReason")} == {None}
    assert await admin.get(OWNER_QUERIES["suspendedOwners"]) == {"nodes": []}


async def test_suspended_owners_are_paged_whatever_their_ids_are(
    admin: Client, engine: Engine
) -> None:
    now = await engine.now()
    ids = ["a", "auth0|b:c", "d:" * 40, "é\n", *map(str, range(8))]
    documents = [
        {"_id": each, "suspendedAt": now - timedelta(minutes=n // 3)} for n, each in enumerate(ids)
    ]
    await engine.mongo["owners"].insert_many(documents)
    assert sorted(await read_all_pages(admin, "suspendedOwners", size=5)) == sorted(ids)


async def test_purge_requires_a_suspension_and_blocks_the_resumption(admin: Client) -> None:
    answer = await admin(OWNER_MUTATIONS["purgeOwner"], input=ANN)
    assert answer.code == "PRECONDITION_FAILED"
    assert answer.message.startswith("'ann' is not suspended: suspend the owner first")
    await suspend(admin)
    purging = (await admin.get(OWNER_MUTATIONS["purgeOwner"], input=ANN))["owner"]
    assert (purging["purgeRequestedAt"] is None, purging["purgedAt"]) == (False, None)
    assert (await admin(OWNER_MUTATIONS["resumeOwner"], input=ANN)).code == "PRECONDITION_FAILED"


async def test_admins_cannot_suspend_themselves(admin: Client) -> None:
    answer = await admin(OWNER_MUTATIONS["suspendOwner"], input={"owner": "root"})
    assert answer.code == "PRECONDITION_FAILED"


@pytest.mark.parametrize(
    ("given", "path"), [({"owner": ""}, "owner"), ({**ANN, "reason": "x" * 501}, "reason")]
)
async def test_invalid_input_about_an_owner_is_rejected(
    admin: Client, given: dict[str, str], path: str
) -> None:
    answer = await admin(OWNER_MUTATIONS["suspendOwner"], input=given)
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", path]])


@pytest.mark.parametrize("name", [*OWNER_MUTATIONS, *OWNER_QUERIES])
async def test_only_admins_manage_owners(clients: Clients, name: str) -> None:
    is_query = name in OWNER_QUERIES
    document = OWNER_QUERIES[name] if is_query else OWNER_MUTATIONS[name]
    variables = {} if is_query else {"input": ANN}
    assert (await clients.of("ann")(document, **variables)).code == "FORBIDDEN"
    assert (await clients.of("eve", "auditor")(document, **variables)).code == "FORBIDDEN"
    assert (await clients.anonymous()(document, **variables)).code == "UNAUTHORIZED"


@pytest.mark.parametrize("collection", ["crons", "taskConfigs"])
async def test_what_a_suspension_paused_shows_the_reason(
    ann: Client, documents: Documents, collection: str
) -> None:
    paused: dict[str, Any] = {"enabled": False, "pausedBecause": "ownerSuspended"}
    insert = documents.cron if collection == "crons" else documents.recurring_task
    identifier = await insert(**paused)
    kind = "Cron" if collection == "crons" else "RecurringTask"
    document = f"query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ warnings {{ code }} }} }} }}"
    found = await ann.get(document, id=identifier)
    assert found["warnings"] == [{"code": "OWNER_SUSPENDED"}]
