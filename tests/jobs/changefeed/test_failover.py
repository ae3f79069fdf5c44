"""Subscriptions during a failover of MongoDB and after truncation of its oplog."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pymongo.errors import AutoReconnect

from benchmarks.chaos.live.replica_set import ReplicaSet
from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import HistoryLost
from ostinato.jobs.settings import Settings
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.context import RequestContext
from ostinato.resolvers.live.messages import ChangeKind
from tests.live.reading import follow, ready_cursor, received
from tests.live.writing import Writer
from tests.processes import eventually

SMALL_OPLOG = {"oplogSize": "1", "oplogMinRetentionHours": "0", "syncdelay": "1"}
PADDING = "x" * 200_000
JOBS = 120  # more than the ring holds


@asynccontextmanager
async def running(servers: ReplicaSet, settings: Settings) -> AsyncIterator[RequestContext]:
    """Start the servers, an engine and a change feed; return a request context."""
    members = [servers.start(number) for number in range(len(servers.ports))]
    try:
        await servers.initiate()
        own = settings.model_copy(update={"mongo_url": servers.url, "ring_events": 100})
        async with Engine.open(own) as engine, ChangeFeed(engine.mongo, own) as feed:
            yield RequestContext(caller=Viewer(id="ann"), engine=engine, feed=feed)
    finally:
        for member in members:
            member.popen.kill()
            await member.wait()


async def test_failover_loses_and_repeats_no_change(tmp_path: Path, settings: Settings) -> None:
    servers = ReplicaSet(folder=tmp_path)
    async with running(servers, settings) as ctx, follow(ctx) as client:
        writer = Writer(ctx.engine.mongo)
        cursor = (await client.ready()).cursor
        ids = [await writer.run()]
        await servers.step_down()
        await eventually(lambda: accepts_writes(ctx))
        ids.append(await writer.run())
        ids.append(await writer.run())  # a repeated change would come before this one
        expected = [(job_id, seq) for job_id in ids for seq in (1, 2, 3)]
        assert received(await client.take(9)) == expected
        async with follow(ctx, cursor) as resumed:
            await resumed.ready()
            assert received(await resumed.take(9)) == expected


async def accepts_writes(ctx: RequestContext) -> bool:
    """Return whether the driver has found the new primary; it retries a write only once."""
    try:
        await ctx.engine.mongo["items"].insert_one({})
    except AutoReconnect:
        return False
    return True


async def is_lost(ctx: RequestContext, cursor: str) -> bool:
    """Write more than the oplog holds, and return whether the cursor is too old."""
    writer = Writer(ctx.engine.mongo)
    for _ in range(JOBS):
        await writer.job(args={"padding": PADDING})
    async with follow(ctx, cursor) as client:
        await client.ready()
        try:
            await client.take(JOBS)
        except HistoryLost:
            return True
    return False


async def test_resuming_from_truncated_history_raises_history_lost(
    tmp_path: Path, settings: Settings
) -> None:
    servers = ReplicaSet(folder=tmp_path, options=SMALL_OPLOG, ports=[free_port()])
    async with running(servers, settings) as ctx:
        cursor = await ready_cursor(ctx)
        await eventually(lambda: is_lost(ctx, cursor), within=30)
        async with follow(ctx, snapshot=True) as client:
            assert len(await client.until(ChangeKind.READY)) > JOBS
