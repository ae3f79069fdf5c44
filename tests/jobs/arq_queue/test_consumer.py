"""The consumer takes chunks from Redis without signals and without a dispatcher."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, takewhile
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis import Redis
from redis.asyncio.connection import AbstractConnection
from structlog.testing import capture_logs

from ostinato.jobs.arq_queue.chunk_queue import Chunk, ChunkQueue, SlotsAcquired
from ostinato.jobs.arq_queue.connection import close, connect
from ostinato.jobs.arq_queue.consumer import Consumer, _ArqWorker
from ostinato.jobs.lanes import owner_tag
from ostinato.jobs.settings import Settings
from tests.engine.proxy import proxied
from tests.engine.rig import AllFree, Rig, chunk_of
from tests.processes import eventually

ONE, TWO, THREE, FOUR = ("1" * 24, "2" * 24, "3" * 24, "4" * 24)
HOUR_S = 3_600


class RecordingTaker:
    """Records the ids of all chunks."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def take(self, chunk: Chunk, slots_acquired: SlotsAcquired) -> bool:
        self.ids += chunk.ids
        return False


class OneStartPerOwner(AllFree):
    """An executor in which each owner may start one more job."""

    def free_starts_of(self, owner_tag: str) -> int:
        return 1


class HoldingTaker(RecordingTaker):
    """Records the ids of all chunks, and holds the chunks, whose jobs get no slots at first."""

    def __init__(self) -> None:
        super().__init__()
        self.acquire: dict[str, SlotsAcquired] = {}

    async def take(self, chunk: Chunk, slots_acquired: SlotsAcquired) -> bool:
        await super().take(chunk, slots_acquired)
        self.acquire |= dict.fromkeys(chunk.ids, slots_acquired)
        await asyncio.Event().wait()
        return False


@asynccontextmanager
async def consuming(url: str, queue: str, taken: RecordingTaker) -> AsyncIterator[ChunkQueue]:
    """Run a consumer that gets no signals; yield its queue."""
    consumer = Consumer(lambda: connect(url, queue), taken.take, AllFree(), lambda: None)
    redis = connect(url, queue)
    consuming = asyncio.create_task(consumer.run())
    try:
        yield ChunkQueue(redis)
    finally:
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
        await redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def polling_once(
    settings: Settings, queue: str, monkeypatch: pytest.MonkeyPatch, chunks: Sequence[Chunk]
) -> AsyncIterator[tuple[Consumer, HoldingTaker, ChunkQueue]]:
    """Enqueue chunks, then run a consumer that polls once, and again each time it is woken."""
    for constant in ("POLL_INTERVAL_S", "CHUNK_TIMEOUT_S"):
        monkeypatch.setattr(f"ostinato.jobs.arq_queue.consumer.{constant}", HOUR_S)
    redis, taken = connect(settings.redis_url, queue), HoldingTaker()
    chunk_queue = ChunkQueue(redis)
    for chunk in chunks:
        await chunk_queue.put(chunk)
    consumer = Consumer(
        lambda: connect(settings.redis_url, queue), taken.take, OneStartPerOwner(), lambda: None
    )
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer, taken, chunk_queue
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await close(redis)


def chunk_of_owners(**ids: str) -> Chunk:
    """Return a chunk with one job of each owner."""
    return Chunk(ids=tuple(ids.values()), owner_tags=tuple(map(owner_tag, ids)))


