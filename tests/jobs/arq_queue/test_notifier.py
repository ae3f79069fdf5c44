"""Tests of the notifier: lost signals, reconnects and closing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest
from redis import Redis
from structlog.testing import capture_logs

from ostinato.jobs.arq_queue.connection import close, connect
from ostinato.jobs.arq_queue.notifier import Notifier, Signal
from ostinato.jobs.engine import Engine
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.mongo.stored_json import encode_document
from ostinato.jobs.settings import Settings
from tests.engine.proxy import Proxy, proxied
from tests.engine.rig import Rig
from tests.processes import eventually


@pytest.fixture
async def redis_proxy(fast_settings: Settings) -> AsyncIterator[Proxy]:
    """Return a proxy in front of Redis."""
    async with proxied(fast_settings.redis_url) as proxy:
        yield proxy


@pytest.fixture
async def notifier(fast_settings: Settings, redis_proxy: Proxy) -> AsyncIterator[Notifier]:
    """Return a notifier that is connected through the proxy."""
    redis = connect(redis_proxy.url, "unused")
    notifier = Notifier(redis, fast_settings.redis_prefix)
    await notifier.ping()
    yield notifier
    await redis.aclose(close_connection_pool=True)


async def test_failed_signal_does_not_delay_the_next(
    notifier: Notifier, redis_proxy: Proxy, fast_settings: Settings, redis_admin: Redis
) -> None:
    pubsub = redis_admin.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis-py does not annotate pubsub()
    with pubsub as subscription:
        subscription.subscribe(f"{fast_settings.redis_prefix}:doorbell")
        redis_proxy.stall()
        notifier.notify(Signal.DUE)
        await eventually(lambda: not notifier._pending)
        notifier.notify(Signal.WORK)
        redis_proxy.cut()
        redis_proxy.heal()
        await notifier.close()
        messages = [subscription.get_message(timeout=1) for _ in range(4)]
    assert b"work" in [message["data"] for message in messages if message]


async def test_dead_connection_is_detected_and_replaced(
    notifier: Notifier, redis_proxy: Proxy, fast_settings: Settings, redis_admin: Redis
) -> None:
    received: list[Signal] = []
    listening = asyncio.create_task(notifier.listen(received.append))
    await eventually(lambda: len(received) == len(Signal))
    redis_proxy.blackhole_open_connections()
    with capture_logs() as logs:
        await eventually(lambda: len(received) == 2 * len(Signal))
    assert [(line["event"], "PING" in line["error"]) for line in logs] == [("notifier.lost", True)]
    publish_work = partial(redis_admin.publish, f"{fast_settings.redis_prefix}:doorbell", "work")
    await eventually(lambda: publish_work() and Signal.WORK in received[2 * len(Signal) :])
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_every_signal_is_repeated_after_a_reconnect(
    notifier: Notifier, redis_proxy: Proxy
) -> None:
    received: list[Signal] = []
    redis_proxy.stall()
    before = redis_proxy.forwarded_chunks
    listening = asyncio.create_task(notifier.listen(received.append))
    await eventually(lambda: redis_proxy.forwarded_chunks > before)
    assert received == []
    redis_proxy.heal()
    await eventually(lambda: received == list(Signal))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_responsive_idle_connection_is_kept(notifier: Notifier, redis_proxy: Proxy) -> None:
    received: list[Signal] = []
    listening = asyncio.create_task(notifier.listen(received.append))
    await eventually(lambda: len(received) == len(Signal))
    before = redis_proxy.forwarded_chunks
    with capture_logs() as logs:  # until three PINGs have been answered: 6 chunks
        await eventually(lambda: redis_proxy.forwarded_chunks >= before + 6)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert (logs, received) == ([], list(Signal))


async def test_engine_finishes_submitted_writes_when_the_with_block_raises(
    fast_settings: Settings, rig_without_worker: Rig
) -> None:
    new_job = await rig_without_worker.build_job("echo")
    document = build_job_document(new_job, new_job.scheduled_time, 9)
    with suppress(ValueError):
        async with Engine.open(fast_settings) as engine:
            writing = asyncio.create_task(engine.inserts.submit(encode_document(document)))
            await asyncio.wait({writing}, timeout=0)
            raise ValueError("the with block fails")
    assert writing.done()
    assert (await rig_without_worker.job(document["_id"]))["state"] == "pending"


async def test_engine_sends_its_last_signal_when_the_with_block_raises(
    fast_settings: Settings,
) -> None:
    with suppress(ValueError):
        async with Engine.open(fast_settings) as engine:
            engine.notifier.notify(Signal.DUE)
            publishing = engine.notifier._publishing
            raise ValueError("the with block fails")
    assert publishing is not None
    assert publishing.done()


async def test_signal_after_close_opens_no_connection(fast_settings: Settings) -> None:
    redis = connect(fast_settings.redis_url, "unused")
    notifier = Notifier(redis, fast_settings.redis_prefix)
    notifier.notify(Signal.DUE)
    await notifier.close()
    await close(redis)
    notifier.notify(Signal.DUE)
    assert notifier._publishing is None
