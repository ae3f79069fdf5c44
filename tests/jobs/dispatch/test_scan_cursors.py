"""Reading a backlog from the position of the last read, on a real server."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from ostinato.jobs.dispatch.scan_cursors import MAX_AGE_S, MAX_READ_SHARE, ScanCursors
from ostinato.jobs.lanes import Lane
from ostinato.jobs.mongo.due_jobs import ANY_OWNER, DueJobs, Owner
from ostinato.jobs.mongo.job_documents import build_job_document
from ostinato.jobs.mongo.stored_json import encode_document
from tests.engine.rig import Rig

LANE = Lane()
NOTHING: frozenset[str] = frozenset()
LIMIT = 4
HOURS_S = 36_000
CHEAP_S = MAX_AGE_S / 1000


class Clock:
    """A clock that advances by a fixed step at each reading."""

    def __init__(self, step_s: float = MAX_AGE_S / 10) -> None:
        self.time = 0.0
        self._step_s = step_s

    def __call__(self) -> float:
        self.time += self._step_s
        return self.time


async def insert(rig: Rig, seconds: Sequence[int], priority: int = 0) -> list[str]:
    """Insert jobs of bob that were due so many seconds after a time; return their ids."""
    new_job = replace(await rig.build_job("echo"), owner="bob", priority=priority)
    start = new_job.scheduled_time - timedelta(hours=1)
    new_jobs = [
        replace(new_job, scheduled_time=start + timedelta(seconds=second)) for second in seconds
    ]
    documents = [build_job_document(new_job, new_job.scheduled_time, 9) for new_job in new_jobs]
    await rig.engine.store.insert([encode_document(one) for one in documents])
    return [str(document["_id"]) for document in documents]


async def take(rig: Rig, cursors: ScanCursors, owner: Owner) -> list[str]:
    """Read once, and claim the jobs found."""
    found = [
        job.id for job in await cursors.first(LANE, LIMIT, NOTHING, await rig.engine.now(), owner)
    ]
    for job_id in found:
        await rig.claim(job_id)
    return found


@pytest.mark.parametrize("owner", [ANY_OWNER, "bob"])
@pytest.mark.parametrize("seconds", [range(10), [5] * 10, [1, 1, 1, 1, 1, 1, 2, 2, 3, 4]])
async def test_backlog_is_read_in_order_to_its_end(
    rig_without_worker: Rig, seconds: Sequence[int], owner: Owner
) -> None:
    ids = await insert(rig_without_worker, seconds)
    cursors = ScanCursors(DueJobs(rig_without_worker.engine.mongo), Clock())
    assert [await take(rig_without_worker, cursors, owner) for _ in range(4)] == [
        ids[:4],
        ids[4:8],
        ids[8:],
        [],
    ]


async def test_job_inserted_before_the_cursor_is_found_within_a_second(
    rig_without_worker: Rig,
) -> None:
    ids = await insert(rig_without_worker, range(10, 30))
    clock = Clock()
    cursors = ScanCursors(DueJobs(rig_without_worker.engine.mongo), clock)
    assert await take(rig_without_worker, cursors, ANY_OWNER) == ids[:4]
    (late,) = await insert(rig_without_worker, [1])
    assert await take(rig_without_worker, cursors, ANY_OWNER) == ids[4:8]
    clock.time += MAX_AGE_S
    assert await take(rig_without_worker, cursors, ANY_OWNER) == [late, *ids[8:11]]


async def test_continued_reads_do_not_delay_jobs_before_the_cursor(rig_without_worker: Rig) -> None:
    await insert(rig_without_worker, range(10, 80))
    clock = Clock()
    cursors = ScanCursors(DueJobs(rig_without_worker.engine.mongo), clock)
    await take(rig_without_worker, cursors, ANY_OWNER)
    until = clock.time + MAX_AGE_S
    (late,) = await insert(rig_without_worker, [1])
    reads = 0
    while late not in await take(rig_without_worker, cursors, ANY_OWNER):
        reads += 1
        assert clock.time <= until
    assert reads > 1


async def test_cheaper_reads_find_jobs_before_the_cursor_sooner(rig_without_worker: Rig) -> None:
    ids = await insert(rig_without_worker, range(10, 30))
    clock = Clock(CHEAP_S)
    cursors = ScanCursors(DueJobs(rig_without_worker.engine.mongo), clock)
    assert await take(rig_without_worker, cursors, ANY_OWNER) == ids[:4]
    (late,) = await insert(rig_without_worker, [1])
    assert await take(rig_without_worker, cursors, ANY_OWNER) == ids[4:8]
    clock.time += CHEAP_S / MAX_READ_SHARE
    assert await take(rig_without_worker, cursors, ANY_OWNER) == [late, *ids[8:11]]


async def test_due_job_is_not_skipped_for_future_jobs(rig_without_worker: Rig) -> None:
    (running,) = await insert(rig_without_worker, [1])
    await insert(rig_without_worker, range(HOURS_S, HOURS_S + LIMIT))
    cursors = ScanCursors(DueJobs(rig_without_worker.engine.mongo), Clock())
    now = await rig_without_worker.engine.now()
    for outstanding in (NOTHING, frozenset({running})):
        await cursors.first(LANE, LIMIT, outstanding, now)
    (due,) = await insert(rig_without_worker, [2])
    found = await cursors.first(LANE, LIMIT, frozenset({running}), now)
    assert found[0].id == due


async def test_cheaper_lane_reads_find_a_new_lane_sooner(rig_without_worker: Rig) -> None:
    clock = Clock(CHEAP_S)
    cursors = ScanCursors(DueJobs(rig_without_worker.engine.mongo), clock)
    await insert(rig_without_worker, [1])
    await cursors.lane_heads("default")
    await insert(rig_without_worker, [1], priority=5)
    assert set(await cursors.lane_heads("default")) == {LANE}
    clock.time += CHEAP_S / MAX_READ_SHARE
    assert set(await cursors.lane_heads("default")) == {LANE, Lane(priority=5)}


@pytest.mark.parametrize(("max_cursors", "is_dropped"), [(1, True), (2, False)])
async def test_too_many_scan_cursors_are_all_dropped(
    rig_without_worker: Rig, max_cursors: int, is_dropped: bool
) -> None:
    ids = await insert(rig_without_worker, range(10, 30))
    cursors = ScanCursors(DueJobs(rig_without_worker.engine.mongo), Clock(), max_cursors)
    assert await take(rig_without_worker, cursors, ANY_OWNER) == ids[:4]
    assert await take(rig_without_worker, cursors, "bob") == ids[4:8]
    (late,) = await insert(rig_without_worker, [1])
    assert (late in await take(rig_without_worker, cursors, ANY_OWNER)) is is_dropped


async def test_job_before_the_cursor_is_found_at_once_when_slots_are_free(
    rig_without_worker: Rig,
) -> None:
    ids = await insert(rig_without_worker, range(10, 17))
    cursors = ScanCursors(DueJobs(rig_without_worker.engine.mongo), Clock())
    assert await take(rig_without_worker, cursors, ANY_OWNER) == ids[:4]
    (late,) = await insert(rig_without_worker, [1])
    assert await take(rig_without_worker, cursors, ANY_OWNER) == [late, *ids[4:]]


async def test_new_lane_is_found_within_a_second_or_when_a_backlog_ends(
    rig_without_worker: Rig,
) -> None:
    clock = Clock()
    cursors = ScanCursors(DueJobs(rig_without_worker.engine.mongo), clock)
    await insert(rig_without_worker, [1])
    assert set(await cursors.lane_heads("default")) == {LANE}
    assert not cursors.forget_heads("default")
    assert set(await cursors.lane_heads("default")) == {LANE}
    await insert(rig_without_worker, [1], priority=5)
    assert set(await cursors.lane_heads("default")) == {LANE}
    assert cursors.forget_heads("default")
    assert set(await cursors.lane_heads("default")) == {LANE, Lane(priority=5)}
    await insert(rig_without_worker, [1], priority=7)
    clock.time += MAX_AGE_S
    assert set(await cursors.lane_heads("default")) == {LANE, Lane(priority=5), Lane(priority=7)}
