"""Broadcasts: equal subscriptions are executed once, without lost or repeated changes."""

import asyncio
from typing import Any

import pytest

from ostinato.jobs.changefeed import ChangeFeed
from ostinato.jobs.changes import Position
from ostinato.jobs.engine import Engine
from ostinato.jobs.ids import new_id
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.live.cursors import CursorCodec, LiveCursor
from ostinato.schema.ids import global_id
from tests.live.fixtures import WatcherGroup
from tests.live.watching import ANN, JOB, JOBS, SubscriptionRig, Watcher
from tests.live.writing import Writer
from tests.processes import eventually

ROOT = Viewer(id="root", roles=frozenset({"admin"}))
OTHER_ROOT = Viewer(id="toor", roles=frozenset({"admin"}))
AUDITOR = Viewer(id="ann", roles=frozenset({"auditor"}))
STATES = "subscription($states: [JobState!]) { jobsChanged(filter: {states: $states}) { kind } }"
NAMED = """subscription Mine($x: Cursor, $most: Int) {
  jobsChanged(after: $x, coalesce: true, first: $most) { cursor kind jobId event { seq } } }"""
INLINE = "subscription($x: Cursor, $first: Int) { ... on Subscription { ... {"
INLINE += " jobsChanged(after: $x, coalesce: true, first: $first) { kind } } } }"
SPREAD = "subscription($x: Cursor, $snapshot: Boolean! = false) { ...Jobs } fragment Jobs on"
SPREAD += " Subscription { ... { jobsChanged(after: $x, snapshot: $snapshot) { kind } } }"


async def wait_for_members(live_rig: SubscriptionRig, *members: int) -> None:
    await eventually(lambda: live_rig.broadcasts == sorted(members))


