"""The loss or corruption of signals and chunks in Redis loses no job and stops no worker."""

import asyncio
import json
import pickle
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop
from redis import Redis
from redis.asyncio.connection import Connection

from ostinato.jobs.arq_queue.chunk_queue import ChunkQueue
from ostinato.jobs.arq_queue.connection import (
    COMMAND_TIMEOUT_S,
    REDIS_ERRORS,
    connect,
    deserialize,
    reconnect_backoff,
)
from ostinato.jobs.arq_queue.notifier import Signal
from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.embedded.servers import start_valkey
from ostinato.jobs.engine import Engine
from ostinato.jobs.settings import Settings
from tests.engine.proxy import proxied
from tests.engine.rig import Rig, chunk_of, start_workers
from tests.processes import Processes, eventually

LONG_AGO = 946_684_800_000
MALFORMED: list[tuple[bytes, bytes | None]] = [
    (b"\xff\xfe", None),
    ("²-²".encode(), None),
    (b"chunk-99999999999999999999", None),
    (b"no-payload", None),
    (b"pickled", pickle.dumps({"f": "run_chunk", "a": [], "k": {}})),
    (b"list", b"[1, 2]"),
    (b"odd-function", json.dumps({"t": 1, "f": ["x"], "a": [], "k": {}, "et": 1}).encode()),
    (b"odd-time", json.dumps({"t": 1, "f": "run_chunk", "a": [], "k": {}, "et": "x"}).encode()),
    (b"no-args", json.dumps({"t": 1, "f": "run_chunk", "a": [], "k": {}, "et": 1}).encode()),
    (b"odd-ids", json.dumps({"t": 1, "f": "run_chunk", "a": [[{}], 1], "k": {}, "et": 1}).encode()),
    (b"odd-try", json.dumps({"t": "x", "f": "run_chunk", "a": [[], 1], "k": {}, "et": 1}).encode()),
]


async def test_flush_under_load_loses_no_job(rig: Rig, redis_admin: Redis) -> None:
    ids = []
    for _ in range(20):
        ids += await asyncio.gather(*(rig.schedule("echo") for _ in range(20)))
        redis_admin.flushdb()
    jobs = [await rig.wait_until_ended(job_id, within=30) for job_id in ids]
    assert {(job["state"], job["attempt"]) for job in jobs} == {("success", 1)}


async def test_flush_loses_no_scheduled_job(rig: Rig, redis_admin: Redis) -> None:
    due = await rig.engine.now() + timedelta(days=2)
    ids = [await rig.schedule_at(await rig.build_job("echo"), due) for _ in range(20)]
    assert redis_admin.keys("arq:job:*") == []
    redis_admin.flushdb()
    await rig.engine.advance(2 * 86_400_000)
    assert {(await rig.wait_until_ended(job_id))["state"] for job_id in ids} == {"success"}


async def test_foreign_data_in_the_queue_has_no_effect(
    rig: Rig, redis_admin: Redis, queue: str, subtests: pytest.Subtests
) -> None:
    for name, payload in MALFORMED:
        with subtests.test(repr((name, payload))[:40]):
            if payload is not None:
                redis_admin.set(b"arq:job:" + name, payload)
            redis_admin.zadd(queue, {name: LONG_AGO})
            redis_admin.publish(queue.replace("queue", "doorbell"), "work,due")
            await rig.wait_until(partial(_is_gone, redis_admin, queue, name))
            assert (await rig.run("echo"))["state"] == "success"


def _is_gone(redis_admin: Redis, queue: str, name: bytes) -> bool:
    return redis_admin.zscore(queue, name) is None


async def test_redis_queue_key_of_another_type_is_moved_aside(
    rig: Rig, redis_admin: Redis, queue: str
) -> None:
    redis_admin.set(queue, "not a queue")
    assert (await rig.run("echo"))["state"] == "success"


async def test_malformed_signal_has_no_effect(
    rig: Rig, redis_admin: Redis, queue: str, subtests: pytest.Subtests
) -> None:
    for word in (b"\xff\xfe", b"", b"due,due,nothing", b"cancel" * 1000, b"$"):
        with subtests.test(repr(word)[:20]):
            await rig.run("echo")
            redis_admin.publish(queue.replace("queue", "doorbell"), word)
            assert (await rig.run("echo"))["state"] == "success"


