"""The last signals of an engine, and signals that Redis does not receive."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest
from redis import Redis
from structlog.testing import capture_logs

from ostinato.jobs.arq_queue.connection import close, connect
from ostinato.jobs.arq_queue.notifier import POLL_S, POLLS_UNTIL_RECONNECT, Notifier, Signal
from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.settings import Settings
from tests.engine.proxy import Proxy, proxied
from tests.engine.rig import Rig
from tests.processes import eventually


@pytest.fixture
async def between(hasty: Settings) -> AsyncIterator[Proxy]:
    """Return a proxy in front of Redis."""
    async with proxied(hasty.redis_url) as proxy:
        yield proxy


@pytest.fixture
async def notifier(hasty: Settings, between: Proxy) -> AsyncIterator[Notifier]:
    """Return a notifier that is connected through the proxy."""
    redis = connect(between.url, "unused")
    notifier = Notifier(redis, hasty.redis_prefix)
    await notifier.ping()
    yield notifier
    await redis.aclose(close_connection_pool=True)


async def test_failed_signal_does_not_delay_the_next(
    notifier: Notifier, between: Proxy, hasty: Settings, redis_admin: Redis
) -> None:
    pubsub = redis_admin.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # untyped there
    with pubsub as heard:
        heard.subscribe(f"{hasty.redis_prefix}:doorbell")
        between.stall()
        notifier.notify(Signal.DUE)
        await eventually(lambda: not notifier._pending)
        notifier.notify(Signal.WORK)
        between.cut()
        between.heal()
        await notifier.close()
        messages = [heard.get_message(timeout=1) for _ in range(4)]
    assert b"work" in [one["data"] for one in messages if one]


async def test_dead_connection_is_detected_and_replaced(
    notifier: Notifier, between: Proxy, hasty: Settings, redis_admin: Redis
) -> None:
    heard: list[Signal] = []
    listening = asyncio.create_task(notifier.listen(heard.append))
    await eventually(lambda: len(heard) == len(Signal))
    between.forsake()
    with capture_logs() as logs:
        await eventually(
            lambda: len(heard) == 2 * len(Signal), within=3 * POLLS_UNTIL_RECONNECT * POLL_S
        )
    assert [(line["event"], "PING" in line["error"]) for line in logs] == [("notifier.lost", True)]
    ring = partial(redis_admin.publish, f"{hasty.redis_prefix}:doorbell", "work")
    await eventually(lambda: ring() and Signal.WORK in heard[2 * len(Signal) :])
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_every_signal_is_repeated_after_a_reconnect(
    notifier: Notifier, between: Proxy
) -> None:
    heard: list[Signal] = []
    between.stall()
    before = between.arrived
    listening = asyncio.create_task(notifier.listen(heard.append))
    await eventually(lambda: between.arrived > before)
    assert heard == []
    between.heal()
    await eventually(lambda: heard == list(Signal))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_responsive_idle_connection_is_kept(notifier: Notifier, between: Proxy) -> None:
    heard: list[Signal] = []
    listening = asyncio.create_task(notifier.listen(heard.append))
    await eventually(lambda: len(heard) == len(Signal))
    before = between.arrived
    with capture_logs() as logs:  # until it has been asked, and has answered, three times
        await eventually(
            lambda: between.arrived >= before + 6, within=4 * POLLS_UNTIL_RECONNECT * POLL_S
        )
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert (logs, heard) == ([], list(Signal))


async def test_engine_finishes_submitted_writes_when_its_body_raises(
    hasty: Settings, idle: Rig
) -> None:
    plan = await idle.plan("echo")
    document = build_job_document(plan, plan.scheduled_time, 9)
    with suppress(ValueError):
        async with Engine.open(hasty) as engine:
            writing = asyncio.create_task(engine.inserts.submit(document))
            await asyncio.wait({writing}, timeout=0)
            raise ValueError("a failing body")
    assert writing.done()
    assert (await idle.job(document["_id"]))["state"] == "pending"


async def test_engine_sends_its_last_signal_when_its_body_raises(hasty: Settings) -> None:
    with suppress(ValueError):
        async with Engine.open(hasty) as engine:
            engine.notifier.notify(Signal.DUE)
            publishing = engine.notifier._publishing
            raise ValueError("a failing body")
    assert publishing is not None
    assert publishing.done()


async def test_signal_after_close_opens_no_connection(hasty: Settings) -> None:
    redis = connect(hasty.redis_url, "unused")
    notifier = Notifier(redis, hasty.redis_prefix)
    notifier.notify(Signal.DUE)
    await notifier.close()
    await close(redis)
    notifier.notify(Signal.DUE)
    assert notifier._publishing is None