async def test_chunks_of_several_owners_are_taken_in_one_poll(
    settings: Settings, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = [chunk_of_owners(alice=ONE, bob=TWO), chunk_of_owners(alice=THREE, bob=FOUR)]
    async with polling_once(settings, queue, monkeypatch, mixed) as (_, taken, _):
        await eventually(lambda: sorted(taken.ids) == [ONE, TWO, THREE, FOUR], within=30)


async def test_chunks_of_an_owner_stay_in_redis_while_earlier_ones_have_no_slots(
    settings: Settings, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [chunk_of_owners(alice=ONE)]
    async with polling_once(settings, queue, monkeypatch, first) as (consumer, taken, chunks):
        await eventually(lambda: taken.ids == [ONE])
        await chunks.put(chunk_of_owners(alice=TWO))
        await chunks.put(chunk_of_owners(bob=THREE))
        consumer.wake()
        await eventually(lambda: taken.ids == [ONE, THREE])
        taken.acquire[ONE](1)
        consumer.wake()
        await eventually(lambda: taken.ids == [ONE, THREE, TWO])


async def test_chunk_that_is_read_again_after_it_was_taken_does_not_count(
    settings: Settings, queue: str
) -> None:
    redis = connect(settings.redis_url, queue)
    taken, chunks = RecordingTaker(), ChunkQueue(redis)
    worker = Consumer(lambda: redis, taken.take, OneStartPerOwner(), lambda: None)._worker()
    await chunks.put(chunk_of_owners(alice=ONE))
    read = await redis.zrange(queue, 0, -1)
    await worker.start_jobs(read)
    await asyncio.gather(*worker.tasks.values())
    await worker.start_jobs(read)
    assert taken.ids == [ONE]
    await chunks.put(chunk_of_owners(alice=TWO))
    read = await redis.zrange(queue, 0, -1)
    assert worker._choose(read, len(read)) == read
    await close(redis)


async def test_of_two_consumers_only_one_takes_a_chunk(settings: Settings, queue: str) -> None:
    taken, redis = RecordingTaker(), connect(settings.redis_url, queue)
    consumer = Consumer(lambda: redis, taken.take, AllFree(), lambda: None)
    workers = [consumer._worker(), consumer._worker()]
    await ChunkQueue(redis).put(chunk_of(ONE))
    read = await redis.zrange(queue, 0, -1)
    await asyncio.gather(*(worker.start_jobs(read) for worker in workers))
    await asyncio.gather(*(task for worker in workers for task in worker.tasks.values()))
    assert taken.ids == [ONE]
    await close(redis)


async def test_chunk_costs_four_commands(
    settings: Settings, queue: str, redis_admin: Redis
) -> None:
    redis = connect(settings.redis_url, queue)
    worker = Consumer(lambda: redis, RecordingTaker().take, AllFree(), lambda: None)._worker()
    await redis.ping()
    monitoring = redis_admin.monitor()  # type: ignore[no-untyped-call]  # redis-py does not annotate it
    with monitoring as monitor:
        await ChunkQueue(redis).put(chunk_of(ONE))
        read = await redis.zrange(queue, 0, -1)
        await worker.start_jobs(read)
        await asyncio.gather(*worker.tasks.values())
        await redis.echo("end")
        database = redis_admin.connection_pool.connection_kwargs["db"]
        sent = takewhile(lambda each: not each["command"].startswith("ECHO"), monitor.listen())
        commands = [each["command"].split()[0] for each in sent if each["db"] == database]
    assert commands == ["SET", "ZADD", "ZRANGE", "GETDEL", "ZREM"]
    await close(redis)


async def test_consumer_detects_a_stopped_redis_and_continues_after_recovery(
    settings: Settings, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.jobs.arq_queue.connection.COMMAND_TIMEOUT_S", 0.5)
    taken = RecordingTaker()
    async with (
        proxied(settings.redis_url) as proxy,
        consuming(proxy.url, queue, taken) as chunks,
    ):
        await chunks.put(chunk_of(ONE))
        await eventually(lambda: taken.ids == [ONE])
        with capture_logs() as logs:
            proxy.stall()
            await eventually(lambda: "queue.lost" in [line["event"] for line in logs])
            proxy.heal()
        await chunks.put(chunk_of(TWO))
        await eventually(lambda: taken.ids == [ONE, TWO], within=30)


async def test_chunk_is_taken_within_2_s_without_a_signal(settings: Settings, queue: str) -> None:
    taken = RecordingTaker()
    async with consuming(settings.redis_url, queue, taken) as chunks:
        await chunks.put(chunk_of(ONE))
        await eventually(lambda: taken.ids == [ONE])
        await chunks.put(chunk_of(TWO))
        await eventually(lambda: taken.ids == [ONE, TWO], within=30)


async def test_finished_jobs_leave_nothing_in_redis(
    rig: Rig, redis_admin: Redis, queue: str
) -> None:
    ids = await asyncio.gather(*(rig.schedule("echo", value="kept") for _ in range(20)))
    assert {(await rig.wait_until_ended(job_id))["state"] for job_id in ids} == {"success"}
    await rig.wait_until(lambda: redis_admin.keys("*") == [])


async def test_stale_arq_abort_entry_has_no_effect(
    settings: Settings, queue: str, redis_admin: Redis
) -> None:
    redis, taken = connect(settings.redis_url, queue), RecordingTaker()
    await ChunkQueue(redis).put(chunk_of(ONE))
    await redis.aclose(close_connection_pool=True)
    (chunk,) = redis_admin.zscan_iter(queue)
    redis_admin.zadd("arq:abort", {chunk[0]: time.time() * 1000, ONE: time.time() * 1000})
    async with consuming(settings.redis_url, queue, taken):
        await eventually(lambda: taken.ids == [ONE])
        await eventually(lambda: redis_admin.zcard(queue) == 0)


async def test_failure_that_no_task_awaits_is_not_reported() -> None:
    reported: list[Any] = []
    gc.collect()  # of objects from other tests
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    worker = object.__new__(_ArqWorker)
    worker.finishing = set()
    connection = asyncio.get_running_loop().create_future()
    finishing = asyncio.ensure_future(worker._track_finishing(connection))
    await asyncio.wait({finishing}, timeout=0)
    connection.set_exception(ConnectionError("refused"))
    await asyncio.wait({finishing})
    del finishing, connection
    gc.collect()
    assert reported == []


class Clients:
    """Connects clients, and records them."""

    def __init__(self, url: str, queue: str) -> None:
        self.url, self.queue = url, queue
        self.all: list[ArqRedis] = []

    def connect(self) -> ArqRedis:
        self.all.append(connect(self.url, self.queue))
        return self.all[-1]

    def connected(self) -> list[AbstractConnection]:
        pools = [client.connection_pool for client in self.all]
        connections = chain.from_iterable(
            [*pool._available_connections, *pool._in_use_connections] for pool in pools
        )
        return [connection for connection in connections if connection.is_connected]


@pytest.mark.parametrize("turns", range(12))
async def test_consumer_canceled_again_while_it_closes_leaves_no_connection(
    settings: Settings, queue: str, turns: int
) -> None:
    taken, clients = RecordingTaker(), Clients(settings.redis_url, queue)
    redis = clients.connect()
    for _ in range(20):
        await ChunkQueue(redis).put(chunk_of(ONE))
    await close(redis)
    running = asyncio.create_task(
        Consumer(clients.connect, taken.take, AllFree(), lambda: None).run()
    )
    await eventually(lambda: taken.ids)
    while not running.done():
        running.cancel()
        for _ in range(turns + 1):  # turns of the event loop
            await asyncio.wait({running}, timeout=0)
    assert clients.connected() == []
