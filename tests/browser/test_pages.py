"""The live page and GraphiQL in a real Chromium, which can reach nothing but the API under test."""

import asyncio
import os
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from jobs.embedded.process import Child
from tests.processes import ApiProcess, Processes

PAGE = Path(__file__).parents[2] / "frontend-demo"
PICTURES = Path(__file__).parents[2] / "docs" / "images"
REPORTS = ("tests.browser.reports",)
OTHER_SECRET = SecretStr("another-secret-of-cursors-0123456789abcdef")
SCENARIO_S = 90.0
LATER = """mutation {
  scheduleJob(
    input: {functionName: "tasks.runTask", args: {name: "later"}, runAfterMs: 3600000}
  ) { jobId }
}"""

Helps = Mapping[str, Callable[[], Awaitable[object]]]


async def converse(scenario: Process, helps: Helps) -> str:
    """Do what the scenario asks for, line by line; return all that it said."""
    assert scenario.stdin
    assert scenario.stdout
    said = []
    async for line in scenario.stdout:
        said.append(line.decode())
        if help_ := helps.get(line.decode().strip()):
            await help_()
            scenario.stdin.write(b"done\n")
    await scenario.wait()
    return "".join(said)


async def play(name: str, api: ApiProcess, helps: Helps | None = None) -> None:
    """Run a scenario of the page in a browser; fail with what it said."""
    env = {
        **os.environ,
        "BASE_URL": api.url,
        "TOKEN": api.token("alice"),
        "VIEWER": "alice",
        "PICTURES": str(PICTURES),
    }
    scenario = await asyncio.create_subprocess_exec(
        "node", f"e2e/{name}.mjs", cwd=PAGE, env=env, stdin=PIPE, stdout=PIPE, stderr=STDOUT
    )
    try:
        said = await asyncio.wait_for(converse(scenario, helps or {}), SCENARIO_S)
    finally:
        if scenario.returncode is None:
            scenario.terminate()
            await scenario.wait()
    assert scenario.returncode == 0, said


@pytest.fixture
async def reporting_api(processes: Processes) -> ApiProcess:
    """Return an API with a user's own functions, and a worker that runs them."""
    processes.worker(functions=REPORTS)
    return await processes.api(functions=REPORTS)


async def test_registered_cron_ticks_on_the_page(
    api_server: ApiProcess, worker_process: Child
) -> None:
    await play("crons", api_server)


async def test_issue_of_an_input_is_shown_at_its_field(api_server: ApiProcess) -> None:
    await play("issues", api_server)


async def test_scheduled_job_runs_or_is_canceled_on_the_page(
    api_server: ApiProcess, worker_process: Child
) -> None:
    await play("jobs", api_server)


async def test_progress_and_failure_of_a_job_are_shown_on_the_page(
    reporting_api: ApiProcess,
) -> None:
    await play("outcomes", reporting_api)


async def test_job_that_is_older_than_the_newest_100_is_found_by_its_state(
    reporting_api: ApiProcess,
) -> None:
    async def schedule() -> None:
        headers = {"authorization": f"Bearer {reporting_api.token('alice')}"}
        async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
            for _ in range(100):
                reply = await client.post(reporting_api.graphql_url, json={"query": LATER})
                assert "errors" not in reply.json(), reply.text

    await play("older", reporting_api, {"schedule 100 others": schedule})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="which resumes"),
        pytest.param({"cursor_secret": OTHER_SECRET}, id="which does not know its cursors"),
    ],
)
async def test_page_follows_again_after_the_api_was_killed(
    processes: Processes, api_server: ApiProcess, worker_process: Child, changes: dict[str, object]
) -> None:
    async def kill() -> None:
        api_server.child.popen.kill()

    async def start() -> None:
        await processes.api(port=api_server.settings.port, **changes)

    await play("restart", api_server, {"kill the API": kill, "start the API": start})


async def test_page_asks_for_a_token_again_when_the_server_refuses_it(
    api_server: ApiProcess,
) -> None:
    await play("token", api_server)


async def test_graphiql_runs_a_query_and_a_subscription(api_server: ApiProcess) -> None:
    await play("graphiql", api_server)


if "OSTINATO_PICTURES" in os.environ:

    async def test_pictures_of_the_documentation_are_taken(reporting_api: ApiProcess) -> None:
        await play("pictures", reporting_api)
