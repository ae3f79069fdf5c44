"""The live page and GraphiQL in a real Chromium that can reach only the API under test."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

import httpx
import pytest
from bson import Binary, DBRef, Decimal128, ObjectId
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ostinato.jobs.embedded.flaky_api import serving_flaky_api
from ostinato.jobs.embedded.process import Child
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.settings import Mode, Settings
from ostinato.resolvers.auth import issue_token
from tests.api.documents import Documents
from tests.browser.chromium import Chromium
from tests.browser.issuer import CLIENT, Issuer, serving_issuer
from tests.browser.many_jobs import ManyJobs
from tests.live.hostile import JSON
from tests.processes import TLS, ApiProcess, Processes

pytestmark = pytest.mark.slow

REPORTS = ("tests.browser.reports",)
FUNCTIONS = ("tests.live.echo_functions",)
MANY = 100_000
OTHER_SECRET = SecretStr("another-secret-of-cursors-0123456789abcdef")
SCHEDULE = "mutation($input: ScheduleJobInput!) { scheduleJob(input: $input) { jobId } }"
LATER = """mutation {
  scheduleJob(
    input: {functionName: "tasks.runTask", args: {name: "later"}, runAfterMs: 3600000}
  ) { jobId }
}"""


def oidc_settings(issuer: Issuer) -> dict[str, object]:
    return {
        "jwt_secret": None,
        "jwt_jwks_url": f"{issuer.url}/keys",
        "jwt_issuer": issuer.url,
        "jwt_audience": CLIENT,
        "oidc_client_id": CLIENT,
        "cursor_secret": OTHER_SECRET,
    }


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Return the browser of all tests of this module."""
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture
async def reporting_api(processes: Processes) -> ApiProcess:
    """Return an API with user functions, and a worker that runs them."""
    processes.worker(functions=REPORTS)
    return await processes.api(functions=REPORTS)


@pytest.fixture
async def echo_api(processes: Processes) -> ApiProcess:
    """Return an API with functions that return their arguments, and a worker that runs them."""
    processes.worker(functions=FUNCTIONS)
    return await processes.api(functions=FUNCTIONS)


async def _run_operation(api: ApiProcess, query: str, **variables: object) -> None:
    headers = {"authorization": f"Bearer {api.token('alice')}"}
    async with httpx.AsyncClient(trust_env=False, verify=TLS, headers=headers) as client:
        body = {"query": query, "variables": variables}
        reply = await client.post(api.graphql_url, json=body)
    assert "errors" not in reply.json(), reply.text


async def test_registered_cron_ticks_on_the_page(
    chromium: Chromium, api_server: ApiProcess, worker_process: Child
) -> None:
    await chromium.run_scenario("crons", api_server)


async def test_form_of_a_cron_explains_its_runs_and_past_ticks_are_run(
    chromium: Chromium, api_server: ApiProcess, worker_process: Child
) -> None:
    register = "mutation($input: RegisterCronInput!) { registerCron(input: $input) { cronId } }"
    for name, cronspec in (("hourly", "0 * * * *"), ("minutely", "* * * * *")):
        await _run_operation(api_server, register, input={"name": name, "cronspec": cronspec})
    await chromium.run_scenario("cronForm", api_server)


async def test_issue_of_an_input_is_shown_at_its_field(
    chromium: Chromium, api_server: ApiProcess
) -> None:
    await chromium.run_scenario("issues", api_server)


async def test_scheduled_job_runs_or_is_canceled_on_the_page(
    chromium: Chromium, api_server: ApiProcess, worker_process: Child
) -> None:
    await chromium.run_scenario("jobs", api_server)


async def test_job_without_a_worker_shows_a_warning_on_the_page(
    chromium: Chromium, api_server: ApiProcess
) -> None:
    await chromium.run_scenario("waiting", api_server)


async def test_progress_and_failure_of_a_job_are_shown_on_the_page(
    chromium: Chromium, reporting_api: ApiProcess
) -> None:
    await chromium.run_scenario("outcomes", reporting_api)


async def test_overview_counts_jobs_and_draws_what_attempts_did(
    chromium: Chromium, reporting_api: ApiProcess
) -> None:
    await chromium.run_scenario("overview", reporting_api)


