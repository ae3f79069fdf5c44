"""READY comes at once in quiet times: nobody waits for the stream to say that nothing happened."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.engine import Engine
from ostinato.resolvers.live.messages import ChangeKind
from tests.live.fixtures import As
from tests.live.reading import follow, told
from tests.live.writing import Writer
from tests.processes import eventually

SILENT_MS = 3_000  # how late the stream says that nothing happened
ROUNDS = 20
PROMPT_S = ROUNDS * SILENT_MS / 2_000  # 30 s: half of what waiting for the stream takes


@pytest.fixture
async def feed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChangeFeed]:
    """Return a feed whose stream is silent for long unless something happens."""
    monkeypatch.setattr("ostinato.jobs.mongo.change_stream.AWAIT_MS", SILENT_MS)
    async with ChangeFeed(engine.mongo, engine.settings) as feed:
        yield feed


async def test_snapshot_is_ready_long_before_a_quiet_stream_says_so(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    ids = [await write.job() for _ in range(3)]
    await eventually(lambda: feed.stats.changes >= 3)
    async with asyncio.timeout(PROMPT_S):
        for _ in range(ROUNDS):
            async with follow(as_viewer(), snapshot=True) as client:
                rows = await client.until(ChangeKind.READY)
            assert [row.id for row in rows[:-1]] == ids[::-1]
            ids.append(await write.job())


async def test_many_snapshots_at_once_share_a_look(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    await write.job()
    await write.mongo["items"].insert_one({})  # the feed does not hear of this
    probes = feed.stats.probes
    clients = [follow(as_viewer(), snapshot=True) for _ in range(50)]
    async with asyncio.timeout(PROMPT_S):
        await asyncio.gather(*(client.ready() for client in clients))
    assert feed.stats.probes - probes < len(clients) / 2
    for client in clients:
        await client.__aexit__()


async def test_what_happens_after_an_early_ready_is_told_once(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    await write.job()
    async with follow(as_viewer(), snapshot=True) as client:
        cursor = (await client.ready()).cursor
        ids = [await write.job() for _ in range(5)]
        assert told(await client.take(5)) == [(job_id, 1) for job_id in ids]
    async with follow(as_viewer(), cursor) as again:
        await again.ready()
        assert told(await again.take(5)) == [(job_id, 1) for job_id in ids]
