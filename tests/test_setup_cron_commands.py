"""The commands that change crons on the command line, and apply sets of them."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from ostinato.application import Ostinato
from ostinato.schema.ids import global_id
from tests.test_setup_job_commands import app, failure, given, run

__all__ = ["app", "given"]  # fixtures


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


async def test_set_of_crons_is_applied_from_a_file(
    given: dict[str, str], app: Ostinato, tmp_path: Path
) -> None:
    file = tmp_path / "crons.json"
    night = {"name": "night", "cronspec": "0 3 * * *", "overlap": "QUEUE", "jitterMs": 5}
    week = {"name": "week", "intervalMs": 604_800_000, "startAt": "2099-01-01T00:00:00Z"}
    file.write_text(json.dumps({"managedBy": "deploy", "crons": [night, week]}))
    printed = await asyncio.to_thread(run, given, "crons", "apply", str(file))
    assert printed == "created night\ncreated week\n0 deleted, 0 unchanged\n"
    file.write_text(json.dumps({"managedBy": "deploy", "crons": [night]}))
    printed = await asyncio.to_thread(run, given, "crons", "apply", str(file))
    assert printed == "1 deleted, 1 unchanged\n"
    file.write_text('{"managedBy": "deploy", "crons": [{"nam": "night"}]}')
    error = await asyncio.to_thread(failure, given, "crons", "apply", str(file))
    assert "there is no field 'nam'" in error
