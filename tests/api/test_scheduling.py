"""Jobs in the API: scheduling and its errors, canceling, retrying, filters and orders."""

from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.registry import Function
from tests.api import operations as op
from tests.api.conftest import FUNCTIONS, Client, Clients
from tests.api.documents import Documents
from tests.malformed import DUE

GREET = {"functionName": "functions.greet", "args": {"name": "ann"}}
FILTERED = """query($filter: JobFilter, $orderBy: JobOrder) {
  jobs(filter: $filter, orderBy: $orderBy) { nodes { id } } }"""


async def _ids(client: Client, **variables: Any) -> list[str]:
    page = await client.get(FILTERED, **variables)
    return [node["id"] for node in page["nodes"]]


async def test_a_scheduled_job_is_complete_and_due_now(ann: Client, engine: Engine) -> None:
    payload = await ann.get(op.SCHEDULE_JOB, input=GREET)
    job = payload["job"]
    assert payload["jobId"] == job["id"]
    assert (job["state"], job["owner"]) == ("PENDING", "ann")
    assert job["args"] == {"name": "ann", "times": 1}
    assert (await ann.get(op.LOOKUPS["job"], id=job["id"]))["id"] == job["id"]


async def test_a_job_can_be_due_later_or_at_a_time(ann: Client, engine: Engine) -> None:
    at = "2026-12-31T12:00:00.000Z"
    fixed = await ann.get(op.SCHEDULE_JOB, input=GREET | {"runAt": at})
    assert fixed["job"]["scheduledTime"] == at
    before = await engine.now() + timedelta(days=30)
    later = await ann.get(op.SCHEDULE_JOB, input=GREET | {"runAfterMs": 30 * 86_400_000})
    assert later["job"]["scheduledTime"] >= before.isoformat()[:19]


async def test_a_past_time_is_accepted_unchanged(ann: Client) -> None:
    at = "2001-01-01T00:00:00.000Z"
    payload = await ann.get(op.SCHEDULE_JOB, input=GREET | {"runAt": at})
    assert payload["job"]["scheduledTime"] == at


async def test_time_more_than_five_years_ahead_is_rejected(ann: Client) -> None:
    answer = await ann(op.SCHEDULE_JOB, input=GREET | {"runAt": "2040-01-01T00:00:00Z"})
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", "runAt"]])


async def test_issues_of_the_arguments_are_reported_with_those_of_other_fields(
    ann: Client,
) -> None:
    wrong = {"functionName": "functions.greet", "args": {"times": "x"}, "runAfterMs": -1}
    answer = await ann(op.SCHEDULE_JOB, input=wrong)
    assert answer.code == "BAD_REQUEST"
    assert sorted(answer.paths) == [
        ["input", "args", "name"],
        ["input", "args", "times"],
        ["input", "runAfterMs"],
    ]


async def test_an_unknown_function_is_reported_with_other_wrong_fields(ann: Client) -> None:
    answer = await ann(op.SCHEDULE_JOB, input={"functionName": "no.such", "priority": 10})
    assert answer.paths == [["input", "priority"], ["input", "functionName"]]


@pytest.mark.parametrize("args", [[1], {"a": "\0"}], ids=["no object", "not storable"])
async def test_wrong_arguments_have_one_issue_beside_other_wrong_fields(
    ann: Client, args: object
) -> None:
    wrong = {"functionName": "functions.greet", "args": args, "priority": 10}
    answer = await ann(op.SCHEDULE_JOB, input=wrong)
    assert answer.paths == [["input", "args"], ["input", "priority"]]


async def test_an_unknown_function_is_an_issue(ann: Client) -> None:
    answer = await ann(op.SCHEDULE_JOB, input={"functionName": "no.such"})
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", "functionName"]])


@pytest.fixture
def loaded_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the functions that other tests have loaded in this process, such as examples'."""
    loaded = {function.name: function for function in engine.registry if _is_loaded(function)}
    monkeypatch.setattr(engine.registry, "_functions", loaded)


def _is_loaded(function: Function) -> bool:
    return function.call.__module__ == FUNCTIONS or function.call.__module__.startswith("ostinato.")


@pytest.mark.usefixtures("loaded_alone")
@pytest.mark.parametrize("name", ["functions.gret", "function.greet", "Greet"])
async def test_a_similar_function_is_suggested_for_an_unknown_one(ann: Client, name: str) -> None:
    answer = await ann(op.SCHEDULE_JOB, input={"functionName": name})
    assert answer.message == (
        f"there is no function {name!r}: did you mean 'functions.greet'? "
        "`functions` lists those that exist"
    )


