"""The commands that change all jobs that match a filter on the command line."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ostinato.application import Ostinato
from ostinato.cli.tables import print_bulk_action
from ostinato.jobs.bulk_actions import BulkActionState
from ostinato.jobs.filters import JobFilter
from ostinato.schema.ids import global_id
from tests.client.functions import double
from tests.engine.rig import run_worker
from tests.processes import eventually
from tests.test_setup_cli import ostinato
from tests.test_setup_job_commands import app, failure, given, run, watching

__all__ = ["app", "given", "watching"]  # fixtures

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
    error = await asyncio.to_thread(failure, given, "jobs", "cancel")
    assert "choose jobs with --state, --function" in error
    assert (await app.get(job.id)).version == 1
    started = await asyncio.to_thread(run, given, "jobs", "cancel", "--all", "--no-wait", "--json")
    assert json.loads(started)["state"] == "RUNNING"


@pytest.mark.parametrize(
    ("state", "text"),
    [(BulkActionState.DONE, "DONE: no job matches"), (BulkActionState.RUNNING, "RUNNING")],
)
async def test_only_an_action_that_is_done_has_no_matches(
    app: Ostinato, state: BulkActionState, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    action = await app.cancel_jobs(JobFilter())
    print_bulk_action(replace(action, state=state), as_json=False)
    assert capsys.readouterr().out == f"{action.id} CANCEL_JOBS {text}\n"


async def test_command_whose_action_fails_exits_with_1(
    given: dict[str, str], app: Ostinato
) -> None:
    """No worker runs, so the action ends as this test writes it."""
    running = asyncio.create_task(
        asyncio.to_thread(ostinato, "jobs", "cancel", "--all", variables=given)
    )
    actions = app.engine.mongo["bulkActions"]
    await eventually(lambda: actions.find_one_and_update({}, {"$set": {"state": "failed"}}))
    done = await running
    assert (done.returncode, "CANCEL_JOBS FAILED" in done.stdout) == (1, True), done


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


def alert_of(alert_id: str) -> dict[str, Any]:
    alert = {"_id": alert_id, "kind": "cronLate", "subject": alert_id, "owner": None}
    opened = {"message": "late", "openedAt": datetime(2026, 1, 1, tzinfo=UTC), "version": 1}
    return alert | opened | {"state": "open"}


async def test_alert_is_acknowledged_and_resolved(given: dict[str, str], app: Ostinato) -> None:
    await app.engine.mongo["alerts"].insert_one(alert_of("0" * 24))
    listed = await asyncio.to_thread(run, given, "alerts")
    assert listed.splitlines()[1].split()[1:3] == ["OPEN", "CRON_LATE"]
    changes = [("alerts", verb, "0" * 24) for verb in ("acknowledge", "resolve")]
    assert await states(given, *changes) == ["ACKNOWLEDGED", "RESOLVED"]
    wrong = await asyncio.to_thread(failure, given, "alerts", "--state", "late")
    assert "--state must be one of OPEN" in wrong


async def test_watched_alerts_are_those_of_the_given_states(app: Ostinato, watching: Any) -> None:
    ids = ["0" * 24, "1" * 24]
    await app.engine.mongo["alerts"].insert_many([alert_of(ids[0]), alert_of(ids[1])])
    log = watching("alerts", "--state", "open", "--watch")
    await eventually(lambda: ids[1] in log.read_text())
    await app.acknowledge_alert(ids[0])
    await app.resolve_alert(ids[0])
    await app.resolve_alert(ids[1])
    await eventually(lambda: f"{ids[1]} RESOLVED" in log.read_text())
    changes = [line.split()[:2] for line in log.read_text().splitlines()[3:]]
    assert changes in (
        [[ids[0], "ACKNOWLEDGED"], [ids[1], "RESOLVED"]],
        [[ids[0], "RESOLVED"], [ids[1], "RESOLVED"]],  # both changes of the first are read as one
    )


@pytest.mark.parametrize(
    ("args", "option"),
    [
        (("jobs", "--function", "x", "cancel", "--all"), "--function"),
        (("jobs", "--limit", "5", "cancel", "--all"), "--limit"),
        (("crons", "--owner", "alice", "pause", "nights"), "--owner"),
        (("requests", "--json", "cancel", "0" * 24), "--json"),
        (("batches", "--owner", "alice", "pause", "0" * 24), "--owner"),
        (("alerts", "--state", "open", "resolve", "0" * 24), "--state"),
        (("failures", "--function", "x", "retry", "--all"), "--function"),
    ],
)
def test_option_before_a_subcommand_is_rejected(
    given: dict[str, str], args: tuple[str, ...], option: str
) -> None:
    message = f"{option} before {args[-2]} has no effect: write it after {args[-2]}, or omit it"
    assert message in failure(given, *args)
