"""statsChanged: figures of the viewer's jobs, counted once however many watch."""

import asyncio

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.errors import BadRequest
from ostinato.resolvers.live.stats_feed import stats_changed
from tests.live.fixtures import As
from tests.live.reading import first_message
from tests.live.watching import ANN, Station
from tests.live.writing import Writer
from tests.processes import eventually

STATS = (
    "subscription($ms: Milliseconds!) { statsChanged(everyMs: $ms) { pending inProgress failed } }"
)


async def test_figures_are_those_of_the_viewer_s_ordinary_jobs(
    station: Station, write: Writer
) -> None:
    await write.job("bob")
    await write.job(internal=True)
    await write.claim(await write.job())
    await write.job(state="failed")
    async with station.watch(STATS, ANN, ms=500) as watcher:
        assert await watcher.next() == {"pending": 0, "inProgress": 1, "failed": 1}
        await write.job()
        assert await watcher.next() == {"pending": 1, "inProgress": 1, "failed": 1}


async def test_admin_is_told_of_everybody_s(as_viewer: As, write: Writer) -> None:
    await write.job("ann")
    await write.job("bob")
    told = await first_message(stats_changed(as_viewer("root", "admin"), 500))
    assert told.counts.pending == 2


async def test_however_many_watch_it_is_counted_once(station: Station, feed: ChangeFeed) -> None:
    watchers = [station.watch(STATS, ms=1_000) for _ in range(10)]
    await asyncio.gather(*(watcher.next() for watcher in watchers))
    waiting = [asyncio.create_task(watcher.next()) for watcher in watchers]
    await eventually(lambda: station.broadcasts == [10])
    await asyncio.gather(*waiting)
    assert feed.counts.reads <= 2
    payloads = [watcher.encoded[-1].payload for watcher in watchers]
    assert all(payload is payloads[0] for payload in payloads)
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))


@pytest.mark.parametrize("every_ms", [0, 499, 3_600_001])
async def test_interval_out_of_range_is_refused_by_name(as_viewer: As, every_ms: int) -> None:
    with pytest.raises(BadRequest, match=r"everyMs must be 500 to 3600000, got \d+") as refused:
        await first_message(stats_changed(as_viewer(), every_ms))
    assert refused.value.issues[0].path == ("everyMs",)
