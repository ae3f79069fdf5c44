"""When a subscription that catches up has arrived, and goes on with those who share its changes."""

import asyncio

import pytest

from ostinato.jobs.changefeed import ChangeFeed, ChangeFilter, FeedSubscription, MatchedChange
from ostinato.jobs.changes import WatchedCollection
from ostinato.jobs.settings import Settings
from tests.live.breaking import followed
from tests.live.writing import Writer

MOST = 3
WATCH = ChangeFilter(collection=WatchedCollection.JOBS, owner="ann")


@pytest.fixture
def live_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"subscription_buffer": 10})


async def handed_out(feed: ChangeFeed, writer: Writer) -> None:
    """Write a job and wait until the feed has handed it out."""
    await writer.job()
    await followed(feed)


async def test_catching_up_ends_though_changes_keep_coming(
    feed: ChangeFeed, writer: Writer
) -> None:
    """A crowd that resumes would otherwise be told alone for ever, and so never be done."""
    after = feed.position
    await handed_out(feed, writer)
    told = 0
    async with feed.subscribe(WATCH, after) as changes:
        while (delivery := await changes.catch_up()) is not None:
            told += len(delivery.matched)
            assert told <= MOST
            await handed_out(feed, writer)
        assert told == 1
        assert [len((await changes.next(1)).matched)] == [1]


async def test_where_it_arrives_everything_was_told_and_nothing_more(
    feed: ChangeFeed, writer: Writer
) -> None:
    async with feed.subscribe(WATCH) as changes:
        assert await changes.catch_up() is None
        await handed_out(feed, writer)
    async with feed.subscribe(WATCH, changes.position) as onwards:
        delivery = await onwards.next(1)
        assert [notice.change.position > changes.position for notice in delivery.matched] == [True]


async def live(*subscriptions: FeedSubscription) -> None:
    """Let them wait for what happens."""
    for each in subscriptions:
        assert not (await each.next(0.01)).matched


async def test_what_comes_as_the_wait_ends_is_told(feed: ChangeFeed, writer: Writer) -> None:
    """A timer and a change may meet in one turn of the event loop, which is busy under load."""
    async with feed.subscribe(WATCH) as other, feed.subscribe(WATCH) as changes:
        await live(changes, other)
        feed.index.leave(WATCH, changes)
        await handed_out(feed, writer)
        notices = (await other.next(1)).matched
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 0.05
        loop.call_at(deadline, changes.on_changes, notices)
        delivery = await changes._step(deadline)
        assert delivery is not None
        assert delivery.matched == notices


async def test_more_than_fits_while_a_reader_waits_is_told_from_the_history(
    feed: ChangeFeed, writer: Writer
) -> None:
    async with feed.subscribe(WATCH) as other, feed.subscribe(WATCH) as changes:
        await live(changes, other)
        feed.index.leave(WATCH, changes)
        waiting = asyncio.create_task(changes.next(5))
        for _ in range(11):
            await handed_out(feed, writer)
        missed = feed.ring.after(WATCH.partition_key, other.position, 100)
        assert len(missed) == 11
        changes.on_changes([MatchedChange(change, removed=False) for change in missed])
        assert len((await waiting).matched) == 11
