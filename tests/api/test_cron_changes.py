"""Changes of crons in the API: inputs, errors, and rights."""

from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from ostinato.jobs.json_values import format_instant
from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.api.documents import Documents


async def _register(client: Client, **input_: Any) -> dict[str, Any]:
    payload = await client.get(op.REGISTER_CRON, input={"name": "n", "intervalMs": 60_000} | input_)
    cron: dict[str, Any] = payload["cron"]
    return cron


async def test_cron_is_updated_and_a_repeated_change_changes_nothing(ann: Client) -> None:
    cron = await _register(ann, endAt="2099-01-01T00:00:00Z")
    input_ = {"cronId": cron["id"], "expectedVersion": 1, "name": "tea", "endAt": None}
    changed = (await ann.get(op.UPDATE_CRON, input=input_))["cron"]
    assert (changed["name"], changed["args"], changed["version"]) == ("tea", {"name": "tea"}, 2)
    again = await ann(op.UPDATE_CRON, input=input_)
    assert again.code == "CONFLICT"
    assert again.errors[0].extensions == {"code": "CONFLICT", "currentVersion": 2}
    del input_["expectedVersion"]
    assert (await ann.get(op.UPDATE_CRON, input=input_))["cron"] == changed
    paused = await ann.get(op.UPDATE_CRON, input={"cronId": cron["id"], "enabled": False})
    assert not paused["cron"]["enabled"]


async def test_wrong_fields_of_a_change_have_paths_in_the_input(ann: Client) -> None:
    cron = await _register(ann)
    for wrong, paths in (
        ({"name": None, "overlap": None, "enabled": None}, ["enabled", "name", "overlap"]),
        ({"name": "", "jitterMs": -1, "args": []}, ["args", "jitterMs", "name"]),
        ({"cronspec": "61 * * * *", "tz": "Mars"}, ["cronspec", "tz"]),
        ({"functionName": "functions.missing"}, ["functionName"]),
        ({"functionName": "functions.greet", "args": {"x": 1}}, ["args", "args"]),
    ):
        answer = await ann(op.UPDATE_CRON, input={"cronId": cron["id"]} | wrong)
        assert answer.code == "BAD_REQUEST"
        assert sorted(str(path[1]) for path in answer.paths) == paths


async def test_changes_require_the_rights_of_the_function(ann: Client, clients: Clients) -> None:
    auditor = clients.of("ann", "auditor")
    cron = await _register(auditor, functionName="functions.audit")
    for document, changes in (
        (op.UPDATE_CRON, {"intervalMs": 1_000}),
        (op.TRIGGER_CRON, {}),
    ):
        input_ = {"cronId": cron["id"]} | changes
        assert (await ann(document, input=input_)).code == "FORBIDDEN"
        await auditor.get(document, input=input_)
    own = await _register(ann, name="own")
    answer = await ann(
        op.UPDATE_CRON, input={"cronId": own["id"], "functionName": "functions.audit"}
    )
    assert answer.paths == [["input", "functionName"]]


async def test_run_is_skipped_and_triggered(ann: Client) -> None:
    cron = await _register(ann)
    skipped = (await ann.get(op.SKIP_NEXT_RUN, input={"cronId": cron["id"]}))["cron"]
    assert skipped["nextRunTime"] > cron["nextRunTime"]
    input_ = {"cronId": cron["id"], "key": "k"}
    triggered = await ann.get(op.TRIGGER_CRON, input=input_)
    assert triggered["job"]["functionName"] == "tasks.runTask"
    assert triggered["cron"]["nextRunTime"] == skipped["nextRunTime"]
    again = await ann.get(op.TRIGGER_CRON, input=input_ | {"expectedVersion": 1})
    assert again["jobId"] == triggered["jobId"]
    refused = await ann(op.TRIGGER_CRON, input={"cronId": cron["id"]})
    assert refused.code == "PRECONDITION_FAILED"


@pytest.mark.parametrize("document", [op.PAUSE_CRON, op.RESUME_CRON, op.DELETE_CRON])
async def test_other_version_than_expected_is_a_conflict(
    ann: Client, documents: Documents, document: str
) -> None:
    cron = await documents.cron(version=7)
    answer = await ann(document, input={"cronId": cron, "expectedVersion": 6})
    assert answer.errors[0].extensions == {"code": "CONFLICT", "currentVersion": 7}


