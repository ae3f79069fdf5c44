"""When a subscription that catches up has arrived, and goes on with those who share its changes."""

from jobs.changes import Watched
from jobs.hub import Hub, Watch
from tests.live.writing import Writer
from tests.processes import eventually

MOST = 3


async def handed_out(hub: Hub, write: Writer) -> None:
    """Write a job and wait until the hub has handed it out."""
    before = hub.facts.changes
    await write.job()
    await eventually(lambda: hub.facts.changes > before)


async def test_catching_up_ends_though_changes_keep_coming(hub: Hub, write: Writer) -> None:
    """A crowd that resumes would otherwise be told alone for ever, and so never be done."""
    after = hub.position
    await handed_out(hub, write)
    told = 0
    async with hub.subscribe(Watch(collection=Watched.JOBS, owner="ann"), after) as changes:
        while (delivery := await changes.catch_up()) is not None:
            told += len(delivery.notices)
            assert told <= MOST
            await handed_out(hub, write)
        assert told == 1
        assert [len((await changes.next(1)).notices)] == [1]


async def test_where_it_arrives_everything_was_told_and_nothing_more(
    hub: Hub, write: Writer
) -> None:
    watch = Watch(collection=Watched.JOBS, owner="ann")
    async with hub.subscribe(watch) as changes:
        assert await changes.catch_up() is None
        await handed_out(hub, write)
    async with hub.subscribe(watch, changes.position) as onwards:
        delivery = await onwards.next(1)
        assert [notice.change.position > changes.position for notice in delivery.notices] == [True]
