"""Logs of jobs in the Python client and on the command line."""

import json
from contextlib import aclosing

import pytest

from ostinato import Ostinato, sync
from ostinato.jobs.errors import NotFound
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind
from tests.processes import environment, eventually
from tests.test_setup_cli import ostinato

LOG_LINES = "functions.logLines"


@pytest.fixture
def client_settings(client_settings: Settings) -> Settings:
    modules = (*client_settings.functions, "tests.engine.log_writing")
    return client_settings.model_copy(update={"functions": modules})


@pytest.mark.usefixtures("worker")
async def test_log_of_a_job_is_read_and_followed(app: Ostinato, client_settings: Settings) -> None:
    job = await app.schedule(LOG_LINES, {"number": 3}, owner="alice")
    async with aclosing(app.log_changes(job.id, owner="alice")) as messages:
        seqs: list[int] = []
        while len(seqs) < 3:
            message = await anext(messages)
            seqs += [line.seq for line in message.lines]
            assert message.kind is not ChangeKind.RESET
    first, *others = (await app.logs(job.id, owner="alice")).items
    assert (seqs, first.message, first.fields["number"]) == ([1, 2, 3], "line.written", 1)
    assert (await app.logs(job.id, after=first)).items == tuple(others)
    with pytest.raises(NotFound):
        await app.logs(job.id, owner="bob")


@pytest.mark.usefixtures("worker")
async def test_log_is_printed_and_followed_on_the_command_line(
    app: Ostinato, client_settings: Settings
) -> None:
    job = await app.schedule(LOG_LINES, {"number": 2})
    await eventually(lambda: app.logs(job.id, first=2))
    await job.result(timeout=30)
    variables = environment(client_settings)
    shown = ostinato("logs", job.id, "--follow", "--json", variables=variables)
    assert [json.loads(line)["fields"]["number"] for line in shown.stdout.splitlines()] == [1, 2]
    plain = ostinato("logs", job.id, variables=variables).stdout.splitlines()
    assert plain[0].endswith("attempt 1  INFO     line.written  number=1 text=x")


def test_log_is_read_without_async(client_settings: Settings) -> None:
    with sync.Ostinato.open(client_settings) as app:
        assert app.logs(app.schedule(LOG_LINES, {"number": 1}).id).items == ()
