"""Crons in the API: registering, pausing, resuming, deleting, and previews of schedules."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.api.documents import Documents
from tests.malformed import DUE

NEXT_RUNS = "query($id: ID!, $count: Int) { cron(id: $id) { nextRuns(count: $count) } }"
PREVIEW = "query($input: PreviewCronInput!) { previewCron(input: $input) }"
FAR = "2999-01-01T00:00:00Z"
PREVIEW_TICKS = """query($input: PreviewCronInput!) { previewTicks(input: $input) {
  dueAt localTime plannedTime note willRun } }"""
POLICIES = "query($id: ID!) { cron(id: $id) { schedule { ... on CronSchedule { onGap onFold } } } }"
PREVIEW_CHANGE = """query($input: PreviewCronChangeInput!) { previewCronChange(input: $input) {
  until } }"""
SCHEDULE = """query($id: ID!) { cron(id: $id) { schedule {
  ... on IntervalSchedule { ms } ... on CronSchedule { cronspec tz } } } }"""
TICKS = """{ jobs(filter: {internal: true, states: [PENDING]}) { nodes { id functionName
  cause { cron { name } } } } }"""


async def _register(client: Client, **input_: Any) -> dict[str, Any]:
    payload = await client.get(op.REGISTER_CRON, input={"name": "n", "intervalMs": 60_000} | input_)
    cron: dict[str, Any] = payload["cron"]
    return cron


def _instants(texts: list[str]) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in texts]


async def test_a_registered_cron_is_complete_and_has_a_tick(ann: Client) -> None:
    cron = await _register(ann)
    assert (cron["name"], cron["enabled"], cron["functionName"]) == ("n", True, "tasks.runTask")
    assert cron["args"] == {"name": "n"}
    (tick,) = (await ann.get(TICKS))["nodes"]
    assert (tick["functionName"], tick["cause"]["cron"]["name"]) == ("crons.executeCron", "n")


@pytest.mark.parametrize(
    ("input_", "schedule"),
    [
        ({"intervalMs": 2**33}, {"ms": 2**33}),
        (
            {"intervalMs": None, "cronspec": "0 9 * * MON", "tz": "Europe/Berlin"},
            {"cronspec": "0 9 * * MON", "tz": "Europe/Berlin"},
        ),
    ],
)
async def test_a_cron_has_an_interval_or_a_cronspec(
    ann: Client, input_: dict[str, Any], schedule: dict[str, Any]
) -> None:
    cron = await _register(ann, **input_)
    assert (await ann.get(SCHEDULE, id=cron["id"]))["schedule"] == schedule


async def test_a_taken_name_is_a_conflict_only_for_its_owner(ann: Client, bob: Client) -> None:
    await _register(ann)
    answer = await ann(op.REGISTER_CRON, input={"name": "n", "cronspec": "@daily"})
    assert answer.code == "CONFLICT"
    assert (await _register(bob))["name"] == "n"


async def test_a_cron_is_found_by_its_name(ann: Client) -> None:
    cron = await _register(ann, name="tea")
    found = await ann.get('{ cron(name: "tea") { id } }')
    assert found["id"] == cron["id"]


async def test_a_cron_has_a_warning_while_its_function_does_not_exist(
    ann: Client, documents: Documents
) -> None:
    await documents.cron(functionName="functions.deleted")
    await documents.cron(functionName="functions.greet")
    found = await ann.get("{ crons { nodes { functionName warnings { code message } } } }")
    warnings = {node["functionName"]: node["warnings"] for node in found["nodes"]}
    (warning,) = warnings["functions.deleted"]
    assert warning["code"] == "UNKNOWN_FUNCTION"
    assert "there is no function 'functions.deleted'" in warning["message"]
    assert warnings["functions.greet"] == []


@pytest.mark.parametrize("arguments", ["", '(id: "x", name: "n")'])
async def test_a_cron_is_looked_up_by_either_id_or_name(ann: Client, arguments: str) -> None:
    answer = await ann(f"{{ cron{arguments} {{ id }} }}")
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["id"]])


async def test_issues_of_all_checks_have_paths_in_the_input(ann: Client) -> None:
    input_ = {"name": "", "cronspec": "61 * * * *", "tz": "Mars", "args": []}
    answer = await ann(op.REGISTER_CRON, input=input_)
    assert answer.code == "BAD_REQUEST"
    assert sorted(str(path[1]) for path in answer.paths) == ["args", "cronspec", "name", "tz"]
    unknown = await ann(
        op.REGISTER_CRON, input={"name": "n", "cronspec": "@daily", "functionName": "a.b"}
    )
    assert unknown.paths == [["input", "functionName"]]


async def test_arguments_of_a_cron_are_checked_when_it_is_registered(ann: Client) -> None:
    input_ = {"name": "n", "intervalMs": 1_000, "functionName": "functions.greet", "args": {"x": 1}}
    answer = await ann(op.REGISTER_CRON, input=input_)
    assert {tuple(path) for path in answer.paths} == {
        ("input", "args", "name"),
        ("input", "args", "x"),
    }


async def test_arguments_of_a_cron_are_checked_with_its_other_fields(ann: Client) -> None:
    wrong = {"intervalMs": 5, "jitterMs": -1, "functionName": "functions.greet", "args": {}}
    answer = await ann(op.REGISTER_CRON, input={"name": "", **wrong})
    assert sorted(path[1] for path in answer.paths) == ["args", "intervalMs", "jitterMs", "name"]


async def test_a_cron_is_paused_resumed_and_deleted(ann: Client) -> None:
    input_ = {"cronId": (await _register(ann))["id"]}
    paused = await ann.get(op.PAUSE_CRON, input=input_)
    resumed = await ann.get(op.RESUME_CRON, input=input_)
    assert (paused["cron"]["enabled"], resumed["cron"]["enabled"]) == (False, True)
    assert paused["cron"]["version"] < resumed["cron"]["version"]
    assert await ann.get(op.DELETE_CRON, input=input_) == input_ | {"cron": None}
    assert (await ann.get(TICKS))["nodes"] == []
    assert (await ann(op.PAUSE_CRON, input=input_)).code == "NOT_FOUND"


async def test_crons_are_filtered(ann: Client, documents: Documents) -> None:
    running = await documents.cron()
    paused = await documents.cron(enabled=False, functionName="a.b")
    document = "query($filter: CronFilter) { crons(filter: $filter) { nodes { id } } }"
    for wanted, ids in (
        ({}, [paused, running]),
        ({"enabled": True}, [running]),
        ({"functionName": "a.b"}, [paused]),
    ):
        page = await ann.get(document, filter=wanted)
        assert [node["id"] for node in page["nodes"]] == ids


async def test_next_runs_start_with_the_next_run(ann: Client, documents: Documents) -> None:
    cron = await documents.cron()
    runs = (await ann.get(NEXT_RUNS, id=cron, count=3))["nextRuns"]
    assert _instants(runs) == [DUE + timedelta(minutes=minute) for minute in range(3)]


async def test_next_runs_of_a_paused_cron_are_computed_from_now(
    ann: Client, engine: Engine, documents: Documents
) -> None:
    cron = await documents.cron(enabled=False)
    now = await engine.now()
    (run,) = _instants((await ann.get(NEXT_RUNS, id=cron, count=1))["nextRuns"])
    assert timedelta(minutes=1) <= run - now < timedelta(minutes=2)


async def test_next_runs_pass_over_times_that_were_skipped_ahead(
    ann: Client, documents: Documents
) -> None:
    minute = timedelta(minutes=1)
    cron = await documents.cron(skippedTimes=[DUE + minute])
    runs = (await ann.get(NEXT_RUNS, id=cron, count=2))["nextRuns"]
    assert _instants(runs) == [DUE, DUE + 2 * minute]
    skipped = [DUE, DUE + minute]
    paused = await documents.cron(enabled=False, startAt=DUE, skippedTimes=skipped)
    (run,) = _instants((await ann.get(NEXT_RUNS, id=paused, count=1))["nextRuns"])
    assert run == DUE + 2 * minute


async def test_next_runs_end_at_end_at(ann: Client, documents: Documents) -> None:
    cron = await documents.cron(endAt=DUE + timedelta(minutes=2))
    runs = (await ann.get(NEXT_RUNS, id=cron, count=9))["nextRuns"]
    assert _instants(runs) == [DUE, DUE + timedelta(minutes=1)]


async def test_next_runs_has_five_by_default(ann: Client, documents: Documents) -> None:
    assert len((await ann.get(NEXT_RUNS, id=await documents.cron()))["nextRuns"]) == 5


@pytest.mark.parametrize("count", [0, 101])
async def test_number_of_next_runs_is_limited(
    ann: Client, documents: Documents, count: int
) -> None:
    answer = await ann(NEXT_RUNS, id=await documents.cron(), count=count)
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["count"]])


async def test_preview_cron_returns_the_next_runs(ann: Client) -> None:
    input_ = {"cronspec": "0 12 * * *", "tz": "Asia/Tokyo", "count": 2}
    first, second = await ann.get(PREVIEW, input=input_)
    assert first.endswith("T03:00:00.000Z")
    assert _instants([second])[0] - _instants([first])[0] == timedelta(days=1)


async def test_preview_cron_reports_invalid_input(ann: Client) -> None:
    answer = await ann(PREVIEW, input={"cronspec": "never", "count": 0})
    assert {tuple(path) for path in answer.paths} == {("input", "cronspec"), ("input", "count")}


async def test_resuming_a_cron_needs_the_role_of_its_function(clients: Clients) -> None:
    input_ = {"name": "n", "intervalMs": 60_000, "functionName": "functions.audit"}
    former, auditor = clients.of("ann"), clients.of("ann", "auditor")
    cron = (await auditor.get(op.REGISTER_CRON, input=input_))["cron"]
    assert (await former.get(op.PAUSE_CRON, input={"cronId": cron["id"]}))["cron"][
        "enabled"
    ] is False
    assert (await former(op.RESUME_CRON, input={"cronId": cron["id"]})).code == "FORBIDDEN"
    resumed = await auditor.get(op.RESUME_CRON, input={"cronId": cron["id"]})
    assert resumed["cron"]["enabled"] is True


@pytest.mark.parametrize("name", ["startAt", "endAt"])
@pytest.mark.parametrize("schedule", [{"cronspec": "@daily"}, {"intervalMs": 1_000}])
async def test_start_or_end_before_1970_is_rejected(
    ann: Client, name: str, schedule: dict[str, Any]
) -> None:
    cron = await _register(ann)
    early = schedule | {name: "0001-01-01T00:00:00Z"}
    change = {"cronId": cron["id"]} | early
    declared = {"managedBy": "x", "crons": [{"name": "m"} | early]}
    for document, input_, path in (
        (op.REGISTER_CRON, {"name": "m"} | early, []),
        (op.UPDATE_CRON, change, []),
        (PREVIEW_CHANGE, change, []),
        (op.APPLY_CRONS, declared, ["crons", 0]),
    ):
        answer = await ann(document, input=input_)
        assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", *path, name]])
        assert answer.message == f"{name} must not be before 1970, got 1"


@pytest.mark.parametrize("schedule", [{"cronspec": "0 0 */28 2 1#5"}, {"intervalMs": 1_000}])
async def test_start_in_the_far_future_is_rejected(ann: Client, schedule: dict[str, Any]) -> None:
    given = {"name": "n", "functionName": "functions.greet", "args": {"name": "x"}} | schedule
    answer = await ann(op.REGISTER_CRON, input=given | {"startAt": "9999-12-31T23:59:59Z"})
    assert answer.paths == [["input", "startAt"]]
    assert answer.message == "startAt must be before 3000, got 9999"
    last = given | {"startAt": "2999-12-31T23:59:59Z"}
    assert (await ann.get(op.REGISTER_CRON, input=last))["cron"]["enabled"]


async def test_preview_ticks_shows_what_clock_changes_and_exclusions_do(ann: Client) -> None:
    input_ = {
        "cronspec": "30 2 * * *",
        "tz": "Europe/Berlin",
        "from": "2026-03-28T01:30:00Z",
        "count": 3,
        "exclusions": {"dates": ["2026-03-30"]},
    }
    assert await ann.get(PREVIEW_TICKS, input=input_) == [
        _tick("2026-03-28T01:30", "2026-03-28T02:30:00+01:00", "2026-03-28T02:30", None),
        _tick("2026-03-29T01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T02:30", "MOVED"),
        _tick("2026-03-30T00:30", "2026-03-30T02:30:00+02:00", "2026-03-30T02:30", "EXCLUDED"),
    ]
    skipped = await ann.get(PREVIEW, input={**input_, "onGap": "SKIP"})
    assert [text[5:10] for text in skipped] == ["03-28", "03-31", "04-01"]


def _tick(due: str, local: str, planned: str, note: str | None) -> dict[str, Any]:
    return {
        "dueAt": f"{due}:00.000Z",
        "localTime": local,
        "plannedTime": f"{planned}:00",
        "note": note,
        "willRun": note != "EXCLUDED",
    }


async def test_preview_starts_an_interval_at_from(ann: Client) -> None:
    input_ = {"intervalMs": 60_000, "from": "2030-01-01T00:00:30Z", "count": 2}
    found = await ann.get(PREVIEW, input=input_)
    assert found == ["2030-01-01T00:00:30.000Z", "2030-01-01T00:01:30.000Z"]
    late = await ann(PREVIEW, input={**input_, "from": "3000-01-01T00:00:00Z"})
    assert late.paths == [["input", "from"]]


@pytest.mark.parametrize("document", [PREVIEW, PREVIEW_TICKS])
@pytest.mark.parametrize("schedule", [{"cronspec": "@daily"}, {"intervalMs": 60_000}])
@pytest.mark.parametrize("early", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z"])
async def test_preview_before_1970_is_rejected(
    ann: Client, document: str, schedule: dict[str, Any], early: str
) -> None:
    answer = await ann(document, input=schedule | {"from": early})
    assert (answer.code, answer.paths) == ("BAD_REQUEST", [["input", "from"]])
    assert answer.message == f"from must not be before 1970, got {int(early[:4])}"
    assert await ann.get(document, input=schedule | {"from": "1970-01-01T00:00:00Z"})


@pytest.mark.parametrize("document", [PREVIEW, PREVIEW_TICKS])
@pytest.mark.parametrize(
    "given", [{"cronspec": "0 0 29 2 */6"}, {"cronspec": "0 0 29 2 */7", "from": FAR}]
)
async def test_preview_of_rare_ticks_ends_with_the_dates(
    ann: Client, document: str, given: dict[str, Any]
) -> None:
    assert 100 < len(await ann.get(document, input=given | {"count": 1_000})) < 1_000


async def test_policies_for_clock_changes_are_stored(ann: Client) -> None:
    given = {"intervalMs": None, "cronspec": "@daily", "onGap": "SKIP", "onFold": "BOTH"}
    cron = await _register(ann, **given)
    found = await ann.get(POLICIES, id=cron["id"])
    assert found["schedule"] == {"onGap": "SKIP", "onFold": "BOTH"}
