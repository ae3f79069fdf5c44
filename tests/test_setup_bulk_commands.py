"""The commands that change all jobs that match a filter on the command line."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from ostinato.application import Ostinato
from ostinato.schema.ids import global_id
from tests.client.functions import double
from tests.engine.rig import run_worker
from tests.test_setup_job_commands import app, failure, given, run

__all__ = ["app", "given"]  # fixtures

HOUR = timedelta(hours=1)


async def test_all_jobs_that_match_are_changed(given: dict[str, str], app: Ostinato) -> None:
    first, second = [
        await app.schedule(double, {"number": n}, tags=["mail"], run_after=HOUR) for n in (1, 2)
    ]
    both = ("--id", first.id, "--id", global_id("Job", second.id))
    async with run_worker(app.settings):
        for args, expected in (
            (
                ("reschedule", "--tag", "mail", "--after", "2h"),
                "RESCHEDULE_JOBS DONE: 2 RESCHEDULED",
            ),
            (("cancel", *both), "CANCEL_JOBS DONE: 2 CANCELED"),
            (("retry", "--tag", "mail", "--owner", "bob"), "RETRY_JOBS DONE: no job matches"),
            (("retry", "--tag", "mail", "--state", "canceled"), "RETRY_JOBS DONE: 2 RETRIED"),
        ):
            assert expected in await asyncio.to_thread(run, given, "jobs", *args)


async def test_jobs_of_a_cron_are_listed(given: dict[str, str], app: Ostinato) -> None:
    cron = await app.register_cron("nights", owner="alice", cronspec="0 3 * * *")
    await app.schedule(double, {"number": 1}, run_after=HOUR)
    triggered = await app.trigger_cron(cron.id)
    for cause in (cron.id, global_id("Cron", cron.id)):
        listed = await asyncio.to_thread(run, given, "jobs", "--cause", cause, "--json")
        assert json.loads(listed)["id"] == triggered.id


async def test_without_a_filter_nothing_is_changed(given: dict[str, str], app: Ostinato) -> None:
    job = await app.schedule(double, {"number": 1}, run_after=HOUR)
    for args, expected in (
        (["cancel"], "choose jobs"),
        (["--function", "functions.double", "cancel"], "after cancel"),
    ):
        assert expected in await asyncio.to_thread(failure, given, "jobs", *args)
    assert (await app.get(job.id)).version == 1
    started = await asyncio.to_thread(run, given, "jobs", "cancel", "--all", "--no-wait", "--json")
    assert json.loads(started)["state"] == "RUNNING"


async def states(given: dict[str, str], *commands: tuple[str, ...]) -> list[str]:
    """Return the states of the object that each command prints."""
    printed = [await asyncio.to_thread(run, given, *each, "--json") for each in commands]
    return [json.loads(text)["state"] for text in printed]


async def test_requests_are_listed_and_answered(given: dict[str, str], app: Ostinato) -> None:
    first, second, third = [
        await app.create_with_timeout({"n": n}, run_handler=False, timeout=HOUR) for n in range(3)
    ]
    assert await states(
        given,
        ("requests", "complete", first.id, "--result", "[1]"),
        ("requests", "reject", global_id("Request", second.id), "no"),
        ("requests", "extend", third.id, "--after", "2h"),
        ("requests", "cancel", third.id),
        ("requests", "--state", "failed"),
    ) == ["COMPLETED", "FAILED", "PENDING", "CANCELED", "FAILED"]
    assert (await app.request(first.id)).result == [1]


async def test_batches_are_listed_and_changed(given: dict[str, str], app: Ostinato) -> None:
    await app.add_items([1, 2])
    batch = await app.start_batch()
    commands = [("batches", verb, batch.id) for verb in ("pause", "resume", "cancel")]
    found = await states(given, *commands, ("batches", "--state", "CANCELED"))
    assert found == ["PAUSED", "RUNNING", "CANCELED", "CANCELED"]


async def test_alert_is_acknowledged_and_resolved(given: dict[str, str], app: Ostinato) -> None:
    alert = {"_id": "0" * 24, "kind": "cronLate", "subject": "x", "owner": None, "state": "open"}
    opened = {"message": "late", "openedAt": datetime(2026, 1, 1, tzinfo=UTC), "version": 1}
    await app.engine.mongo["alerts"].insert_one(alert | opened)
    listed = await asyncio.to_thread(run, given, "alerts")
    assert listed.splitlines()[1].split()[1:3] == ["OPEN", "CRON_LATE"]
    changes = [("alerts", verb, "0" * 24) for verb in ("acknowledge", "resolve")]
    assert await states(given, *changes) == ["ACKNOWLEDGED", "RESOLVED"]
    wrong = await asyncio.to_thread(failure, given, "alerts", "--state", "late")
    assert "--state must be one of OPEN" in wrong
