"""jobsChanged: what a viewer is told of its jobs, and in which order."""

from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.jobs.records import CauseKind, JobState
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.queries import jobs_changed
from tests.live.fixtures import As
from tests.live.reading import ALL, Client, disconnected, first_message, told
from tests.live.writing import DUE, Writer

ROWS = SubscribeOptions(snapshot=True)
LATER = {"scheduledTime": DUE + timedelta(hours=1)}


async def test_ready_comes_first_even_without_rows(as_viewer: As) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, ROWS)) as client:
        first = await client.next()
    assert first.kind is ChangeKind.READY
    assert first.cursor


async def test_each_event_is_told_once_and_in_order(as_viewer: As, write: Writer) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        job_id = await write.run()
        changes = await client.take(3)
    assert told(changes) == [(job_id, 1), (job_id, 2), (job_id, 3)]
    assert [c.event.state for c in changes if c.event] == ["pending", "inProgress", "success"]
    assert changes[-1].record is not None
    assert changes[-1].record.state is JobState.SUCCESS


async def test_snapshot_shows_what_was_there_before_ready(as_viewer: As, write: Writer) -> None:
    ids = [await write.job() for _ in range(3)]
    async with Client(jobs_changed(as_viewer(), ALL, ROWS)) as client:
        *rows, ready = await client.until(ChangeKind.READY)
        await write.claim(ids[0])
        change = await client.next()
    assert [row.id for row in rows] == ids[::-1]
    assert {row.kind for row in rows} == {ChangeKind.SNAPSHOT}
    assert ready.id is None
    assert told([change]) == [(ids[0], 2)]


async def test_snapshot_holds_no_more_rows_than_asked_for(as_viewer: As, write: Writer) -> None:
    newest = [await write.job() for _ in range(3)][-1]
    following = SubscribeOptions(snapshot=True, first=1)
    async with Client(jobs_changed(as_viewer(), ALL, following)) as client:
        rows = await client.until(ChangeKind.READY)
    assert [row.id for row in rows[:-1]] == [newest]


async def test_first_beyond_the_limit_is_refused(as_viewer: As) -> None:
    with pytest.raises(BadRequest, match="first must be from 1 to 1000"):
        await first_message(jobs_changed(as_viewer(), ALL, SubscribeOptions(first=1_001)))


async def test_other_peoples_jobs_are_not_told(as_viewer: As, write: Writer) -> None:
    await write.job("bob")
    async with Client(jobs_changed(as_viewer("ann"), ALL, ROWS)) as client:
        assert (await client.next()).kind is ChangeKind.READY
        await write.run("bob")
        own = await write.job("ann")
        assert (await client.next()).id == own


async def test_admin_is_told_of_everybodys_jobs(as_viewer: As, write: Writer) -> None:
    async with Client(jobs_changed(as_viewer("root", "admin"), ALL, ROWS)) as client:
        await client.ready()
        ids = [await write.job("ann"), await write.job("bob"), await write.job(None)]
        assert [c.id for c in await client.take(3)] == ids


async def test_job_that_leaves_the_filter_is_told_as_left(as_viewer: As, write: Writer) -> None:
    pending = JobFilter(states=(JobState.PENDING,))
    async with Client(jobs_changed(as_viewer(), pending, SubscribeOptions())) as client:
        await client.ready()
        job_id = await write.run()
        other = await write.job()
        changes = await client.take(3)
    assert [c.kind for c in changes] == [ChangeKind.CHANGED, ChangeKind.LEFT, ChangeKind.CHANGED]
    assert told(changes) == [(job_id, 1), (job_id, 2), (other, 1)]


