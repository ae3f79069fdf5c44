"""Calendars and exclusions in the API: who changes calendars, and which ticks they remove."""

from typing import Any

import pytest

from ostinato.jobs.engine import Engine
from tests.api import operations as op
from tests.api.conftest import Client, Clients

CHANGE = """mutation($input: CalendarInput!) { %sCalendar(input: $input) {
  name calendar { name description dates ranges { first last } version } } }"""
CREATE, REPLACE = CHANGE % "create", CHANGE % "replace"
DELETE = """mutation($name: String!) {
  deleteCalendar(input: {name: $name}) { name calendar { name } } }"""
CALENDARS = "query($after: String) { calendars(first: 50, after: $after) { name dates } }"
PREVIEW_CHANGE = """query($input: PreviewCronChangeInput!) { previewCronChange(input: $input) {
  until } }"""
CRON = """query($id: ID!) { cron(id: $id) { nextRunTime nextRuns(count: 3)
  nextTicks(count: 3) { localTime note willRun } warnings { code message }
  exclusions { weekdays dates ranges { first last } calendar } } }"""
HOLIDAYS = {"name": "holidays", "dates": ["2030-12-26", "2030-12-25", "2030-12-25"]}
NIGHTLY = {"name": "n", "cronspec": "0 1 * * *", "tz": "Europe/Berlin"}


@pytest.fixture
def admin(clients: Clients) -> Client:
    return clients.of("root", "admin")


async def test_an_admin_creates_replaces_and_deletes_a_calendar(admin: Client, ann: Client) -> None:
    created = (await admin.get(CREATE, input=HOLIDAYS))["calendar"]
    assert (created["dates"], created["version"]) == (["2030-12-25", "2030-12-26"], 1)
    assert (await admin(CREATE, input=HOLIDAYS)).code == "CONFLICT"
    days = {"ranges": [{"first": "2031-01-01", "last": "2031-01-06"}], "description": "x"}
    replaced = (await admin.get(REPLACE, input={"name": "holidays", **days}))["calendar"]
    assert replaced == {"name": "holidays", "dates": [], "version": 2, **days}
    assert [each["name"] for each in await ann.get(CALENDARS)] == ["holidays"]
    assert await ann.get(CALENDARS, after="holidays") == []
    assert await admin.get(DELETE, name="holidays") == {"name": "holidays", "calendar": None}
    assert (await admin(REPLACE, input=HOLIDAYS)).code == "NOT_FOUND"


async def test_a_calendar_in_use_cannot_be_deleted_and_the_error_names_the_crons(
    admin: Client, ann: Client
) -> None:
    await admin.get(CREATE, input=HOLIDAYS)
    exclusions = {"calendar": "holidays"}
    await ann.get(op.REGISTER_CRON, input={**NIGHTLY, "exclusions": exclusions})
    refused = await admin(DELETE, name="holidays")
    assert refused.code == "PRECONDITION_FAILED"
    assert refused.message.startswith("1 cron excludes its days: 'n' of 'ann'; remove the calendar")
    unknown = await ann(op.REGISTER_CRON, input={**NIGHTLY, "exclusions": {"calendar": "x"}})
    assert unknown.paths == [["input", "exclusions", "calendar"]]


async def test_a_cron_does_not_run_on_excluded_days(admin: Client, ann: Client) -> None:
    await admin.get(CREATE, input=HOLIDAYS)
    given = {
        "weekdays": ["SUNDAY"],
        "ranges": [{"first": "2030-12-27", "last": "2030-12-28"}],
        "calendar": "holidays",
    }
    input_ = {**NIGHTLY, "startAt": "2030-12-24T12:00:00Z", "exclusions": given}
    cron = (await ann.get(op.REGISTER_CRON, input=input_))["cron"]
    found = await ann.get(CRON, id=cron["id"])
    assert found["exclusions"] == {"dates": [], **given}
    assert found["nextRuns"][0] == found["nextRunTime"] == "2030-12-30T00:00:00.000Z"
    first = {"localTime": "2030-12-25T01:00:00+01:00", "note": "EXCLUDED", "willRun": False}
    assert found["nextTicks"][0] == first


