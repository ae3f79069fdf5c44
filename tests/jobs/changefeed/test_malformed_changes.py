"""The change feed: malformed documents, and restarts after exceptions."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest
from pymongo import DeleteMany, InsertOne, UpdateOne
from structlog.testing import capture_logs

from ostinato.jobs.changefeed import ChangeFeed, ChangeFilter
from ostinato.jobs.changes import DocumentChange, WatchedCollection
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.ids import new_id
from ostinato.jobs.records import JobState
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import crons_changed, job_changed, jobs_changed
from ostinato.schema.ids import global_id
from tests.live.fixtures import ContextFactory
from tests.live.reading import Client, follow, ready_cursor
from tests.live.watching import SubscriptionRig
from tests.live.writing import Writer
from tests.malformed import (
    FAR_FUTURE,
    UNEXPECTED_VALUES,
    Document,
    malformed_documents,
    valid_document,
)
from tests.processes import eventually

ALL = JobFilter()


def malformed_writes(collection: str) -> Iterator[DeleteMany | InsertOne[Document] | UpdateOne]:
    for _, document in malformed_documents(collection):
        yield DeleteMany({})  # names may be taken
        yield InsertOne(document)
        yield UpdateOne({"_id": document["_id"]}, {"$set": {"deleted": "malformed"}})


@pytest.mark.parametrize("collection", list(WatchedCollection))
async def test_malformed_documents_do_not_stop_the_change_feed(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer, collection: str
) -> None:
    async with Client(jobs_changed(as_viewer("bob"), ALL, SubscribeOptions())) as client:
        await client.ready()
        await writer.mongo[collection].bulk_write(list(malformed_writes(collection)))
        job_id = await writer.job("bob")
        assert (await client.next()).id == job_id
        assert feed.following


@pytest.mark.parametrize("damage", list(UNEXPECTED_VALUES))
async def test_subscriptions_receive_changes_to_malformed_documents(
    as_viewer: ContextFactory, writer: Writer, damage: str
) -> None:
    cron = valid_document("crons")
    async with Client(crons_changed(as_viewer(), SubscribeOptions())) as client:
        await client.ready()
        await writer.mongo["crons"].insert_one(cron | {"nextRunTime": UNEXPECTED_VALUES[damage]})
        await writer.touch("crons", cron["_id"], nextRunTime=cron["nextRunTime"])
        received, repaired = await client.take(2)
        assert (received.kind, received.id, repaired.id) == (
            ChangeKind.CHANGED,
            cron["_id"],
            cron["_id"],
        )
        assert repaired.record is not None


async def test_a_snapshot_omits_malformed_rows_and_changes_continue(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    malformed = [document | {"lane": "default/"} for _, document in malformed_documents("jobs")]
    await writer.mongo["jobs"].insert_many(malformed)
    job_id = await writer.job()
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions(snapshot=True))) as client:
        rows = await client.until(ChangeKind.READY)
        assert job_id in [row.id for row in rows]
        await writer.claim(job_id)
        while (received := await client.next()).id != job_id:
            pass  # the feed may send the changes of the rows first
        assert received.record is not None


async def test_a_malformed_event_is_omitted_and_its_job_is_reported_as_changed(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    job_id = await writer.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        await client.ready()
        await writer.mongo["jobs"].update_one({"_id": job_id}, {"$set": {"timeline.1": {"seq": 2}}})
        received = await client.next()
        assert (received.kind, received.event) == (ChangeKind.CHANGED, None)


async def test_an_old_cursor_resumes_past_a_malformed_document(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    cursor = await ready_cursor(as_viewer())
    cron = valid_document("crons") | {"nextRunTime": FAR_FUTURE}
    await writer.mongo["crons"].insert_one(cron)
    await writer.mongo["crons"].delete_one({"_id": cron["_id"]})
    job_id = await writer.job()
    async with (
        ChangeFeed(writer.mongo, feed._settings) as other,  # the change is not in its ring
        follow(as_viewer(at=other), cursor) as client,
    ):
        await client.ready()
        assert (await client.next()).id == job_id


async def test_change_feed_starts_despite_malformed_documents_in_its_history(
    writer: Writer, settings: Settings
) -> None:
    cron = valid_document("crons") | {"nextRunTime": FAR_FUTURE}
    await writer.mongo["crons"].insert_one(cron)
    with_history = settings.model_copy(update={"hub_history_ms": 60_000})
    async with ChangeFeed(writer.mongo, with_history) as restarted:
        await eventually(lambda: restarted.following)


@pytest.mark.usefixtures("_fresh_malformed_throttle")
async def test_the_log_names_the_document_that_cannot_be_decoded(
    as_viewer: ContextFactory, feed: ChangeFeed, writer: Writer
) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        malformed = new_id()
        with capture_logs() as logs:
            await writer.mongo["jobs"].insert_one({"_id": malformed, "timeline": [{"seq": 1}]})
            await writer.job()
            await client.next()
    named = [(line["event"], line.get("collection"), line.get("document_id")) for line in logs]
    assert named.count(("document.malformed", "jobs", malformed)) == 1


class Publisher:
    """Publishes changes to subscriptions; raises once if `fail_next` is set."""

    def __init__(self, publish: Callable[[Sequence[DocumentChange]], None]) -> None:
        self._publish = publish
        self.fail_next = False

    def __call__(self, changes: Sequence[DocumentChange]) -> None:
        if self.fail_next:
            self.fail_next = False
            raise RuntimeError("a bug")
        self._publish(changes)


@pytest.fixture
def failing_publisher(feed: ChangeFeed, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    publisher = Publisher(feed.index.publish)
    monkeypatch.setattr(feed.index, "publish", publisher)
    return publisher


async def test_failed_change_feed_restarts_and_resets_its_subscriptions(
    feed: ChangeFeed, writer: Writer, failing_publisher: Publisher
) -> None:
    async with feed.subscribe(ChangeFilter(collection=WatchedCollection.JOBS)) as changes:
        await writer.job()
        await changes.next(30)
        with capture_logs() as logs:
            failing_publisher.fail_next = True
            await writer.job()
            while not (await changes.next(30)).reset:
                pass
        await eventually(lambda: feed.following)
        job_id = await writer.job()
        (matched,) = (await changes.next(30)).matched
        assert matched.change.document_id == job_id
    assert not feed.is_dead
    assert "task.failed" in [line["event"] for line in logs]


@pytest.mark.parametrize("snapshot", [True, False])
async def test_client_starts_over_after_a_restart_of_the_change_feed(
    as_viewer: ContextFactory, writer: Writer, failing_publisher: Publisher, snapshot: bool
) -> None:
    async with follow(as_viewer(), snapshot=snapshot) as client:
        await client.ready()
        ids = [await writer.job()]
        assert (await client.next()).id == ids[0]
        failing_publisher.fail_next = True
        ids.append(await writer.job())
        await client.until(ChangeKind.RESET)
        rows = await client.until(ChangeKind.READY)
        assert [row.id for row in rows[:-1]] == (ids[::-1] if snapshot else [])
        last = await writer.job()
        assert (await client.next()).id == last


async def test_subscription_to_one_job_continues_after_a_restart_of_the_change_feed(
    as_viewer: ContextFactory, writer: Writer, failing_publisher: Publisher
) -> None:
    job_id = await writer.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        await client.ready()
        await writer.claim(job_id)
        await client.next()
        failing_publisher.fail_next = True
        await writer.succeed(job_id)
        seen = await client.next()
        while seen.record is None or seen.record.state is not JobState.SUCCESS:
            seen = await client.next()


async def test_subscribers_of_a_broadcast_start_over_after_a_restart_of_the_change_feed(
    live_rig: SubscriptionRig, writer: Writer, failing_publisher: Publisher
) -> None:
    async with live_rig.watch() as first, live_rig.watch() as second:
        watchers = (first, second)
        waiting = [await watcher.start_waiting() for watcher in watchers]
        await writer.job()
        await asyncio.gather(*waiting)
        failing_publisher.fail_next = True
        await writer.job()
        for watcher in watchers:
            while (await watcher.next())["kind"] != "RESET":
                pass
            await watcher.ready()
        job_id = global_id("Job", await writer.job())
        assert [(await watcher.next())["jobId"] for watcher in watchers] == [job_id, job_id]


async def test_a_failed_probe_of_the_stream_is_repeated(feed: ChangeFeed, writer: Writer) -> None:
    probe = feed._probe
    raised = asyncio.Event()
    position = probe._position

    def raise_once() -> str:
        probe._position = position
        raised.set()
        raise RuntimeError("a bug")

    probe._position = raise_once  # type: ignore[assignment]
    await feed.reach(await feed.current_time())
    await probe.probe()
    assert feed.following