@pytest.mark.usefixtures("loaded_alone")
@pytest.mark.parametrize("name", ["functions.hiden", "hidden", "functions.audi", "audit"])
async def test_a_function_that_the_viewer_may_not_call_is_not_suggested(
    ann: Client, clients: Clients, name: str
) -> None:
    answer = await ann(op.SCHEDULE_JOB, input={"functionName": name})
    assert "did you mean" not in answer.message
    answer = await clients.of("eve", "auditor")(op.SCHEDULE_JOB, input={"functionName": name})
    assert ("did you mean 'functions.audit'?" in answer.message) == ("audi" in name)


async def test_all_invalid_arguments_are_reported_together(ann: Client) -> None:
    input_ = {"functionName": "functions.greet", "args": {"times": "x", "nme": "ann"}}
    answer = await ann(op.SCHEDULE_JOB, input=input_)
    assert answer.code == "BAD_REQUEST"
    assert {tuple(path) for path in answer.paths} == {
        ("input", "args", "name"),
        ("input", "args", "times"),
        ("input", "args", "nme"),
    }


@pytest.mark.parametrize(
    ("function", "name", "hint"),
    [
        ("greet", "nme", ": did you mean 'name'?"),
        ("greet", "Times", ": did you mean 'times'?"),
        ("greet", "xyz", "; use name, times"),
        ("callOut", "name", "; the function takes none"),
    ],
)
async def test_a_similar_argument_is_suggested_for_an_unknown_one(
    ann: Client, function: str, name: str, hint: str
) -> None:
    input_ = {"functionName": f"functions.{function}", "args": {name: 1}}
    issues = (await ann(op.SCHEDULE_JOB, input=input_)).issues
    message = f"args.{name}: there is no argument {name!r}{hint}"
    assert {
        "path": ["input", "args", name],
        "message": message,
        "code": "extra_forbidden",
    } in issues


@pytest.mark.parametrize(
    ("function", "roles", "code"),
    [
        ("functions.hidden", (), "BAD_REQUEST"),
        ("functions.hidden", ("admin",), "FORBIDDEN"),
        ("functions.audit", (), "BAD_REQUEST"),
        ("functions.audit", ("auditor",), None),
        ("crons.executeCron", ("admin",), "FORBIDDEN"),
    ],
)
async def test_a_viewer_may_schedule_public_functions_and_those_of_its_roles(
    clients: Clients, function: str, roles: tuple[str, ...], code: str | None
) -> None:
    client = clients.of("ann", *roles)
    for document, fields in (
        (op.SCHEDULE_JOB, {}),
        (op.REGISTER_CRON, {"name": "n", "intervalMs": 1_000}),
        (op.START_TASK, {"taskId": "t", "intervalMs": 1_000}),
    ):
        answer = await client(document, input={"functionName": function} | fields)
        assert answer.code == code


@pytest.mark.parametrize("name", ["functions.hidden", "functions.audit", "crons.executeCron"])
async def test_functions_that_a_viewer_cannot_use_look_as_if_they_did_not_exist(
    ann: Client, name: str
) -> None:
    unknown = name[:-1] + "x"
    hidden, missing = [
        await ann(op.SCHEDULE_JOB, input={"functionName": function_name})
        for function_name in (name, unknown)
    ]
    assert hidden.issues[0] | {"message": ""} == missing.issues[0] | {"message": ""}
    assert hidden.message == missing.message.replace(unknown, name)


async def test_retrying_a_job_needs_the_role_of_its_function(
    clients: Clients, documents: Documents
) -> None:
    job = await documents.job(functionName="functions.audit", state="failed")
    former, auditor = clients.of("ann"), clients.of("ann", "auditor")
    answer = await former(op.RETRY_JOB, input={"jobId": job})
    assert answer.code == "FORBIDDEN"
    assert "requires the role auditor" in answer.message
    assert (await auditor.get(op.RETRY_JOB, input={"jobId": job}))["job"]["state"] == "PENDING"


async def test_owners_can_retry_jobs_of_functions_that_only_functions_schedule(
    ann: Client, documents: Documents
) -> None:
    job = await documents.job(functionName="functions.hidden", state="failed")
    assert (await ann.get(op.RETRY_JOB, input={"jobId": job}))["job"]["state"] == "PENDING"