async def test_stale_and_duplicate_chunks_start_no_job_twice(
    rig: Rig, redis_admin: Redis, queue: str
) -> None:
    redis = connect(rig.engine.settings.redis_url, queue)
    done = (await rig.run("echo"))["_id"]
    for _ in range(5):
        await ChunkQueue(redis).put(chunk_of(done, "0" * 24))
    rig.engine.notifier.notify(Signal.WORK)
    await rig.wait_until(lambda: redis_admin.zcard(queue) == 0)
    await redis.aclose(close_connection_pool=True)
    assert (await rig.job(done))["attempt"] == 1


async def test_redis_messages_contain_only_plain_data(
    rig_without_worker: Rig, redis_admin: Redis, queue: str
) -> None:
    redis = connect(rig_without_worker.engine.settings.redis_url, queue)
    await ChunkQueue(redis).put(chunk_of("0" * 24))
    await redis.aclose(close_connection_pool=True)
    (key,) = redis_admin.scan_iter("arq:job:*")
    payload: Any = redis_admin.get(key)
    assert json.loads(payload)["a"] == [["0" * 24], False]
    with pytest.raises(UnicodeDecodeError):
        deserialize(pickle.dumps({}))


async def test_scheduling_does_not_wait_for_redis(fast_settings: Settings) -> None:
    async with (
        proxied(fast_settings.redis_url) as proxy,
        Engine.open(fast_settings.model_copy(update={"redis_url": proxy.url})) as engine,
    ):
        proxy.stall()
        async with asyncio.timeout(COMMAND_TIMEOUT_S - 1):
            await Rig(engine).schedule("echo")
        proxy.heal()


async def test_only_jobs_due_soon_send_a_signal(
    rig_without_worker: Rig, fast_settings: Settings, redis_admin: Redis, queue: str
) -> None:
    pubsub = redis_admin.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis-py does not annotate pubsub()
    with pubsub as subscription:
        subscription.subscribe(queue.replace("queue", "doorbell"))
        new_job = await rig_without_worker.build_job("echo")
        await rig_without_worker.schedule_at(new_job, new_job.scheduled_time + timedelta(days=7))
        await rig_without_worker.engine.notifier.close()
        async with Engine.open(fast_settings) as engine:  # a closed notifier sends no more signals
            await Rig(engine).schedule("echo")
        messages = [subscription.get_message(timeout=1) for _ in range(4)]
    assert [message["data"] for message in messages if message] == [b"due"]


async def test_worker_survives_a_valkey_restart_and_catches_up(
    fast_settings: Settings, processes: Processes, tmp_path: Path
) -> None:
    port = free_port()
    valkey, url = await start_valkey(tmp_path, port)
    async with Engine.open(fast_settings.model_copy(update={"redis_url": url})) as engine:
        rig = Rig(engine)
        (worker,) = await start_workers(rig, processes, redis_url=url)
        await rig.run("echo")
        valkey.popen.kill()
        await valkey.wait()
        ids = [await rig.schedule("echo") for _ in range(20)]
        valkey, _ = await start_valkey(tmp_path, port)
        states: set[Any] = {(await rig.wait_until_ended(job_id))["state"] for job_id in ids}
        await valkey.stop()
    assert (states, worker.exit_code) == ({"success"}, None)


def test_reconnect_delays_grow_until_a_connection_lasts() -> None:
    backoff, lasted_s = reconnect_backoff(), (*[0.1] * 7, 3.0, 0.1)
    pauses = [backoff.next_s(held_s) for held_s in lasted_s]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 0.05, 0.1]


def test_connection_closed_during_a_write_counts_as_a_redis_failure(
    settings: Settings,
) -> None:
    async def write_to_a_closed_connection() -> None:
        url = urlsplit(settings.redis_url)
        connection: Any = Connection(port=url.port or 0, password=url.password)
        await connection.connect()
        transport = connection._writer.transport
        transport.abort()
        await eventually(lambda: "closed=True" in repr(transport))
        with pytest.raises(REDIS_ERRORS):
            await connection.send_command("PING")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write_to_a_closed_connection())
