"""What is read beside changes is never older than they are, whichever member of the set answers.

A member that has just become primary answers majority reads from before what the one before it has
told, until it knows that this is committed: the reads have to say how far they must reach.
"""

from collections.abc import Sequence

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changefeed.routing import resolve_routing
from ostinato.jobs.changes import (
    ChangeType,
    ClusterTime,
    DocumentChange,
    WatchedCollection,
    time_of,
)
from ostinato.resolvers.live.messages import SubscribeOptions
from ostinato.resolvers.live.queries import job_changed, jobs_changed
from tests.live.fixtures import As
from tests.live.reading import ALL, Client, Finds
from tests.live.writing import Writer


async def reaches(finds: Finds) -> Sequence[ClusterTime]:
    """Return up to where the reads of jobs had to reach, in their order."""
    asked = {"op": "query", "ns": finds.mongo["jobs"].full_name}
    rows = await finds.mongo["system.profile"].find(asked).sort("ts").to_list(None)
    times = [row["command"]["readConcern"]["afterClusterTime"] for row in rows]
    return [(each.time, each.inc) for each in times]


async def test_snapshots_and_objects_are_not_older_than_sent_changes(
    as_viewer: As, feed: ChangeFeed, write: Writer, finds: Finds
) -> None:
    begun = time_of(feed.position)
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions(snapshot=True))) as client:
        await client.ready()
        await write.job()
        change = await client.next()
    snapshot, *_, found = await reaches(finds)
    assert snapshot >= begun
    assert found >= time_of(change.event_position.position)


async def test_reads_of_one_job_are_not_older_than_its_sent_changes(
    as_viewer: As, feed: ChangeFeed, write: Writer, finds: Finds
) -> None:
    job_id, begun = await write.job(), time_of(feed.position)
    async with Client(job_changed(as_viewer(), job_id)) as client:
        await client.ready()
        await write.claim(job_id)
        change = await client.next()
    snapshot, *_, found = await reaches(finds)
    assert snapshot >= begun
    assert found >= time_of(change.event_position.position)


async def test_owner_of_a_change_is_read_after_its_position(
    feed: ChangeFeed, write: Writer, finds: Finds
) -> None:
    position, job_id = feed.position, await write.job()
    change = DocumentChange(WatchedCollection.JOBS, job_id, ChangeType.CHANGED, position, version=2)
    (completed,) = await resolve_routing(write.mongo, Ring(1), [change])
    assert completed.route is not None
    assert await reaches(finds) == [time_of(position)]
