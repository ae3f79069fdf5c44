"""READY without delay: it does not wait for the empty reply of a quiet stream."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.resolvers.live.messages import ChangeKind
from tests.live.fixtures import ContextFactory
from tests.live.reading import follow, received
from tests.live.writing import Writer
from tests.processes import eventually

QUIET_MS = 3_000  # the time until a quiet stream replies
ROUNDS = 20
PROMPT_S = ROUNDS * QUIET_MS / 2_000  # 30 s: half of the time that waiting for the stream takes


@pytest.fixture
async def feed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChangeFeed]:
    """Return a feed whose stream replies late if there are no changes."""
    monkeypatch.setattr("ostinato.jobs.mongo.change_stream.AWAIT_MS", QUIET_MS)
    async with ChangeFeed(engine.mongo, engine.settings) as feed:
        yield feed


async def test_snapshot_is_ready_before_a_quiet_stream_replies(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    ids = [await writer.job() for _ in range(3)]
    await eventually(lambda: feed.stats.changes >= 3)
    async with asyncio.timeout(PROMPT_S):
        for _ in range(ROUNDS):
            async with follow(as_viewer(), snapshot=True) as client:
                rows = await client.until(ChangeKind.READY)
            assert [row.id for row in rows[:-1]] == ids[::-1]
            ids.append(await writer.job())


async def test_concurrent_snapshots_share_probes(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    await writer.job()
    await writer.mongo["items"].insert_one({})  # not a watched collection
    probes = feed.stats.probes
    clients = [follow(as_viewer(), snapshot=True) for _ in range(50)]
    async with asyncio.timeout(PROMPT_S):
        await asyncio.gather(*(client.ready() for client in clients))
    assert feed.stats.probes - probes < len(clients) / 2
    for client in clients:
        await client.__aexit__()


async def test_changes_after_an_early_ready_are_sent_once(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    await writer.job()
    async with follow(as_viewer(), snapshot=True) as client:
        cursor = (await client.ready()).cursor
        ids = [await writer.job() for _ in range(5)]
        assert received(await client.take(5)) == [(job_id, 1) for job_id in ids]
    async with follow(as_viewer(), cursor) as again:
        await again.ready()
        assert received(await again.take(5)) == [(job_id, 1) for job_id in ids]
