"""The commands that change crons on the command line, and apply sets of them."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ostinato.application import Ostinato
from ostinato.cli.cron_fields import CHANGED, fields_of
from ostinato.jobs.declarations import to_camel_case
from ostinato.jobs.records import OverlapPolicy
from ostinato.jobs.time_rules import NO_EXCLUSIONS, Exclusions, Weekday
from ostinato.schema.ids import global_id
from ostinato.schema.inputs.cron_changes import UpdateCronInput
from tests.test_setup_job_commands import app, failure, given, run

__all__ = ["app", "given"]  # fixtures

EXCLUDED = {"dates": ["2026-12-25"], "weekdays": ["SUNDAY"]}
START = "2099-01-01T00:00:00Z"
SUNDAYS = Exclusions(weekdays=(Weekday.SUNDAY,))


async def test_cron_is_changed_on_the_command_line(given: dict[str, str], app: Ostinato) -> None:
    cron = await app.register_cron("nights", owner="alice", cronspec="0 3 * * *")
    by_name = ("nights", "--owner", "alice", "--json")

    async def changed(*args: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await asyncio.to_thread(run, given, "crons", *args))
        return found

    assert not (await changed("pause", *by_name))["enabled"]
    assert (await changed("resume", global_id("Cron", cron.id), "--json"))["enabled"]
    skipped = await changed("skip", cron.id, "--json")
    assert datetime.fromisoformat(skipped["nextRunTime"]) > cron.next_run_time
    triggered = await changed("trigger", *by_name, "--key", "k")
    assert (await changed("trigger", *by_name, "--key", "k"))["id"] == triggered["id"]


async def test_cron_is_deleted_in_the_expected_version(
    given: dict[str, str], app: Ostinato
) -> None:
    cron = await app.register_cron("nights", cronspec="0 3 * * *")
    delete = ("crons", "delete", cron.id, "--expected-version")
    assert "the version is 1, not 2" in await asyncio.to_thread(failure, given, *delete, "2")
    await asyncio.to_thread(run, given, *delete, "1")
    assert not (await app.crons()).items


async def test_cron_is_updated_or_the_change_previewed(
    given: dict[str, str], app: Ostinato
) -> None:
    cron = await app.register_cron("nights", owner="alice", cronspec="0 3 * * *")
    update = ("crons", "update", "nights", "--owner", "alice", "--cronspec", "0 4 * * *")
    shown = await asyncio.to_thread(run, given, *update, "--preview", "--days", "2")
    assert "T03:00:00Z moves to" in shown
    assert "2 moved, 0 unchanged" in shown
    assert (await app.cron(cron.id)).version == 1
    more = {"overlap": "QUEUE", "onGap": "SKIP", "exclusions": {"weekdays": ["SUNDAY"]}}
    changed = await asyncio.to_thread(run, given, *update, "--changes", json.dumps(more), "--json")
    assert json.loads(changed)["schedule"]["cronspec"] == "0 4 * * *"
    found = await app.cron(cron.id)
    assert (found.overlap, found.exclusions.weekdays) == (OverlapPolicy.QUEUE, (Weekday.SUNDAY,))
    wrong = await asyncio.to_thread(failure, given, *update, "--changes", '{"overlaps": "QUEUE"}')
    assert "--changes: there is no field 'overlaps'" in wrong


async def test_all_fields_of_an_update_can_be_changed(given: dict[str, str], app: Ostinato) -> None:
    cron = await app.register_cron("nights", cronspec="0 3 * * *", exclusions=SUNDAYS, max_runs=3)
    assert CHANGED.keys() == {to_camel_case(each) for each in UpdateCronInput.__annotations__} - {
        "cronId",
        "expectedVersion",
    }
    for changes in ({"enabled": False}, {"exclusions": None, "maxRuns": None}):
        text = json.dumps(changes)
        await asyncio.to_thread(run, given, "crons", "update", cron.id, "--changes", text)
    found = await app.cron(cron.id)
    assert (found.enabled, found.exclusions, found.max_runs) == (False, NO_EXCLUSIONS, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"overlap": "SKIPPED"}, "overlap must be one of SKIP, "),
        ({"overlap": None}, "overlap cannot be null: omit it to keep its value"),
        ({"intervalMs": None}, "intervalMs cannot be null"),
        ({"intervalMs": "5m"}, "intervalMs cannot be '5m'"),
        ({"exclusions": 5}, "exclusions cannot be 5"),
        ({"startAt": "soon"}, "startAt cannot be 'soon'"),
        ({"enabled": "no"}, "enabled must be true or false, got 'no'"),
    ],
)
def test_wrong_field_of_a_change_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fields_of(changes, CHANGED)


def test_schedule_is_previewed(given: dict[str, str]) -> None:
    day = (datetime.now(UTC) + timedelta(days=20)).date()
    rules = json.dumps({"exclusions": {"dates": [str(day)], "ranges": []}, "onFold": "BOTH"})
    args = ("crons", "preview", f"0 12 {day.day} * *", "--tz", "Asia/Tokyo", "--rules", rules)
    first, second, *_ = run(given, *args, "--count", "3").splitlines()
    assert first == f"{day}T03:00:00Z  local {day} 12:00:00  EXCLUDED"
    assert second[:10] > str(day)
    assert second[10:20] == "T03:00:00Z"
    one = ("crons", "preview", "--every", "90s", "--count", "1", "--json")
    assert json.loads(run(given, *one))["note"] is None
    wrong = failure(given, *args[:3], "--rules", '{"overlap": "SKIP"}')
    assert "--rules: there is no field 'overlap', only onGap, onFold, exclusions" in wrong
    assert "--rules is not JSON" in failure(given, *args[:3], "--rules", "{")


async def test_set_of_crons_is_applied_from_a_file(
    given: dict[str, str], app: Ostinato, tmp_path: Path
) -> None:
    file = tmp_path / "crons.json"
    night: dict[str, Any] = {"name": "night", "cronspec": "0 3 * * *", "overlap": "QUEUE"}
    night |= {"jitterMs": 5, "onGap": "SKIP", "onFold": "LAST", "exclusions": EXCLUDED}
    week = {"name": "week", "intervalMs": 604_800_000, "cronspec": None, "startAt": START}
    file.write_text(json.dumps({"managedBy": "deploy", "crons": [night, week]}))
    printed = await asyncio.to_thread(run, given, "crons", "apply", str(file))
    assert printed == "created night\ncreated week\n0 deleted, 0 unchanged\n"
    file.write_text(json.dumps({"managedBy": "deploy", "crons": [night]}))
    printed = await asyncio.to_thread(run, given, "crons", "apply", str(file))
    assert printed == "1 deleted, 1 unchanged\n"
    (stored,) = (await app.crons()).items
    assert stored.exclusions == Exclusions(dates=(date(2026, 12, 25),), weekdays=(Weekday.SUNDAY,))
    file.write_text('{"managedBy": "deploy", "crons": [{"nam": "night"}]}')
    error = await asyncio.to_thread(failure, given, "crons", "apply", str(file))
    assert "there is no field 'nam'" in error