async def test_overview_shows_what_needs_attention(
    chromium: Chromium, api_server: ApiProcess, settings: Settings
) -> None:
    # Without a worker, nothing repairs or resolves them.
    with closing(Mongo.connect(settings, "tests")) as mongo:
        add_cron = partial(Documents(mongo).cron, "alice", functionName="tasks.runTask")
        await add_cron(name="nightly", nextRunTime=datetime(2020, 1, 1, tzinfo=UTC))
        await add_cron(name="broken", enabled=False, pausedBecause="failedRuns")
        await add_cron(name="yearly", nextRunTime=datetime(2999, 1, 1, tzinfo=UTC))
        await Documents(mongo).alert("alice", message="the function has failed")
    await _run_operation(api_server, LATER)
    token = api_server.token("root", "admin")
    await chromium.run_scenario("attention", api_server, token=token)


async def test_similar_failures_are_resolved_and_retried_on_the_page(
    chromium: Chromium, reporting_api: ApiProcess
) -> None:
    async def fail(*recipients: str) -> None:
        for to in recipients:
            failing = {"functionName": "reports.send", "args": {"to": to}}
            await _run_operation(reporting_api, SCHEDULE, input=failing)

    handlers = {
        "fail one job": partial(fail, "eve"),
        "fail similar jobs": partial(fail, "user 1", "user 2", "user 3"),
    }
    await chromium.run_scenario("failures", reporting_api, handlers)


async def test_page_of_a_job_shows_its_timeline_and_its_tree(
    chromium: Chromium, reporting_api: ApiProcess
) -> None:
    await chromium.run_scenario("job", reporting_api)


async def test_job_that_is_older_than_the_newest_100_is_found_on_the_page(
    chromium: Chromium, reporting_api: ApiProcess
) -> None:
    async def schedule(count: int) -> None:
        for _ in range(count):
            await _run_operation(reporting_api, LATER)

    handlers = {
        "schedule 100 others": partial(schedule, 100),
        "schedule 3 others": partial(schedule, 3),
    }
    await chromium.run_scenario("older", reporting_api, handlers)


async def test_filter_of_jobs_is_in_the_address(
    chromium: Chromium, reporting_api: ApiProcess
) -> None:
    async def schedule() -> None:
        labels = {"tags": ["invoice", "eu"], "key": "order 4711", "queue": "mail"}
        plain = {"functionName": "tasks.runTask", "args": {"name": "plain"}}
        labelled = {"functionName": "tasks.runTask", "args": {"name": "labelled"}, **labels}
        failing = {"functionName": "reports.send", "args": {"to": "ada"}}
        for input_ in (plain, labelled, failing):
            await _run_operation(reporting_api, SCHEDULE, input=input_)

    await chromium.run_scenario("filters", reporting_api, {"schedule jobs": schedule})


async def test_paused_page_stands_still(chromium: Chromium, api_server: ApiProcess) -> None:
    await chromium.run_scenario("paused", api_server)


async def test_all_jobs_that_match_are_canceled_and_retried_on_the_page(
    chromium: Chromium, reporting_api: ApiProcess
) -> None:
    async def schedule() -> None:
        later = {"functionName": "tasks.runTask", "runAfterMs": 3_600_000}
        for number in range(3):
            labels = {"args": {"name": f"invoice {number}"}, "tags": ["invoice"]}
            await _run_operation(reporting_api, SCHEDULE, input=later | labels)
        await _run_operation(reporting_api, SCHEDULE, input=later | {"args": {"name": "another"}})

    await chromium.run_scenario("bulk", reporting_api, {"schedule jobs": schedule})


async def test_selected_jobs_are_rescheduled_canceled_and_retried(
    chromium: Chromium, api_server: ApiProcess, worker_process: Child
) -> None:
    async def schedule() -> None:
        for _ in range(5):
            await _run_operation(api_server, LATER)

    await chromium.run_scenario("selection", api_server, {"schedule jobs": schedule})


async def test_100_000_jobs_scroll_while_hundreds_of_changes_a_second_arrive(
    chromium: Chromium, api_server: ApiProcess, settings: Settings
) -> None:
    with closing(Mongo.connect(settings, "tests")) as mongo:
        jobs = ManyJobs(mongo, "alice")
        await jobs.fill(MANY)
        await chromium.run_scenario("many", api_server, {"change jobs": jobs.change}, count=MANY)