async def test_equivalent_subscriptions_are_executed_once(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    watchers = [live_rig.watch(), live_rig.watch(snapshot=True), live_rig.watch(NAMED, most=3)]
    await watcher_group.start(*watchers)
    await wait_for_members(live_rig, 3)
    await writer.job()
    received = await watcher_group.received()
    assert received[0] == received[1] == received[2]
    payloads = [watcher.encoded[-1].payload for watcher in watchers]
    assert payloads[0] is payloads[1] is payloads[2]


@pytest.mark.parametrize("query", [INLINE, SPREAD])
async def test_cursor_arguments_inside_fragments_do_not_split_broadcasts(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup, query: str
) -> None:
    async with live_rig.watch() as watcher:
        cursor = await watcher.ready()
    own = {"first": 3} if query is INLINE else {"snapshot": True}
    await watcher_group.start(live_rig.watch(query), live_rig.watch(query, x=cursor, **own))
    await wait_for_members(live_rig, 2)
    await writer.job()
    assert [message["kind"] for message in await watcher_group.received()] == [
        "CHANGED",
        "CHANGED",
    ]


@pytest.mark.parametrize(
    ("first", "other", "members"),
    [
        ((ANN, {}), (Viewer(id="bob"), {}), [1, 1]),
        ((ANN, {}), (AUDITOR, {}), [1, 1]),
        ((ANN, {}), (ROOT, {}), [1, 1]),
        ((ROOT, {}), (OTHER_ROOT, {}), [2]),
        ((ANN, {"states": ["PENDING"]}), (ANN, {"states": ["FAILED"]}), [1, 1]),
        ((ANN, {"states": ["PENDING"]}), (ANN, {"states": ["PENDING"], "unused": 1}), [2]),
    ],
)
async def test_subscribers_share_a_broadcast_only_if_they_get_equal_messages(
    live_rig: SubscriptionRig,
    watcher_group: WatcherGroup,
    first: Any,
    other: Any,
    members: list[int],
) -> None:
    await watcher_group.start(
        *(live_rig.watch(STATES, viewer, **variables) for viewer, variables in (first, other))
    )
    await wait_for_members(live_rig, *members)


async def test_concurrent_reconnects_join_one_broadcast(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    cursors = []
    for _ in range(10):
        async with live_rig.watch() as watcher:
            cursors.append(await watcher.ready())
        newest = global_id("Job", await writer.job())
    watchers = [live_rig.watch(after=cursor) for cursor in cursors]
    await watcher_group.start(*watchers, up_to=newest)
    await wait_for_members(live_rig, 10)
    await writer.job()
    assert len({message["jobId"] for message in await watcher_group.received()}) == 1


async def test_subscriber_joining_during_a_burst_gets_each_change_once(
    live_rig: SubscriptionRig, writer: Writer
) -> None:
    written: list[str] = []
    readers: list[asyncio.Task[list[str]]] = []
    last = new_id()
    for _ in range(60):
        readers.append(asyncio.create_task(_read_to(global_id("Job", last), live_rig.watch())))
        written += [global_id("Job", await writer.job()) for _ in range(3)]
    written.append(global_id("Job", await writer.job(_id=last)))
    for seen in await asyncio.gather(*readers):
        assert seen == written[-len(seen) :]
    assert len(live_rig.subscriptions.broadcasts) == 0


async def _read_to(last: str, watcher: Watcher) -> list[str]:
    async with watcher:
        await watcher.ready()
        seen = [(await watcher.next())["jobId"]]
        while seen[-1] != last:
            seen.append((await watcher.next())["jobId"])
        return seen


async def test_subscribers_of_one_job_share_a_broadcast_without_repeated_events(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    job_id = await writer.job()
    gid = global_id("Job", job_id)
    await watcher_group.start(live_rig.watch(JOB, id=gid))
    await writer.claim(job_id)
    assert [message["event"]["seq"] for message in await watcher_group.received()] == [2]
    await watcher_group.start(live_rig.watch(JOB, id=gid), live_rig.watch(JOB, id=gid))
    await wait_for_members(live_rig, 3)
    await writer.succeed(job_id)
    assert [message["event"]["seq"] for message in await watcher_group.received()] == [3, 3, 3]


async def test_broadcast_sends_left_jobs(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    await watcher_group.start(*(live_rig.watch(STATES, states=["PENDING"]) for _ in range(2)))
    await wait_for_members(live_rig, 2)
    job_id = await writer.job()
    assert [message["kind"] for message in await watcher_group.received()] == [
        "CHANGED",
        "CHANGED",
    ]
    await writer.claim(job_id)
    assert [message["kind"] for message in await watcher_group.received()] == ["LEFT", "LEFT"]


async def test_subscribers_share_a_broadcast_again_after_a_reset(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    await watcher_group.start(live_rig.watch(), live_rig.watch(snapshot=True))
    await wait_for_members(live_rig, 2)
    await writer.mongo["jobs"].drop()
    await ensure_collections(writer.mongo)
    for kind in ("RESET", "READY"):
        assert [message["kind"] for message in await watcher_group.received()] == [kind, kind]
    await wait_for_members(live_rig, 2)
    job_id = global_id("Job", await writer.job())
    assert [message["jobId"] for message in await watcher_group.received()] == [job_id, job_id]


async def test_broadcast_ends_with_its_last_subscriber(
    live_rig: SubscriptionRig, feed: ChangeFeed, watcher_group: WatcherGroup
) -> None:
    await watcher_group.start(live_rig.watch(), live_rig.watch())
    await wait_for_members(live_rig, 2)
    await watcher_group.close()
    await eventually(
        lambda: (len(live_rig.subscriptions.broadcasts), feed.stats.subscriptions) == (0, 0)
    )


async def test_resuming_after_any_message_of_a_broadcast_is_exact(
    live_rig: SubscriptionRig, writer: Writer, watcher_group: WatcherGroup
) -> None:
    await watcher_group.start(live_rig.watch())
    await wait_for_members(live_rig, 1)
    ids = [global_id("Job", await writer.job()) for _ in range(5)]
    received = [(await watcher_group.received())[0] for _ in range(5)]
    assert [message["jobId"] for message in received] == ids
    async with live_rig.watch(JOBS, after=received[1]["cursor"]) as again:
        await again.ready()
        assert [message["jobId"] for message in await again.take(3)] == ids[2:]


async def test_cursor_from_a_server_ahead_does_not_delay_other_subscribers(
    engine: Engine, feed: ChangeFeed, live_rig: SubscriptionRig, watcher_group: WatcherGroup
) -> None:
    in_a_second = Position(f"82{int(feed.position[2:10], 16) + 1:08X}000000012B0229296E04")
    cursor = CursorCodec(engine.settings).encode(LiveCursor(position=in_a_second, topic="jobs"))
    await watcher_group.start(live_rig.watch(after=cursor), live_rig.watch())

    async def share_a_broadcast() -> bool:
        await engine.mongo["effects"].insert_one({})  # advances the cluster time without a change
        return live_rig.broadcasts == [2]

    await eventually(share_a_broadcast)
