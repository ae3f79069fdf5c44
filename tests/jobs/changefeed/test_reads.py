"""Reads by subscriptions are never older than the changes sent before them.

A new primary may answer majority reads from a time before its predecessor's last commits. Each read
therefore has an `afterClusterTime`.
"""

from collections.abc import Sequence

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changefeed.routing import resolve_routing
from ostinato.jobs.changes import (
    ClusterTime,
    DocumentChange,
    WatchedCollection,
    WriteType,
    time_of,
)
from ostinato.resolvers.live.messages import SubscribeOptions
from ostinato.resolvers.live.subscription_sources import job_changed, jobs_changed
from tests.live.fixtures import ContextFactory
from tests.live.reading import ALL, Client, JobReadCounter
from tests.live.writing import Writer


async def read_times(job_reads: JobReadCounter) -> Sequence[ClusterTime]:
    """Return the `afterClusterTime` of each read of jobs, in order."""
    queries = {"op": "query", "ns": job_reads.mongo["jobs"].full_name}
    rows = await job_reads.mongo["system.profile"].find(queries).sort("ts").to_list(None)
    times = [row["command"]["readConcern"]["afterClusterTime"] for row in rows]
    return [(cluster_time.time, cluster_time.inc) for cluster_time in times]


async def test_snapshots_and_objects_are_not_older_than_sent_changes(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer, job_reads: JobReadCounter
) -> None:
    started_at = time_of(feed.position)
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions(snapshot=True))) as client:
        await client.ready()
        await writer.job()
        change = await client.next()
    snapshot, *_, found = await read_times(job_reads)
    assert snapshot >= started_at
    assert found >= time_of(change.event_position.position)


async def test_reads_of_one_job_are_not_older_than_its_sent_changes(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer, job_reads: JobReadCounter
) -> None:
    job_id, started_at = await writer.job(), time_of(feed.position)
    async with Client(job_changed(as_viewer(), job_id)) as client:
        await client.ready()
        await writer.claim(job_id)
        change = await client.next()
    snapshot, *_, found = await read_times(job_reads)
    assert snapshot >= started_at
    assert found >= time_of(change.event_position.position)


async def test_owner_of_a_change_is_read_after_its_position(
    feed: ChangeFeed, writer: Writer, job_reads: JobReadCounter
) -> None:
    position, job_id = feed.position, await writer.job()
    change = DocumentChange(WatchedCollection.JOBS, job_id, WriteType.CHANGED, position, version=2)
    (completed,) = await resolve_routing(writer.mongo, Ring(1), [change])
    assert completed.route is not None
    assert await read_times(job_reads) == [time_of(position)]