async def test_a_cron_without_its_calendar_has_a_warning(
    admin: Client, ann: Client, engine: Engine
) -> None:
    await admin.get(CREATE, input=HOLIDAYS)
    input_ = {**NIGHTLY, "exclusions": {"calendar": "holidays"}}
    cron = (await ann.get(op.REGISTER_CRON, input=input_))["cron"]
    await engine.mongo["calendars"].delete_many({})
    (warning,) = (await ann.get(CRON, id=cron["id"]))["warnings"]
    assert warning["code"] == "UNKNOWN_CALENDAR"


@pytest.mark.parametrize(
    ("given", "path", "message"),
    [
        ({"dates": ["1969-12-31"]}, ["dates", 0], "a date must be in the years 1970 to 2999"),
        ({"ranges": [{"first": "2030-01-02", "last": "2030-01-01"}]}, ["ranges", 0, "last"], "l"),
        ({"dates": [f"2030-{m:02}-{d:02}" for m in range(1, 13) for d in range(1, 29)] +
                   [f"2031-01-{d:02}" for d in range(1, 32)]}, ["dates"], "dates has at most 366"),
        ({"weekdays": ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY",
                       "SUNDAY"]}, ["weekdays"], "weekdays excludes every day: pause the cron"),
        ({"calendar": ""}, ["calendar"], "calendar must have 1 to 200 characters, got 0"),
    ],
)  # fmt: skip
async def test_wrong_exclusions_are_named(
    ann: Client, given: dict[str, Any], path: list[str | int], message: str
) -> None:
    answer = await ann(op.REGISTER_CRON, input={**NIGHTLY, "exclusions": given})
    assert answer.paths == [["input", "exclusions", *path]]
    assert message in answer.message


async def test_a_cron_that_would_never_run_is_rejected(ann: Client) -> None:
    given = {
        "name": "n",
        "cronspec": "0 9 * * 6,7",
        "exclusions": {"weekdays": ["SATURDAY", "SUNDAY"]},
    }
    answer = await ann(op.REGISTER_CRON, input=given)
    assert answer.paths == [["input", "exclusions", "weekdays"]]
    assert "excludes every day of '0 9 * * 6,7'" in answer.message


@pytest.mark.parametrize("schedule", [{"cronspec": "@daily"}, {"intervalMs": 60_000}])
@pytest.mark.parametrize("first", ["1970-01-01", "2026-01-01"])
async def test_exclusions_that_leave_no_day_are_rejected(
    ann: Client, schedule: dict[str, Any], first: str
) -> None:
    given = schedule | {"exclusions": {"ranges": [{"first": first, "last": "2999-12-31"}]}}
    cron = (await ann.get(op.REGISTER_CRON, input={"name": "m"} | schedule))["cron"]
    change = {"cronId": cron["id"]} | given
    for document, input_ in (
        (op.REGISTER_CRON, {"name": "n"} | given),
        (op.UPDATE_CRON, change),
        (PREVIEW_CHANGE, change),
    ):
        answer = await ann(document, input=input_)
        assert answer.paths == [["input", "exclusions"]]
        assert answer.message == "exclusions leave no day in 50 years: it would never run"


async def test_a_calendar_that_leaves_no_day_gives_a_warning(
    admin: Client, ann: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await admin.get(CREATE, input=HOLIDAYS)
    input_ = {**NIGHTLY, "exclusions": {"calendar": "holidays"}}
    cron = (await ann.get(op.REGISTER_CRON, input=input_))["cron"]
    days = {"name": "holidays", "ranges": [{"first": "1970-01-01", "last": "2999-12-31"}]}
    await admin.get(REPLACE, input=days)
    found = await ann.get(CRON, id=cron["id"])
    assert [each["code"] for each in found["warnings"]] == ["NEVER_RUNS"]
    assert (found["nextRuns"], found["nextRunTime"]) == ([], cron["nextRunTime"])
    assert "malformed" not in caplog.text


async def test_days_of_a_calendar_are_dates(admin: Client) -> None:
    answer = await admin(CREATE, input={"name": "x", "dates": ["20301225"]})
    assert "Date must be a day like 2030-01-31, got '20301225'" in answer.message
    many = {"name": "x", "ranges": [{"first": "2030-01-01", "last": "2030-01-01"}] * 501}
    assert (await admin(CREATE, input=many)).paths == [["input", "ranges"]]
