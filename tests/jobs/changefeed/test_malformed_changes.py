"""The feed of changes meets documents that Ostinato did not write, and exceptions of any kind."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from structlog.testing import capture_logs

from ostinato.jobs.changefeed import ChangeFeed, ChangeFilter
from ostinato.jobs.changes import DocumentChange, WatchedCollection
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.ids import new_id
from ostinato.jobs.records import JobState
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.queries import crons_changed, job_changed, jobs_changed
from ostinato.schema.ids import global_id
from tests.live.fixtures import As
from tests.live.reading import Client, disconnected, follow
from tests.live.watching import Station
from tests.live.writing import Writer
from tests.malformed import FAR, ODD, damaged, sound
from tests.processes import eventually

ALL = JobFilter()


@pytest.mark.parametrize("collection", list(WatchedCollection))
async def test_malformed_documents_do_not_stop_the_change_feed(
    as_viewer: As, feed: ChangeFeed, write: Writer, collection: str
) -> None:
    async with Client(jobs_changed(as_viewer("bob"), ALL, SubscribeOptions())) as client:
        await client.ready()
        for _, document in damaged(collection):
            where = {"_id": document["_id"]}
            await write.mongo[collection].delete_many({})  # names may be taken
            await write.mongo[collection].insert_one(document)
            await write.mongo[collection].update_one(where, {"$set": {"deleted": "odd"}})
        job_id = await write.job("bob")
        assert (await client.next()).id == job_id
        assert feed.following


@pytest.mark.parametrize("damage", list(ODD))
async def test_unscoped_subscriptions_receive_changes_to_malformed_documents(
    as_viewer: As, write: Writer, damage: str
) -> None:
    cron = sound("crons")
    async with Client(crons_changed(as_viewer(), SubscribeOptions())) as client:
        await client.ready()
        await write.mongo["crons"].insert_one(cron | {"nextRunTime": ODD[damage]})
        await write.touch("crons", cron["_id"], nextRunTime=cron["nextRunTime"])
        told, repaired = await client.take(2)
        assert (told.kind, told.id, repaired.id) == (
            ChangeKind.CHANGED,
            cron["_id"],
            cron["_id"],
        )
        assert repaired.record is not None


async def test_a_snapshot_leaves_out_malformed_rows_and_changes_go_on(
    as_viewer: As, write: Writer
) -> None:
    odd = [document | {"lane": "default/"} for _, document in damaged("jobs")]
    await write.mongo["jobs"].insert_many(odd)
    job_id = await write.job()
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions(snapshot=True))) as client:
        rows = await client.until(ChangeKind.READY)
        assert job_id in [row.id for row in rows]
        await write.claim(job_id)
        while (told := await client.next()).id != job_id:
            pass  # the rows may have come before the feed has heard of them
        assert told.record is not None


async def test_an_entry_of_no_move_is_left_out_and_its_job_is_told_as_changed(
    as_viewer: As, write: Writer
) -> None:
    job_id = await write.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        await client.ready()
        await write.mongo["jobs"].update_one({"_id": job_id}, {"$set": {"timeline.1": {"seq": 2}}})
        told = await client.next()
        assert (told.kind, told.event) == (ChangeKind.CHANGED, None)


async def test_an_old_cursor_resumes_past_a_malformed_document(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    cursor = await disconnected(as_viewer())
    cron = sound("crons") | {"nextRunTime": FAR}
    await write.mongo["crons"].insert_one(cron)
    await write.mongo["crons"].delete_one({"_id": cron["_id"]})
    job_id = await write.job()
    async with (
        ChangeFeed(write.mongo, feed._settings) as other,  # the change is not in its ring
        follow(as_viewer(at=other), cursor) as client,
    ):
        await client.ready()
        assert (await client.next()).id == job_id


async def test_a_hub_starts_though_its_history_holds_malformed_documents(
    write: Writer, settings: Settings
) -> None:
    cron = sound("crons") | {"nextRunTime": FAR}
    await write.mongo["crons"].insert_one(cron)
    usual = settings.model_copy(update={"hub_history_ms": 60_000})
    async with ChangeFeed(write.mongo, usual) as restarted:
        await eventually(lambda: restarted.following)


@pytest.mark.usefixtures("_nothing_reported")
async def test_the_log_names_the_document_that_cannot_be_decoded(
    as_viewer: As, feed: ChangeFeed, write: Writer
) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        odd = new_id()
        with capture_logs() as logs:
            await write.mongo["jobs"].insert_one({"_id": odd, "timeline": [{"seq": 1}]})
            await write.job()
            await client.next()
    named = [(line["event"], line.get("collection"), line.get("document_id")) for line in logs]
    assert named.count(("document.malformed", "jobs", odd)) == 1


class Publisher:
    """Publish changes to subscriptions, and raise once before when told to."""

    def __init__(self, publish: Callable[[Sequence[DocumentChange]], None]) -> None:
        self._publish = publish
        self.raises = False

    def __call__(self, changes: Sequence[DocumentChange]) -> None:
        if self.raises:
            self.raises = False
            raise RuntimeError("a mistake of ours")
        self._publish(changes)


@pytest.fixture
def raising(feed: ChangeFeed, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    publisher = Publisher(feed.index.publish)
    monkeypatch.setattr(feed.index, "publish", publisher)
    return publisher


async def test_failed_change_feed_restarts_and_resets_its_subscriptions(
    feed: ChangeFeed, write: Writer, raising: Publisher
) -> None:
    async with feed.subscribe(ChangeFilter(collection=WatchedCollection.JOBS)) as changes:
        await write.job()
        await changes.next(30)
        with capture_logs() as logs:
            raising.raises = True
            await write.job()
            while not (await changes.next(30)).reset:
                pass
        await eventually(lambda: feed.following)
        job_id = await write.job()
        (matched,) = (await changes.next(30)).matched
        assert matched.change.document_id == job_id
    assert not feed.is_dead
    assert "task.failed" in [each["event"] for each in logs]


@pytest.mark.parametrize("snapshot", [True, False])
async def test_client_starts_over_after_a_restart_of_the_change_feed(
    as_viewer: As, write: Writer, raising: Publisher, snapshot: bool
) -> None:
    async with follow(as_viewer(), snapshot=snapshot) as client:
        await client.ready()
        ids = [await write.job()]
        assert (await client.next()).id == ids[0]
        raising.raises = True
        ids.append(await write.job())
        await client.until(ChangeKind.RESET)
        rows = await client.until(ChangeKind.READY)
        assert [row.id for row in rows[:-1]] == (ids[::-1] if snapshot else [])
        last = await write.job()
        assert (await client.next()).id == last


async def test_follower_of_one_job_goes_on_after_a_restart_of_the_change_feed(
    as_viewer: As, write: Writer, raising: Publisher
) -> None:
    job_id = await write.job()
    async with Client(job_changed(as_viewer(), job_id)) as client:
        await client.ready()
        await write.claim(job_id)
        await client.next()
        raising.raises = True
        await write.succeed(job_id)
        seen = await client.next()
        while seen.record is None or seen.record.state is not JobState.SUCCESS:
            seen = await client.next()


async def test_subscribers_of_a_broadcast_start_over_after_a_restart_of_the_change_feed(
    station: Station, write: Writer, raising: Publisher
) -> None:
    async with station.watch() as one, station.watch() as two:
        first = [await each.starts() for each in (one, two)]
        await write.job()
        await asyncio.gather(*first)
        raising.raises = True
        await write.job()
        for each in (one, two):
            while (await each.next())["kind"] != "RESET":
                pass
            await each.ready()
        job_id = global_id("Job", await write.job())
        assert [(await each.next())["jobId"] for each in (one, two)] == [job_id, job_id]


async def test_a_look_ahead_that_meets_an_exception_is_repeated(
    feed: ChangeFeed, write: Writer
) -> None:
    probe = feed._probe
    raised = asyncio.Event()
    position = probe._position

    def raise_once() -> str:
        probe._position = position
        raised.set()
        raise RuntimeError("a mistake of ours")

    probe._position = raise_once  # type: ignore[assignment]
    await feed.reach(await feed.current_time())
    await probe.probe()
    assert feed.following