PREVIEW = """query($input: PreviewCronChangeInput!) { previewCronChange(input: $input) {
  until truncated unchangedCount addedCount removedCount movedCount
  added { tick startsAt } removed { tick } moved { before { tick } after { tick startsAt } } } }"""


async def test_change_is_previewed_and_not_made(ann: Client) -> None:
    cron = await _register(ann, intervalMs=3_600_000)
    input_ = {"cronId": cron["id"], "intervalMs": 1_800_000, "days": 1}
    found = await ann.get(PREVIEW, input=input_)
    assert (found["addedCount"], found["unchangedCount"]) == (24, 24)
    assert (len(found["added"]), found["moved"], found["truncated"]) == (24, [], False)
    paused = await ann.get(PREVIEW, input={"cronId": cron["id"], "enabled": False, "days": 30})
    assert (paused["removedCount"], len(paused["removed"]), paused["truncated"]) == (720, 100, True)
    after = await ann.get("query($id: ID!) { cron(id: $id) { version } }", id=cron["id"])
    assert after == {"version": 1}


async def test_wrong_changes_are_not_previewed(ann: Client, bob: Client) -> None:
    cron = await _register(ann)
    answer = await ann(PREVIEW, input={"cronId": cron["id"], "tz": "Mars", "days": 30})
    assert answer.paths == [["input", "tz"]]
    answer = await ann(PREVIEW, input={"cronId": cron["id"], "days": 367})
    assert answer.paths == [["input", "days"]]
    assert (await bob(PREVIEW, input={"cronId": cron["id"]})).code == "NOT_FOUND"


async def test_past_ticks_run_once(ann: Client, engine: Engine) -> None:
    cron = await _register(ann, overlap="ALLOW")
    now = await engine.now()
    period = {
        "from": format_instant(now - timedelta(minutes=10)), "to": format_instant(now)
    }  # fmt: skip
    input_ = {"cronId": cron["id"]} | period
    assert (await ann.get(op.BACKFILL_CRON, input=input_))["started"] == 10
    again = await ann.get(op.BACKFILL_CRON, input=input_)
    assert (again["started"], again["alreadyRan"]) == (0, 10)
    answer = await ann(op.BACKFILL_CRON, input=input_ | {"to": "2020-01-01T00:00:00Z"})
    assert answer.paths == [["input", "to"]]


async def test_set_of_crons_is_applied(ann: Client) -> None:
    crons = [{"name": "a", "cronspec": "@daily"}, {"name": "b", "intervalMs": 60_000}]
    input_ = {"managedBy": "deploy", "crons": crons}
    first = await ann.get(op.APPLY_CRONS, input=input_)
    assert first["created"] == [
        {"name": name, "managedBy": "deploy"} for name in ("a", "b")
    ]  # fmt: skip
    again = await ann.get(op.APPLY_CRONS, input=input_ | {"crons": crons[:1]})
    assert (again["unchanged"], len(again["deletedIds"])) == ([{"name": "a"}], 1)


async def test_wrong_crons_of_a_set_have_paths_with_their_positions(ann: Client) -> None:
    crons = [
        {"name": "", "cronspec": "61 * * * *"},
        {"name": "b", "intervalMs": 60_000, "functionName": "a.b"},
    ]
    answer = await ann(op.APPLY_CRONS, input={"managedBy": "deploy", "crons": crons})
    assert sorted(answer.paths) == [
        ["input", "crons", 0, "cronspec"], ["input", "crons", 0, "name"]
    ]  # fmt: skip
    answer = await ann(op.APPLY_CRONS, input={"managedBy": "deploy", "crons": crons[1:]})
    assert answer.paths == [["input", "crons", 0, "functionName"]]
    many = [{"name": str(n), "intervalMs": 60_000} for n in range(101)]
    answer = await ann(op.APPLY_CRONS, input={"managedBy": "deploy", "crons": many})
    assert answer.paths == [["input", "crons"]]