async def test_pages_show_values_completely(
    chromium: Chromium, echo_api: ApiProcess, settings: Settings
) -> None:
    async def store() -> None:
        value = {"rows": [DBRef("x", ObjectId()), Decimal128("1.10"), Binary(b"x")]}
        progress = {"done": 3_000_000_000, "total": 6_000_000_000}
        with closing(Mongo.connect(settings, "tests")) as mongo:
            others = Documents(mongo)
            await others.job("alice", args={"value": value}, state="success", result=value)
            # Held by the worker, or its next sweep would rescue the job.
            (worker,) = await mongo["workers"].find({}).to_list(2)
            held = {"worker": worker["_id"], "token": new_id()}
            await others.job("alice", state="inProgress", progress=progress, lease=held)

    await chromium.run_scenario("values", echo_api, {"store what others wrote": store})


@hypothesis_settings(max_examples=3, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(values=st.lists(JSON, min_size=10, max_size=20))
async def test_page_shows_every_value_as_it_was_sent(
    chromium: Chromium, echo_api: ApiProcess, values: list[object]
) -> None:
    async def schedule() -> list[dict[str, object]]:
        sent = [{"value": value, "text": new_id(), "count": 1} for value in values]
        for args in sent:
            input_ = {"functionName": "echo_functions.echo", "args": args}
            await _run_operation(echo_api, SCHEDULE, input=input_)
        return sent

    await chromium.run_scenario("echoes", echo_api, {"schedule a job with each value": schedule})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="cursor is resumed"),
        pytest.param({"cursor_secret": OTHER_SECRET}, id="cursor is rejected"),
    ],
)
@pytest.mark.usefixtures("worker_process")
async def test_page_continues_after_the_api_was_killed(
    chromium: Chromium, processes: Processes, api_server: ApiProcess, changes: dict[str, object]
) -> None:
    async def kill() -> None:
        api_server.child.popen.kill()

    async def start() -> None:
        await processes.api(port=api_server.settings.port, **changes)

    await chromium.run_scenario(
        "restart", api_server, {"kill the API": kill, "start the API": start}
    )


async def test_page_prompts_for_a_token_when_the_server_rejects_it(
    chromium: Chromium, api_server: ApiProcess
) -> None:
    await chromium.run_scenario("token", api_server)


async def test_users_sign_in_at_an_issuer_and_no_token_is_stored(
    chromium: Chromium, processes: Processes
) -> None:
    async with serving_issuer() as issuer:

        async def deny() -> None:
            issuer.denies = True

        async def allow() -> None:
            issuer.denies = False

        async def count_renewals() -> int:
            return issuer.renewals

        api = await processes.api(**oidc_settings(issuer))
        handlers = {"deny": deny, "allow": allow, "count renewals": count_renewals}
        await chromium.run_scenario("signIn", api, handlers, token="", also=[issuer.url])


async def test_playground_runs_each_pattern_and_their_pages_change_them(
    chromium: Chromium, processes: Processes, settings: Settings
) -> None:
    with serving_flaky_api() as url:
        host = urlsplit(url).netloc
        processes.worker(allowed_hosts_http=(host,))
        token = SecretStr(issue_token(settings, "alice"))
        given = {"development_token": token, "development_flaky_url": url}
        api = await processes.api(mode=Mode.DEVELOPMENT, allowed_hosts_http=(host,), **given)
        await chromium.run_scenario("playground", api)
        await chromium.run_scenario("patterns", api)


async def test_user_is_chosen_in_development(
    chromium: Chromium, processes: Processes, settings: Settings
) -> None:
    with closing(Mongo.connect(settings, "tests")) as mongo:
        others = Documents(mongo)
        await others.cron("alice", name="of alice")
        await others.cron(None, name="of the system")
    token = SecretStr(issue_token(settings, "alice"))
    api = await processes.api(mode=Mode.DEVELOPMENT, development_token=token)
    await chromium.run_scenario("users", api)


async def test_admins_see_queues_and_workers_and_open_pages_by_name(
    chromium: Chromium, api_server: ApiProcess, worker_process: Child
) -> None:
    token = api_server.token("root", "admin")
    await chromium.run_scenario("workers", api_server, token=token)


async def test_graphiql_runs_a_query_and_a_subscription(
    chromium: Chromium, api_server: ApiProcess
) -> None:
    await chromium.run_scenario("graphiql", api_server)


async def test_first_page_transfers_few_bytes(chromium: Chromium, api_server: ApiProcess) -> None:
    await chromium.run_scenario("weight", api_server)
