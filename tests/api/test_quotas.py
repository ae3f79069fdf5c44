"""Quotas of owners: what is rejected, what frees room, and the figures of `viewer.quotas`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import httpx
import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.jobs.quotas.counts import QuotaReader
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import issue_token
from ostinato.schema.server.app import create_app
from tests.api import operations as op
from tests.api.conftest import Client, Clients
from tests.audit.report import Tried
from tests.live.serving import served
from tests.processes import TLS, eventually
from tests.profiling import profiled

AUDIT: Final = "quotas"
pytestmark = pytest.mark.audit(AUDIT)

QUOTAS: Final = "{ viewer { quotas { kind used limit } } }"
OpenClients = Callable[..., Any]
Create = Callable[[Client, int], Coroutine[Any, Any, Any]]


@pytest.fixture
def limited(api_settings: Settings) -> OpenClients:
    """Return a function that opens an installation with the given quotas."""

    @asynccontextmanager
    async def open_clients(**quotas: int) -> AsyncIterator[Clients]:
        changes = {f"quota_{name}": limit for name, limit in quotas.items()}
        async with (
            Engine.open(api_settings.model_copy(update=changes)) as engine,
            ChangeFeed(engine.mongo, engine.settings) as feed,
        ):
            yield Clients(engine=engine, feed=feed)

    return open_clients


async def _job(client: Client, number: int) -> Any:
    args = {"functionName": "tasks.runTask", "args": {"name": f"{number}"}}
    return await client(op.SCHEDULE_JOB, input={**args, "runAfterMs": 60_000})


async def _cron(client: Client, number: int, **fields: Any) -> Any:
    input_ = {"name": f"cron-{number}", **(fields or {"intervalMs": 60_000})}
    return await client(op.REGISTER_CRON, input=input_)


async def _task(client: Client, number: int, interval_ms: int = 60_000) -> Any:
    return await client(op.START_TASK, input={"taskId": f"t{number}", "intervalMs": interval_ms})


async def _batch(client: Client, _number: int) -> Any:
    return await client(op.START_BATCH, input={})


async def _item(client: Client, number: int) -> Any:
    return await client(op.ADD_ITEMS, input={"items": [number]})


async def _request(client: Client, number: int) -> Any:
    return await client(op.CREATE_WITH_TIMEOUT, input={"data": number})


CREATE: Final[dict[str, Create]] = {
    "pending_jobs": _job,
    "crons": _cron,
    "ticks_per_minute": _cron,
    "recurring_tasks": _task,
    "batches": _batch,
    "items": _item,
    "requests": _request,
}


async def _used(client: Client, kind: str) -> float:
    quotas = (await client.get(QUOTAS))["quotas"]
    (used,) = [quota["used"] for quota in quotas if quota["kind"] == kind.upper()]
    return float(used)


@pytest.mark.parametrize("kind", CREATE)
async def test_more_than_a_quota_is_rejected_and_others_are_unaffected(
    limited: OpenClients, tried: Tried, kind: str
) -> None:
    async with limited(**{kind: 2}) as clients:
        ann, bob, create = clients.of("ann"), clients.of("bob"), CREATE[kind]
        for number in range(2):
            assert (await create(ann, number)).code is None
        rejected = await create(ann, 2)
        assert rejected.errors[0].extensions == {
            "code": "QUOTA_EXCEEDED", "quota": kind.upper(), "used": 2, "limit": 2
        }  # fmt: skip
        assert "the limit is 2: " in rejected.message
        assert f"raise OSTINATO_QUOTA_{kind.upper()}" in rejected.message
        assert await _used(ann, kind) == 2
        others = (await create(bob, 0)).code or "accepted"
        tried(AUDIT, f"a third of {kind}, with a limit of 2", f"{rejected.code}; others {others}")
        assert others == "accepted"


@pytest.mark.parametrize("kind", CREATE)
async def test_parallel_calls_do_not_exceed_a_quota(
    limited: OpenClients, tried: Tried, kind: str
) -> None:
    async with limited(**{kind: 5}) as clients:
        ann, create = clients.of("ann"), CREATE[kind]
        answers = await asyncio.gather(*(create(ann, number) for number in range(20)))
        codes = [answer.code for answer in answers]
        accepted = f"{codes.count(None)} accepted"
        tried(AUDIT, f"20 parallel calls that add {kind}, with a limit of 5", accepted)
        assert set(codes) == {None, "QUOTA_EXCEEDED"}
        # Of pending jobs, one that is being stored can be counted twice.
        assert codes.count(None) == 5 or (kind == "pending_jobs" and codes.count(None) < 5)


async def test_parallel_calls_with_many_items_do_not_exceed_the_quota(limited: OpenClients) -> None:
    async with limited(items=2_000) as clients:
        ann = clients.of("ann")
        calls = (ann(op.ADD_ITEMS, input={"items": [1] * 500}) for _ in range(12))
        codes = [answer.code for answer in await asyncio.gather(*calls)]
        assert (codes.count(None), codes.count("QUOTA_EXCEEDED")) == (4, 8)
        assert await _used(ann, "items") == 2_000


@pytest.mark.parametrize("create", [_item, _request])
async def test_bytes_are_counted_as_they_are_stored(limited: OpenClients, create: Create) -> None:
    async with limited(stored_bytes=100_000) as clients:
        ann, quotas = clients.of("ann"), clients.engine.quotas
        await _used(ann, "stored_bytes")
        for number in range(20):
            await create(ann, number)
        counted = await quotas.bytes.used("ann")
        reader = QuotaReader(clients.engine.mongo.aggregate, clients.engine.settings)
        stored = await reader.measure_bytes("ann")
        assert 0.9 * stored < counted < 1.1 * stored


@pytest.mark.parametrize("kind", CREATE)
async def test_zero_is_no_limit(limited: OpenClients, kind: str) -> None:
    async with limited(**{kind: 0}) as clients:
        ann = clients.of("ann")
        assert (await CREATE[kind](ann, 1)).code is None
        quotas = (await ann.get(QUOTAS))["quotas"]
        assert {"kind": kind.upper(), "used": 1, "limit": None} in quotas


async def test_quotas_of_a_viewer_count_only_what_is_theirs(limited: OpenClients) -> None:
    async with limited() as clients:
        ann = clients.of("ann")
        for kind in ("crons", "recurring_tasks", "batches", "items", "requests"):
            await CREATE[kind](ann, 1)
        quotas = (await ann.get(QUOTAS))["quotas"]
        figures = {quota["kind"]: (quota["used"], quota["limit"]) for quota in quotas}
        assert figures.pop("STORED_BYTES")[0] > 1_000
        assert figures == {
            "PENDING_JOBS": (5, 100_000), "CRONS": (1, 1_000), "TICKS_PER_MINUTE": (2, 6_000),
            "RECURRING_TASKS": (1, 1_000), "BATCHES": (1, 100), "ITEMS": (1, 100_000),
            "REQUESTS": (1, 10_000), "SUBSCRIPTIONS": (0, 1_000), "BULK_ACTIONS": (0, 5),
        }  # fmt: skip
        assert {quota["used"] for quota in (await clients.of("bob").get(QUOTAS))["quotas"]} == {0}
        assert (await clients.anonymous()(QUOTAS)).code == "UNAUTHORIZED"


async def test_quotas_are_read_once_for_all_aliases_and_concurrent_requests(
    limited: OpenClients,
) -> None:
    async with limited() as clients:
        ann = clients.of("ann")
        query = "{ viewer { a: quotas { used } b: quotas { used } c: quotas { used } } }"
        async with profiled(clients.engine.mongo, "items") as reads:
            await asyncio.gather(*(ann.get(query) for _ in range(5)))
        assert len(reads) <= 4  # the count and the size, read again if this took over a second


async def test_deleting_a_cron_and_canceling_a_batch_free_room(limited: OpenClients) -> None:
    async with limited(crons=1, batches=1) as clients:
        ann = clients.of("ann")
        cron = (await _cron(ann, 1)).data["registerCron"]
        batch = (await _batch(ann, 1)).data["startBatch"]
        assert [(await _cron(ann, 2)).code, (await _batch(ann, 2)).code] == ["QUOTA_EXCEEDED"] * 2
        await ann.get(op.DELETE_CRON, input={"cronId": cron["cronId"]})
        await ann.get(op.CANCEL_BATCH, input={"batchId": batch["batchId"]})
        assert [(await _cron(ann, 2)).code, (await _batch(ann, 2)).code] == [None, None]


@pytest.mark.parametrize(
    ("schedule", "ticks"),
    [
        ({"intervalMs": 1_000}, 60),
        ({"intervalMs": 90_000}, 0.667),
        ({"cronspec": "0 9 * * *"}, 1),
        ({"cronspec": "@hourly"}, 1),
        ({"cronspec": "* * 9 * * *"}, 60),
        ({"cronspec": "*/20 * * * * *"}, 3),
    ],
)
async def test_ticks_of_a_schedule_are_those_of_its_busiest_minute(
    ann: Client, schedule: dict[str, Any], ticks: float
) -> None:
    await _cron(ann, 1, **schedule)
    assert await _used(ann, "ticks_per_minute") == ticks


async def test_paused_crons_and_stopped_tasks_have_no_ticks(limited: OpenClients) -> None:
    async with limited(ticks_per_minute=60) as clients:
        ann = clients.of("ann")
        cron = (await _cron(ann, 1, intervalMs=1_000)).data["registerCron"]
        assert (await _task(ann, 1)).code == "QUOTA_EXCEEDED"
        await ann.get(op.PAUSE_CRON, input={"cronId": cron["cronId"]})
        assert (await _task(ann, 1)).code is None
        resumed = await ann(op.RESUME_CRON, input={"cronId": cron["cronId"]})
        assert resumed.code == "QUOTA_EXCEEDED"
        assert "1 ticks a minute of crons and recurring tasks and asked for 60" in resumed.message
        await ann.get(op.STOP_TASK, input={"taskId": "t1"})
        assert (await ann(op.RESUME_CRON, input={"cronId": cron["cronId"]})).code is None


async def test_shorter_interval_of_a_task_replaces_its_ticks(limited: OpenClients) -> None:
    async with limited(ticks_per_minute=60) as clients:
        ann = clients.of("ann")
        assert (await _task(ann, 1, 1_500)).code is None
        assert (await _task(ann, 1, 1_000)).code is None
        assert (await _task(ann, 2)).code == "QUOTA_EXCEEDED"


async def test_admins_have_the_same_quotas(limited: OpenClients) -> None:
    async with limited(requests=1) as clients:
        admin = clients.of("root", "admin")
        assert [(await _request(admin, n)).code for n in (1, 2)] == [None, "QUOTA_EXCEEDED"]


async def test_objects_above_a_lowered_quota_are_kept(ann: Client, limited: OpenClients) -> None:
    cron = (await _cron(ann, 1)).data["registerCron"]
    await _cron(ann, 2)
    async with limited(crons=1) as clients:
        ann = clients.of("ann")
        assert (await _cron(ann, 3)).code == "QUOTA_EXCEEDED"
        paused = await ann(op.PAUSE_CRON, input={"cronId": cron["cronId"]})
        resumed = await ann(op.RESUME_CRON, input={"cronId": cron["cronId"]})
        assert [paused.code, resumed.code] == [None, None]


async def test_subscriptions_beyond_the_quota_get_an_error_until_another_ends(
    api_settings: Settings, tried: Tried
) -> None:
    settings = api_settings.model_copy(update={"quota_subscriptions": 1})
    async with (
        served(create_app(settings), settings) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, verify=TLS) as client,
    ):
        async with _subscribed(client, settings, "ann") as first:
            assert "READY" in first
            async with _subscribed(client, settings, "ann") as second:
                assert '"quota":"SUBSCRIPTIONS","used":1,"limit":1' in second
            async with _subscribed(client, settings, "bob") as other:
                tried(AUDIT, "a second of subscriptions, with a limit of 1", "QUOTA_EXCEEDED")
                assert "READY" in other
        await eventually(partial(_can_subscribe, client, settings))


@asynccontextmanager
async def _subscribed(
    client: httpx.AsyncClient, settings: Settings, user: str
) -> AsyncIterator[str]:
    """Open a subscription as a stream of events, and return its first lines with data."""
    headers = {
        "Authorization": f"Bearer {issue_token(settings, user)}",
        "Accept": "text/event-stream",
    }
    body = {"query": "subscription { cronsChanged { kind } }"}
    async with client.stream("POST", "/graphql", json=body, headers=headers) as response:
        # The name keeps the generator: the collection of an abandoned one closes the response.
        lines = (line async for line in response.aiter_lines() if "data: {" in line)
        yield await anext(lines)


async def _can_subscribe(client: httpx.AsyncClient, settings: Settings) -> bool:
    async with _subscribed(client, settings, "ann") as line:
        return "READY" in line