async def test_the_same_key_returns_the_same_job(ann: Client, bob: Client) -> None:
    first, again, bobs = [
        await client.get(op.SCHEDULE_JOB, input=GREET | {"key": "k"}) for client in (ann, ann, bob)
    ]
    assert first["jobId"] == again["jobId"] != bobs["jobId"]


async def test_the_same_key_with_other_arguments_is_a_conflict(ann: Client) -> None:
    await ann.get(op.SCHEDULE_JOB, input=GREET | {"key": "k"})
    answer = await ann(op.SCHEDULE_JOB, input=GREET | {"key": "k", "args": {"name": "bob"}})
    assert answer.code == "CONFLICT"


async def test_a_pending_job_is_canceled(ann: Client, documents: Documents) -> None:
    payload = await ann.get(op.CANCEL_JOB, input={"jobId": await documents.job()})
    assert payload["job"]["state"] == "CANCELED"


@pytest.mark.parametrize("state", ["success", "failed", "canceled"])
async def test_ended_job_cannot_be_canceled(ann: Client, documents: Documents, state: str) -> None:
    identifier = await documents.job(state=state)
    assert (await ann(op.CANCEL_JOB, input={"jobId": identifier})).code == "PRECONDITION_FAILED"


@pytest.mark.parametrize("state", ["pending", "inProgress", "success"])
async def test_a_job_that_has_not_failed_cannot_be_retried(
    ann: Client, documents: Documents, state: str
) -> None:
    identifier = await documents.job(state=state)
    assert (await ann(op.RETRY_JOB, input={"jobId": identifier})).code == "PRECONDITION_FAILED"


@pytest.mark.parametrize("document", [op.CANCEL_JOB, op.RETRY_JOB])
async def test_internal_jobs_cannot_be_canceled_or_retried(
    clients: Clients, documents: Documents, document: str
) -> None:
    identifier = await documents.job(internal=True, state="failed")
    for client in (clients.of("ann"), clients.of("root", "admin")):
        answer = await client(document, input={"jobId": identifier})
        assert answer.code == "PRECONDITION_FAILED"


async def test_internal_jobs_are_listed_only_if_requested(
    ann: Client, documents: Documents
) -> None:
    own, systems = await documents.job(), await documents.job(internal=True)
    assert await _ids(ann) == [own]
    assert await _ids(ann, filter={}) == [own]
    assert await _ids(ann, filter={"internal": True}) == [systems]
    assert await _ids(ann, filter={"internal": None}) == [systems, own]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"state": "failed"}, {"states": ["FAILED", "SUCCESS"]}),
        ({"functionName": "a.b"}, {"functionName": "a.b"}),
        ({"cause": {"kind": "cron", "id": "c" * 24}}, {"cause": "CRON"}),
        ({"scheduledTime": DUE + timedelta(days=1)}, {"scheduledFrom": "2030-01-02T00:00:00Z"}),
        ({"scheduledTime": DUE - timedelta(days=1)}, {"scheduledTo": "2030-01-01T00:00:00Z"}),
    ],
)
async def test_a_filter_returns_matching_jobs(
    ann: Client, documents: Documents, fields: dict[str, Any], wanted: dict[str, Any]
) -> None:
    await documents.job()
    assert await _ids(ann, filter=wanted) == []
    matching = await documents.job(**fields)
    assert await _ids(ann, filter=wanted) == [matching]


async def test_jobs_can_be_listed_in_each_order(ann: Client, documents: Documents) -> None:
    late, early = await documents.job(), await documents.job(scheduledTime=DUE - timedelta(days=1))
    assert await _ids(ann) == await _ids(ann, orderBy="NEWEST") == [early, late]
    assert await _ids(ann, orderBy="OLDEST") == [late, early]
    assert await _ids(ann, orderBy="SCHEDULED_ASC") == [early, late]
    assert await _ids(ann, orderBy="SCHEDULED_DESC") == [late, early]


async def test_a_list_is_paged_with_cursors(ann: Client, documents: Documents) -> None:
    inserted = [await documents.job() for _ in range(3)]
    first = await ann.get(op.LISTS["jobs"], first=2)
    assert first["pageInfo"]["hasNextPage"] is True
    rest = await ann.get(op.LISTS["jobs"], after=first["pageInfo"]["endCursor"])
    assert [node["id"] for node in first["nodes"] + rest["nodes"]] == inserted[::-1]
    assert rest["pageInfo"]["hasNextPage"] is False


async def test_invalid_paging_arguments_are_rejected(ann: Client) -> None:
    answer = await ann('{ jobs(first: 101, last: 1, after: "x") { nodes { id } } }')
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["first"], ["last"], ["after"]])
