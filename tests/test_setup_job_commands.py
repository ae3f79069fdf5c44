"""The commands for jobs and crons on the command line."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ostinato.application import Ostinato
from ostinato.cli.tables import print_cron_change
from ostinato.jobs.changes import Position
from ostinato.jobs.embedded.process import spawn
from ostinato.jobs.ids import new_id
from ostinato.jobs.records import Cron
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind, EventPosition, LiveMessage
from ostinato.schema.ids import global_id
from tests.processes import OSTINATO, environment, eventually
from tests.test_setup_cli import ostinato

FUNCTIONS = "tests.client.functions"
LATER = ("--after", "1h")


@pytest.fixture
def given(settings: Settings) -> dict[str, str]:
    return environment(settings.model_copy(update={"functions": (FUNCTIONS,)}))


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Ostinato]:
    async with Ostinato.open(settings, functions=(FUNCTIONS,)) as opened:
        yield opened


def run(given: dict[str, str], *args: str) -> str:
    done = ostinato(*args, variables=given)
    assert done.returncode == 0, done.stderr
    return done.stdout


def failure(given: dict[str, str], *args: str) -> str:
    """Return the error of a command, which is one line."""
    done = ostinato(*args, variables=given)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


def scheduled(given: dict[str, str], *args: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads(run(given, "schedule", *args, "--json"))
    return job


def test_scheduled_job_has_the_given_options(given: dict[str, str]) -> None:
    before = datetime.now(UTC)
    options = ("--owner", "alice", "--key", "k1", "--queue", "mail", "--priority", "7")
    args = ("tasks.runTask", "--args", '{"name": "x"}', *LATER, *options)
    job = scheduled(given, *args)
    wanted = {"owner": "alice", "key": "k1", "queue": "mail", "priority": 7, "state": "PENDING"}
    assert {name: job[name] for name in wanted} == wanted
    assert job["args"] == {"name": "x"}
    due = datetime.fromisoformat(job["scheduledTime"])
    assert timedelta(minutes=55) < due - before < timedelta(minutes=65)
    assert scheduled(given, *args)["id"] == job["id"]


def test_job_is_due_at_a_given_time(given: dict[str, str]) -> None:
    job = scheduled(given, "tasks.runTask", "--args", '{"name": "x"}', "--at", "2030-01-31T12:00")
    assert job["scheduledTime"] == "2030-01-31T12:00:00.000Z"


def test_function_that_is_not_loaded_is_scheduled_with_a_note(given: dict[str, str]) -> None:
    done = ostinato("schedule", "elsewhere.run", *LATER, variables=given)
    assert "elsewhere.run" in done.stdout
    assert "elsewhere.run is not in a module of OSTINATO_FUNCTIONS" in done.stderr


def test_misspelled_function_is_scheduled_with_a_suggestion(given: dict[str, str]) -> None:
    done = ostinato("schedule", "tasks.runTsk", *LATER, variables=given)
    assert "Did you mean tasks.runTask?" in done.stderr


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("jobs.orders.close_order", "orders.closeOrder"),
        ("close_order", "module.closeOrder"),
        ("close order", "module.camelName"),
        ("", "module.camelName"),
    ],
)
def test_python_path_of_a_function_is_rejected_with_its_name(
    given: dict[str, str], name: str, form: str
) -> None:
    message = f"{name!r} is not the name of a function: write {form!r}"
    assert message in failure(given, "schedule", name, *LATER)


def test_jobs_are_listed_newest_first_and_filtered(given: dict[str, str]) -> None:
    ids = [
        scheduled(given, "tasks.runTask", "--args", '{"name": "x"}', "--owner", owner, *LATER)["id"]
        for owner in ("alice", "bob")
    ]
    head, *rows = run(given, "jobs").splitlines()
    assert head.split() == ["ID", "STATE", "FUNCTION", "SCHEDULED", "ATTEMPT", "OWNER"]
    assert [row.split()[0] for row in rows] == ids[::-1]
    assert rows[0].split()[1:3] + rows[0].split()[4:] == ["PENDING", "tasks.runTask", "0/1", "bob"]
    assert [json.loads(row)["id"] for row in _lines(given, "--owner", "alice")] == ids[:1]
    assert _lines(given, "--state", "failed") == []
    assert len(_lines(given, "--limit", "1")) == 1


def _lines(given: dict[str, str], *args: str) -> list[str]:
    return run(given, "jobs", "--json", *args).splitlines()


@pytest.mark.parametrize("as_graphql", [False, True])
def test_job_is_canceled_retried_and_shown(given: dict[str, str], as_graphql: bool) -> None:
    job_id = scheduled(given, "tasks.runTask", "--args", '{"name": "x"}', *LATER)["id"]
    shown = global_id("Job", job_id) if as_graphql else job_id
    assert json.loads(run(given, "cancel", shown, "--json"))["state"] == "CANCELED"
    assert json.loads(run(given, "retry", shown, "--json"))["state"] == "PENDING"
    text = run(given, "job", shown)
    events = [line.split()[-1] for line in text.splitlines() if "  attempt " in line]
    assert events == ["PENDING", "CANCELED", "PENDING"]
    assert 'args               {"name": "x"}' in text


async def test_crons_are_listed(given: dict[str, str], app: Ostinato) -> None:
    await app.register_cron("hourly", every=timedelta(hours=1), owner="alice")
    cron = await app.register_cron("nights", cronspec="0 3 * * *", tz="Europe/Paris")
    await app.pause_cron(cron.id)
    _, first, second = (await asyncio.to_thread(run, given, "crons")).splitlines()
    timing = ["0", "3", "*", "*", "*", "Europe/Paris", "paused"]
    assert first.split() == [cron.id, "nights", *timing, "tasks.runTask", "(system)"]
    assert ("every 3600 s" in second, second.split()[-1]) == (True, "alice")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("schedule", "tasks.runTask", "--args", "[1]"), "--args must be a JSON object, got [1]"),
        (("schedule", "tasks.runTask", "--args", "{"), "--args is not JSON"),
        (("schedule", "tasks.runTask", "--args", "[" * 90_000), "--args is not JSON"),
        (("schedule", "tasks.runTask"), "invalid arguments"),
        (("schedule", "tasks.runTask", "--after", "soon"), "--after must be a number with s, m, h"),
        (("schedule", "tasks.runTask", "--at", "soon"), "--at must be a time such as"),
        (("schedule", "tasks.runTask", "--priority", "12"), "priority"),
        (("jobs", "--state", "done"), "--state must be one of PENDING, IN_PROGRESS"),
        (("job", "x"), "must be the id of a Job"),
        (("cancel", new_id()), "you have no job with this id"),
    ],
)
def test_invalid_input_is_one_line(
    given: dict[str, str], args: tuple[str, ...], message: str
) -> None:
    assert message in failure(given, *args)


def test_unreachable_mongodb_is_one_line() -> None:
    url = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"
    assert "MongoDB" in failure({"OSTINATO_MONGO_URL": url}, "jobs")


@pytest.fixture
def watching(given: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a starter of commands that run until the test ends; it returns their log."""
    children = []

    def start(*args: str) -> Any:
        log = tmp_path_factory.mktemp("watch") / "log"
        children.append(spawn("watch", [*OSTINATO, *args], log=log, env=given))
        return log

    yield start
    for child in children:
        asyncio.run(child.stop(30.0))


