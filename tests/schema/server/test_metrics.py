"""/metrics: access, format and values."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from websockets.asyncio.client import connect

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.jobs.function_counters import FunctionCounts
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token
from tests.live.scraping import TOKEN, Scraper, scraped
from tests.live.watching import JOBS
from tests.live.writing import Writer
from tests.processes import Processes, eventually
from tests.schema.conftest import TRANSPORT_WS, Socket

SCHEDULE = (
    'mutation { scheduleJob(input: {functionName: "tasks.runTask", args: {name: "a"}}) { jobId } }'
)
LABELS = {"state", "kind", "outcome", "code", "function"}


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})


@pytest.mark.parametrize(
    "authorization",
    [None, "", TOKEN, "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}0", f"Basic {TOKEN}"],
)
async def test_metrics_without_their_token_are_unauthorized(
    scraper: Scraper, authorization: str | None
) -> None:
    response = await scraper.get(authorization)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "ostinato_" not in response.text


async def test_token_of_a_user_does_not_grant_access_to_metrics(scraper: Scraper) -> None:
    admin = issue_token(scraper.settings, "root", ("admin",))
    assert (await scraper.get(f"Bearer {admin}")).status_code == 401


async def test_metrics_are_not_found_unless_a_token_is_configured(
    engine: Engine, feed: ChangeFeed
) -> None:
    async with scraped(engine, feed, metrics_token=None) as scraper:
        assert (await scraper.get()).status_code == 404


async def test_response_is_uncached_prometheus_text(scraper: Scraper) -> None:
    response = await scraper.get()
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert "process_resident_memory_bytes" in response.text


async def test_labels_contain_no_names_or_ids(scraper: Scraper, writer: Writer) -> None:
    job_id = await writer.run(queue="private", functionName="secret.plan")
    await eventually(lambda: scraper.metric('job_transitions_total{state="success"}'))
    text = (await scraper.get()).text
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    assert {name for sample in samples for name in sample.labels} <= LABELS
    assert [word for word in (job_id, "ann", "private", "secret.plan") if word in text] == []


async def test_functions_have_counters_and_histograms(scraper: Scraper, engine: Engine) -> None:
    counts = FunctionCounts(failures=2, retries=3)
    for seconds in (0.02, 0.02, 7.0, 9_999.0):
        counts.run_time.observe(seconds)
    await engine.function_metrics.add({"shop.send": counts})
    samples = await scraper.scrape()
    assert samples['ostinato_function_runs_total{function="shop.send"}'] == 4
    assert samples['ostinato_function_failures_total{function="shop.send"}'] == 2
    assert samples['ostinato_function_retries_total{function="shop.send"}'] == 3
    name = "ostinato_function_run_seconds"
    of_bound = [
        samples[f'{name}_bucket{{function="shop.send",le="{bound}"}}']
        for bound in ("0.01", "0.05", "5.0", "10.0", "+Inf")
    ]
    assert of_bound == [0, 2, 2, 3, 4]
    assert samples[f'{name}_sum{{function="shop.send"}}'] == pytest.approx(10_006.04)


async def test_jobs_are_counted_by_state(scraper: Scraper, writer: Writer) -> None:
    await writer.run()
    await writer.claim(await writer.job())
    await writer.job(internal=True)

    async def are_counted() -> bool:
        transitions = labelled(await scraper.scrape(), "job_transitions_total")
        return transitions == {"pending": 2, "inProgress": 2, "success": 1}

    await eventually(are_counted)
    counts = labelled(await scraper.scrape(), "jobs")
    assert counts == {"pending": 0, "inProgress": 1, "failed": 0}


async def test_lag_of_the_oldest_due_job_ignores_paused_queues(
    scraper: Scraper, writer: Writer, engine: Engine
) -> None:
    due = datetime.now(UTC) - timedelta(hours=1)
    await writer.job(lane="paused/", queue="paused", scheduledTime=due - timedelta(hours=1))
    await writer.job(lane="default/", scheduledTime=due)
    await writer.job(lane="default/", scheduledTime=due + timedelta(hours=2))
    await engine.queues.pause("paused")
    assert 3_600 <= await scraper.metric("oldest_due_job_seconds") < 3_660


async def test_worker_without_a_recent_heartbeat_is_not_counted(
    scraper: Scraper, writer: Writer, engine: Engine
) -> None:
    about = {"concurrency": 7, "queues": ["default"], "running": 3, "loopLagMs": 20}
    for worker_id in ("alive", "dead"):
        await engine.workers.register(worker_id, about)
    long_ago = {"$set": {"heardAt": datetime.now(UTC) - timedelta(minutes=1), "loopLagMs": 500}}
    await writer.mongo["workers"].update_one({"_id": "dead"}, long_ago)
    samples = await scraper.scrape()
    assert samples["ostinato_workers"] == 1
    assert samples["ostinato_worker_slots"] == 7
    assert samples["ostinato_worker_slots_taken"] == 3
    assert samples["ostinato_worker_loop_lag_seconds"] == 0.02


async def test_mongodb_is_read_at_most_once_a_second(scraper: Scraper) -> None:
    started_at = time.monotonic()
    await asyncio.gather(*(scraper.get() for _ in range(20)))
    assert scraper.reader is not None
    assert 1 <= scraper.reader.reads <= 2 + (time.monotonic() - started_at)


async def test_metrics_that_need_no_mongodb_are_available_without_it(
    engine: Engine, feed: ChangeFeed
) -> None:
    async with Engine.open(engine.settings) as gone:
        pass
    async with scraped(gone, feed) as scraper:
        samples = await scraper.scrape()
    assert samples["ostinato_mongodb_answers"] == 0
    assert samples["ostinato_hub_following"] == 1
    assert "ostinato_workers" not in samples


def labelled(samples: dict[str, float], name: str) -> dict[str, float]:
    """Return the samples of one metric, by the values of their labels."""
    start = f"ostinato_{name}{{"
    return {k.split('"')[1]: value for k, value in samples.items() if k.startswith(start)}


async def test_operations_are_counted_by_kind_and_outcome(scraper: Scraper) -> None:
    await scraper.execute("{ viewer { id } }")
    await scraper.execute("{ nothing }")
    await scraper.execute('{ job(id: "x") { id } }')
    await scraper.execute("mutation($id: ID!) { cancelJob(input: {jobId: $id}) { job { id } } }")
    ended = {k: v for k, v in (await scraper.scrape()).items() if "graphql_operations" in k}
    assert ended == {
        operations("query", "ok"): 1,
        operations("unknown", "GRAPHQL_VALIDATION_FAILED"): 1,
        operations("query", "BAD_REQUEST"): 1,
        operations("mutation", "BAD_REQUEST"): 1,
    }


def operations(kind: str, outcome: str) -> str:
    return f'ostinato_graphql_operations_total{{kind="{kind}",outcome="{outcome}"}}'


async def test_sockets_and_subscriptions_are_counted(scraper: Scraper) -> None:
    url = scraper.url.replace("http", "ws") + "/graphql"
    async with connect(url, subprotocols=[TRANSPORT_WS], proxy=None) as connection:
        client = Socket(connection)
        await client.init(issue_token(scraper.settings, "ann"))
        await client.subscribe("1", JOBS)
        await client.receive()
        await eventually(lambda: scraper.metric("subscription_members"))
        samples = await scraper.scrape()
        assert samples["ostinato_sockets"] == samples["ostinato_subscription_groups"] == 1
        assert samples["ostinato_hub_subscriptions"] == samples["ostinato_hub_watches"] == 1
    await eventually(lambda: scraper.metric('websockets_closed_total{code="client"}'))
    left = await scraper.scrape()
    assert left["ostinato_sockets"] == left["ostinato_subscription_members"] == 0
    assert left[operations("subscription", "ok")] == 1


async def test_metrics_of_an_api_process_include_those_of_a_worker_process(
    processes: Processes,
) -> None:
    api = await processes.api(metrics_token=SecretStr(TOKEN))
    processes.worker(concurrency=5)
    scraper = Scraper(url=api.url, settings=api.settings)
    answer = await scraper.execute(
        SCHEDULE, input={"functionName": "tasks.runTask", "args": {"name": "a"}}
    )
    assert "errors" not in answer, answer
    await eventually(lambda: scraper.metric('job_transitions_total{state="success"}'), within=30)
    await eventually(lambda: scraper.metric("workers"))
    samples = await scraper.scrape()
    assert samples["ostinato_worker_slots"] == 5
    assert samples["ostinato_oldest_due_job_seconds"] < 20


async def test_documentation_lists_exactly_the_existing_metrics(
    scraper: Scraper, writer: Writer
) -> None:
    await writer.job()
    await eventually(lambda: scraper.metric('job_transitions_total{state="pending"}'))
    page = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
    listed = set(re.findall(r"^\| `(ostinato_\w+)` \|", page, re.MULTILINE))
    text = (await scraper.get()).text
    samples = set(re.findall(r"^# TYPE (ostinato_\w+) ", text, re.MULTILINE))
    assert listed == samples
