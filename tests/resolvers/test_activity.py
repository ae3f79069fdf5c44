"""activity and activityChanged: shared by all who see the same jobs, limited to their own."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from ostinato.jobs.activity import ActivityRange
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.function_counters import OTHER, FunctionCounters
from ostinato.resolvers.auth import Viewer
from ostinato.resolvers.live.activity_query import ActivityQuery
from ostinato.resolvers.overview import activity
from tests.live.fixtures import ContextFactory
from tests.live.reading import first_message
from tests.live.watching import ANN, SubscriptionRig
from tests.live.writing import Writer
from tests.processes import eventually

POINTS = "points { start succeeded failed retried runTime { p50Ms } lateness { p95Ms } }"
CHANGED = (
    "subscription($ms: Milliseconds! = 1000) {"
    f" activityChanged(range: FIFTEEN_MINUTES, everyMs: $ms) {{ at bucketMs {POINTS} }} }}"
)
ROOT = Viewer(id="root", roles=frozenset({"admin"}))
REACH = ActivityRange.FIFTEEN_MINUTES
NAME = "tasks.runTask"


async def report(engine: Engine, successes: int, age: timedelta = timedelta()) -> None:
    """Report what a worker has counted."""
    counters = FunctionCounters([NAME])
    for _ in range(successes):
        counters.of(NAME).successes += 1
        counters.of(NAME).run_time.observe(0.1)
        counters.of(NAME).lateness.observe(1.0)
    await engine.overview.activity.add(counters.take(), await engine.clock.now() - age)


def succeeded(message: dict[str, Any]) -> int:
    return sum(point["succeeded"] for point in message["points"])


async def test_first_message_is_the_series_and_the_next_ones_its_newest_points(
    live_rig: SubscriptionRig, engine: Engine
) -> None:
    await report(engine, 1, timedelta(minutes=10))
    await report(engine, 2)
    async with live_rig.watch(CHANGED, ROOT) as watcher:
        opening = await watcher.next()
        assert (len(opening["points"]), opening["bucketMs"], succeeded(opening)) == (60, 15_000, 3)
        (counted, *_) = [each for each in reversed(opening["points"]) if each["succeeded"]]
        assert counted["runTime"]["p50Ms"] == pytest.approx(100, rel=0.25)
        assert counted["lateness"]["p95Ms"] == pytest.approx(1_000, rel=0.25)
        await report(engine, 4)
        while succeeded(newest := await watcher.next()) != 6:
            pass  # on a slow machine, a read is used for several messages
        starts = [datetime.fromisoformat(each["start"]) for each in newest["points"]]
        assert 2 <= len(starts) <= 4
        assert starts[0] < datetime.fromisoformat(opening["points"][-1]["start"])


async def test_series_is_read_once_for_all_subscribers(
    live_rig: SubscriptionRig, engine: Engine
) -> None:
    watchers = [live_rig.watch(CHANGED, ROOT, ms=2_000) for _ in range(10)]
    await asyncio.gather(*(watcher.next() for watcher in watchers))
    waiting = [asyncio.create_task(watcher.next()) for watcher in watchers]
    await eventually(lambda: live_rig.broadcasts == [10])
    await asyncio.gather(*waiting)
    assert engine.overview.reads <= 3
    payloads = [watcher.encoded[-1].payload for watcher in watchers]
    assert all(payload is payloads[0] for payload in payloads)
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))


async def test_users_see_the_activity_of_their_own_jobs(
    live_rig: SubscriptionRig, as_viewer: ContextFactory, writer: Writer, engine: Engine
) -> None:
    await report(engine, 5)
    due = await engine.clock.now()
    for owner in ("ann", "ann", "bob"):
        await writer.run(owner, scheduledTime=due)
    await engine.mongo["jobs"].update_many({}, [{"$set": {"timeline": IN_TIME}}])
    async with live_rig.watch(CHANGED, ANN) as watcher:
        assert succeeded(await watcher.next()) == 2
    for user, roles, expected in (("bob", (), 1), ("carl", (), 0), ("root", ("admin",), 5)):
        points = (await activity(as_viewer(user, *roles), REACH)).points
        assert sum(point.succeeded for point in points) == expected


IN_TIME = {
    "$map": {
        "input": "$timeline",
        "in": {"$mergeObjects": ["$$this", {"at": "$createdAt", "scheduledTime": "$createdAt"}]},
    }
}
"""The timeline of a job, with its creation as the time of all events."""


async def test_invalid_input_is_rejected_with_its_path(
    as_viewer: ContextFactory, engine: Engine
) -> None:
    admin = as_viewer("root", "admin")
    for every_ms in (0, 999, 3_600_001):
        with pytest.raises(BadRequest, match=r"everyMs must be 1,000 to 3,600,000, got \d+"):
            await first_message(ActivityQuery(admin, REACH, None, every_ms))
    for ctx, name in ((admin, "$a.b"), (admin, "a.b\0"), (admin, ""), (as_viewer(), OTHER)):
        with pytest.raises(BadRequest, match="is not the name of a function") as raised:
            await activity(ctx, REACH, name)
        assert raised.value.issues[0].path == ("functionName",)
    assert (await activity(admin, REACH, OTHER)).points[-1].succeeded == 0
    assert (await activity(admin, REACH, "not.registered")).points[-1].succeeded == 0
