"""The end of catching up, when a subscription continues with live changes."""

import asyncio

import pytest

from ostinato.jobs.changefeed import ChangeFeed, ChangeFilter, FeedSubscription, MatchedChange
from ostinato.jobs.changes import WatchedCollection
from ostinato.jobs.settings import Settings
from tests.live.breaking import wait_until_processed
from tests.live.writing import Writer

MAX_RECEIVED = 3
WATCH = ChangeFilter(collection=WatchedCollection.JOBS, owner="ann")


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"subscription_buffer": 10})


async def write_and_deliver(feed: ChangeFeed, writer: Writer) -> None:
    """Write a job, and wait until the feed has delivered its change."""
    await writer.job()
    await wait_until_processed(feed)


async def test_catching_up_ends_although_changes_continue(feed: ChangeFeed, writer: Writer) -> None:
    """Otherwise, subscriptions that resume under load would never share their execution."""
    after = feed.position
    await write_and_deliver(feed, writer)
    received = 0
    async with feed.subscribe(WATCH, after) as changes:
        while (delivery := await changes.catch_up()) is not None:
            received += len(delivery.matched)
            assert received <= MAX_RECEIVED
            await write_and_deliver(feed, writer)
        assert received == 1
        assert [len((await changes.next(1)).matched)] == [1]


async def test_position_after_catching_up_loses_and_repeats_no_change(
    feed: ChangeFeed, writer: Writer
) -> None:
    async with feed.subscribe(WATCH) as changes:
        assert await changes.catch_up() is None
        await write_and_deliver(feed, writer)
    async with feed.subscribe(WATCH, changes.position) as resumed:
        delivery = await resumed.next(1)
        assert [notice.change.position > changes.position for notice in delivery.matched] == [True]


async def live(*subscriptions: FeedSubscription) -> None:
    """Make the subscriptions wait for live changes."""
    for subscription in subscriptions:
        assert not (await subscription.next(0.01)).matched


async def test_change_that_arrives_when_the_wait_ends_is_sent(
    feed: ChangeFeed, writer: Writer
) -> None:
    """Under load, a timer and a change may arrive in the same turn of the event loop."""
    async with feed.subscribe(WATCH) as other, feed.subscribe(WATCH) as changes:
        await live(changes, other)
        feed.index.leave(WATCH, changes)
        await write_and_deliver(feed, writer)
        notices = (await other.next(1)).matched
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 0.05
        loop.call_at(deadline, changes.on_changes, notices)
        delivery = await changes._step(deadline)
        assert delivery is not None
        assert delivery.matched == notices


async def test_overflow_while_a_reader_waits_is_read_from_the_history(
    feed: ChangeFeed, writer: Writer
) -> None:
    async with feed.subscribe(WATCH) as other, feed.subscribe(WATCH) as changes:
        await live(changes, other)
        feed.index.leave(WATCH, changes)
        waiting = asyncio.create_task(changes.next(5))
        for _ in range(11):
            await write_and_deliver(feed, writer)
        missed = feed.ring.after(WATCH.partition_key, other.position, 100)
        assert len(missed) == 11
        changes.on_changes([MatchedChange(change, removed=False) for change in missed])
        assert len((await waiting).matched) == 11
