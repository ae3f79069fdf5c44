"""statsChanged: counts of the viewer's jobs, shared by all subscribers."""

import asyncio

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.errors import BadRequest
from ostinato.resolvers.live.stats_query import stats_changed
from tests.live.fixtures import ContextFactory
from tests.live.reading import first_message
from tests.live.watching import ANN, SubscriptionRig
from tests.live.writing import Writer
from tests.processes import eventually

STATS = (
    "subscription($ms: Milliseconds!) { statsChanged(everyMs: $ms) { pending inProgress failed } }"
)


async def test_counts_cover_the_viewers_own_jobs_without_internal_ones(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    await writer.job("bob")
    await writer.job(internal=True)
    await writer.claim(await writer.job())
    await writer.job(state="failed")
    async with live_rig.watch(STATS, ANN, ms=500) as watcher:
        assert await watcher.next() == {"pending": 0, "inProgress": 1, "failed": 1}
        await writer.job()
        assert await watcher.next() == {"pending": 1, "inProgress": 1, "failed": 1}


async def test_totals_are_sent_with_the_counts(live_rig: SubscriptionRig, writer: Writer) -> None:
    totals = "totals { pendingScheduled succeeded }"
    query = f"subscription {{ statsChanged(everyMs: 500) {{ pending {totals} }} }}"
    await writer.job()
    await writer.succeed(await writer.job())
    async with live_rig.watch(query, ANN) as watcher:
        counted = {"pendingScheduled": 1, "succeeded": 1}
        assert await watcher.next() == {"pending": 1, "totals": counted}


async def test_counts_of_an_admin_cover_all_owners(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    await writer.job("ann")
    await writer.job("bob")
    received = await first_message(stats_changed(as_viewer("root", "admin"), 500))
    assert received.counts.pending == 2


async def test_counts_are_read_once_for_all_subscribers(
    live_rig: SubscriptionRig, feed: ChangeFeed
) -> None:
    watchers = [live_rig.watch(STATS, ms=1_000) for _ in range(10)]
    await asyncio.gather(*(watcher.next() for watcher in watchers))
    waiting = [asyncio.create_task(watcher.next()) for watcher in watchers]
    await eventually(lambda: live_rig.broadcasts == [10])
    await asyncio.gather(*waiting)
    assert feed.counts.reads <= 2
    payloads = [watcher.encoded[-1].payload for watcher in watchers]
    assert all(payload is payloads[0] for payload in payloads)
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))


@pytest.mark.parametrize("every_ms", [0, 499, 3_600_001])
async def test_interval_out_of_range_is_rejected_with_its_path(
    as_viewer: ContextFactory, every_ms: int
) -> None:
    with pytest.raises(BadRequest, match=r"everyMs must be 500 to 3,600,000, got \d+") as raised:
        await first_message(stats_changed(as_viewer(), every_ms))
    assert raised.value.issues[0].path == ("everyMs",)
