"""A crowd that begins at once: rows are read and executed once for all of it."""

import asyncio

import orjson

from jobs.hub import Hub
from resolvers.auth import Viewer
from schema.ids import global_id
from tests.live.watching import JOBS, Pushed, Station, Watcher
from tests.live.writing import Writer
from tests.processes import eventually

CROWD = 60
ROWS = 20


async def rows_of(watcher: Watcher) -> list[str]:
    """Read a snapshot to its READY and return the jobs in it."""
    await watcher.ready()
    told = [orjson.loads(each.payload)["data"]["jobsChanged"] for each in watcher.encoded]
    return [each["jobId"] for each in told if each["kind"] == "SNAPSHOT"]


async def test_crowd_that_asks_for_the_same_rows_has_them_executed_once(
    station: Station, hub: Hub, write: Writer
) -> None:
    ids = {global_id("Job", await write.job()) for _ in range(ROWS)}
    watchers = [station.watch(JOBS, snapshot=True) for _ in range(CROWD)]
    found = await asyncio.gather(*map(rows_of, watchers))
    assert [set(rows) for rows in found] == [ids] * CROWD
    assert station.runner.tally.results <= 3 * (ROWS + 1)
    waiting = [asyncio.create_task(watcher.next()) for watcher in watchers]
    await eventually(lambda: station.groups == [CROWD])
    new = global_id("Job", await write.job())
    assert {message["jobId"] for message in await asyncio.gather(*waiting)} == {new}
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))
    await eventually(lambda: not len(station.runner.groups.beginnings))
    assert hub.facts.subscriptions == 0


async def test_who_asks_while_rows_are_read_is_shown_what_was_written_before(
    station: Station, write: Writer
) -> None:
    first = station.watch(JOBS, snapshot=True)
    reading = asyncio.create_task(rows_of(first))
    for _ in range(10):
        job_id = global_id("Job", await write.job())
        async with station.watch(JOBS, snapshot=True) as late:
            assert job_id in await rows_of(late)
    await reading
    await first.__aexit__()


async def test_rows_of_one_owner_are_not_shared_with_another(
    station: Station, write: Writer
) -> None:
    job_id = global_id("Job", await write.job())
    async with (
        station.watch(JOBS, snapshot=True) as anns,
        station.watch(JOBS, Viewer(id="bob"), snapshot=True) as bobs,
    ):
        found = await asyncio.gather(rows_of(anns), rows_of(bobs))
        assert list(found) == [[job_id], []]


async def test_whoever_leaves_takes_nobody_s_rows_away(station: Station, write: Writer) -> None:
    job_id = global_id("Job", await write.job())
    founder, other = (station.watch(JOBS, snapshot=True) for _ in range(2))
    leaving = asyncio.create_task(rows_of(founder))
    staying = asyncio.create_task(rows_of(other))
    await eventually(lambda: len(station.runner.groups.beginnings) == 1)
    leaving.cancel()
    assert await staying == [job_id]
    await other.__aexit__()


async def test_crowd_that_was_cut_off_within_its_rows_begins_again_together(
    station: Station, write: Writer
) -> None:
    ids = {global_id("Job", await write.job()) for _ in range(ROWS)}
    async with station.watch(JOBS, snapshot=True) as cut_off:
        await cut_off.take(ROWS // 2)
        cursor = cut_off.encoded[-1].cursor
    before = station.runner.tally.results
    watchers = [station.watch(JOBS, snapshot=True, after=cursor) for _ in range(CROWD)]
    found = await asyncio.gather(*map(rows_of, watchers))
    assert [set(rows) for rows in found] == [ids] * CROWD
    assert all(b"RESET" in watcher.encoded[0].payload for watcher in watchers)
    assert station.runner.tally.results - before <= 3 * (ROWS + 2)
    await asyncio.gather(*(watcher.__aexit__() for watcher in watchers))


async def test_rows_are_sent_in_one_write_to_who_reads(station: Station, write: Writer) -> None:
    for _ in range(ROWS):
        await write.job()
    pushed = Pushed()
    watcher = station.watch(JOBS, snapshot=True, push=pushed)
    told = asyncio.create_task(watcher.next())
    await eventually(lambda: b"".join(pushed.batches).count(b'"SNAPSHOT"') == ROWS)
    await eventually(lambda: b'"READY"' in pushed.batches[-1])
    assert len(pushed.batches) < ROWS
    told.cancel()
    await asyncio.gather(told, return_exceptions=True)
    await watcher.__aexit__()