async def test_internal_jobs_are_hidden_unless_asked_for(as_viewer: As, write: Writer) -> None:
    async with (
        Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as usual,
        Client(jobs_changed(as_viewer(), JobFilter(internal=True), SubscribeOptions())) as asked,
    ):
        await usual.ready()
        await asked.ready()
        tick, job_id = await write.job(internal=True), await write.job()
        assert (await usual.next()).id == job_id
        assert (await asked.next()).id == tick


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (JobFilter(function_name="a.b"), {"functionName": "a.b"}),
        (JobFilter(queue="slow"), {"queue": "slow"}),
        (JobFilter(cause_kind=CauseKind.CRON), {"cause": {"kind": "cron", "id": "c1"}}),
        (JobFilter(cause_id="c1"), {"cause": {"kind": "cron", "id": "c1"}}),
        (JobFilter(scheduled_to=DUE), {"scheduledTime": DUE - timedelta(days=1)}),
        (JobFilter(scheduled_from=DUE + timedelta(1)), {"scheduledTime": DUE + timedelta(2)}),
    ],
)
async def test_filter_applies_to_every_event(
    as_viewer: As, write: Writer, wanted: JobFilter, fields: dict[str, Any]
) -> None:
    async with Client(jobs_changed(as_viewer(), wanted, SubscribeOptions())) as client:
        await client.ready()
        await write.run()
        job_id = await write.run(**fields)
        assert told(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]


async def test_job_retried_out_of_the_window_is_told_as_left(as_viewer: As, write: Writer) -> None:
    soon = JobFilter(scheduled_to=DUE + timedelta(minutes=1))
    async with Client(jobs_changed(as_viewer(), soon, SubscribeOptions())) as client:
        await client.ready()
        job_id = await write.job()
        await write.claim(job_id)
        assert told(await client.take(2)) == [(job_id, 1), (job_id, 2)]
        await write.retry(job_id, due=DUE + timedelta(hours=1))
        assert (await client.next()).kind is ChangeKind.LEFT


async def test_each_event_is_judged_by_when_the_job_was_due_then(
    as_viewer: As, write: Writer
) -> None:
    """All of it is read at once, when the job has long been due at another time."""
    wanted = JobFilter(states=(JobState.IN_PROGRESS,), scheduled_to=DUE + timedelta(minutes=1))
    cursor = await disconnected(as_viewer())
    job_id = await write.job()
    await write.claim(job_id)
    await write.make_transition(TransitionName.FAIL, job_id)
    await write.make_transition(
        TransitionName.REVIVE, job_id, fields=LATER, event={"nextRunAt": LATER["scheduledTime"]}
    )
    other = await write.job()
    await write.claim(other)
    async with Client(jobs_changed(as_viewer(), wanted, SubscribeOptions(after=cursor))) as client:
        await client.ready()
        changes = await client.take(3)
    assert told(changes) == [(job_id, 2), (job_id, 3), (other, 2)]
    assert [c.kind for c in changes] == [ChangeKind.CHANGED, ChangeKind.LEFT, ChangeKind.CHANGED]


async def test_progress_is_told_without_an_event(as_viewer: As, write: Writer) -> None:
    running = JobFilter(states=(JobState.IN_PROGRESS,))
    job_id = await write.job()
    await write.claim(job_id)
    async with Client(jobs_changed(as_viewer(), running, ROWS)) as client:
        await client.ready()
        await write.progress(job_id, done=7)
        change = await client.next()
    assert change.event is None
    assert change.record is not None
    assert change.record.progress is not None
    assert change.record.progress.done == 7


async def test_result_larger_than_its_job_still_brings_one_event(
    as_viewer: As, write: Writer
) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        job_id = await write.job()
        await write.claim(job_id)
        await write.succeed(job_id, result="x" * 200_000)
        next_one = await write.job()
        assert told(await client.take(4)) == [
            (job_id, 1),
            (job_id, 2),
            (job_id, 3),
            (next_one, 1),
        ]


async def test_object_is_read_only_when_it_is_selected(as_viewer: As, write: Writer) -> None:
    async with Client(
        jobs_changed(as_viewer(), ALL, SubscribeOptions(wants_object=False))
    ) as client:
        await client.ready()
        await write.job()
        change = await client.next()
    assert change.event is not None
    assert change.record is None


async def test_dropped_collection_resets_and_shows_what_is_there_now(
    as_viewer: As, write: Writer
) -> None:
    await write.job()
    async with Client(jobs_changed(as_viewer(), ALL, ROWS)) as client:
        await client.ready()
        await write.mongo["jobs"].drop()
        await ensure_collections(write.mongo)
        reset = await client.next()
        assert reset.kind is ChangeKind.RESET
        assert [m.kind for m in await client.until(ChangeKind.READY)] == [ChangeKind.READY]
        job_id = await write.job()
        assert (await client.next()).id == job_id