def test_watched_jobs_are_listed_and_each_change_is_printed(
    given: dict[str, str], watching: Any
) -> None:
    first = scheduled(given, "tasks.runTask", "--args", '{"name": "x"}', *LATER)["id"]
    log = watching("jobs", "--watch", "--json")
    asyncio.run(eventually(lambda: first in log.read_text()))
    second = scheduled(given, "tasks.runTask", "--args", '{"name": "y"}', *LATER)["id"]
    run(given, "cancel", second)
    asyncio.run(eventually(lambda: len(_printed(log)) == 3))
    assert _printed(log) == [(first, "PENDING"), (second, "PENDING"), (second, "CANCELED")]


def test_watched_job_is_printed_once_and_then_each_change(
    given: dict[str, str], watching: Any
) -> None:
    job = scheduled(given, "tasks.runTask", "--args", '{"name": "x"}', *LATER)["id"]
    log = watching("job", job, "--watch", "--json")
    asyncio.run(eventually(lambda: job in log.read_text()))
    run(given, "cancel", job)
    run(given, "retry", job)
    asyncio.run(eventually(lambda: len(_printed(log)) == 3))
    assert _printed(log) == [(job, "PENDING"), (job, "CANCELED"), (job, "PENDING")]


def _printed(log: Any) -> list[tuple[str, str]]:
    found = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [(one["id"], one["state"]) for one in found]


def test_deletion_of_a_watched_cron_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A change that is read after the deletion has no record, like the deletion."""
    position = EventPosition(Position("82"), "a")
    for kind in (ChangeKind.CHANGED, ChangeKind.LEFT):
        message: LiveMessage[Cron] = LiveMessage(
            cursor="c", kind=kind, event_position=position, id="a"
        )
        print_cron_change(message, as_json=False)
    assert capsys.readouterr().out == "a deleted\n"


async def test_watched_crons_are_printed_when_they_change_or_are_deleted(
    app: Ostinato, watching: Any
) -> None:
    cron = await app.register_cron("hourly", every=timedelta(hours=1))
    log = watching("crons", "--watch")
    await eventually(lambda: cron.id in log.read_text())
    await app.pause_cron(cron.id)
    await eventually(lambda: "paused" in log.read_text())
    await app.delete_cron(cron.id)
    await eventually(lambda: f"{cron.id} deleted" in log.read_text())
