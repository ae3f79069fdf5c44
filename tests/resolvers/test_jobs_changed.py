"""jobsChanged: messages, their order, filters and owners."""

from datetime import timedelta
from typing import Any

import pytest

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.mongo.indexes import ensure_collections
from ostinato.jobs.records import CauseKind, JobState
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import jobs_changed
from tests.live.fixtures import ContextFactory
from tests.live.reading import ALL, Client, first_message, ready_cursor, received
from tests.live.writing import DUE, Writer

ROWS = SubscribeOptions(snapshot=True)
LATER = {"scheduledTime": DUE + timedelta(hours=1)}


async def test_ready_comes_first_even_without_rows(as_viewer: ContextFactory) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, ROWS)) as client:
        first = await client.next()
    assert first.kind is ChangeKind.READY
    assert first.cursor


async def test_each_event_is_sent_once_and_in_order(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        job_id = await writer.run()
        changes = await client.take(3)
    assert received(changes) == [(job_id, 1), (job_id, 2), (job_id, 3)]
    assert [c.event.state for c in changes if c.event] == ["pending", "inProgress", "success"]
    assert changes[-1].record is not None
    assert changes[-1].record.state is JobState.SUCCESS


async def test_snapshot_contains_the_jobs_that_existed_before_ready(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    ids = [await writer.job() for _ in range(3)]
    async with Client(jobs_changed(as_viewer(), ALL, ROWS)) as client:
        *rows, ready = await client.until(ChangeKind.READY)
        await writer.claim(ids[0])
        change = await client.next()
    assert [row.id for row in rows] == ids[::-1]
    assert {row.kind for row in rows} == {ChangeKind.SNAPSHOT}
    assert ready.id is None
    assert received([change]) == [(ids[0], 2)]


async def test_snapshot_has_at_most_the_requested_number_of_rows(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    newest = [await writer.job() for _ in range(3)][-1]
    options = SubscribeOptions(snapshot=True, first=1)
    async with Client(jobs_changed(as_viewer(), ALL, options)) as client:
        rows = await client.until(ChangeKind.READY)
    assert [row.id for row in rows[:-1]] == [newest]


async def test_first_beyond_the_limit_is_rejected(as_viewer: ContextFactory) -> None:
    with pytest.raises(BadRequest, match="first must be 1 to 1,000"):
        await first_message(jobs_changed(as_viewer(), ALL, SubscribeOptions(first=1_001)))


async def test_jobs_of_other_owners_are_not_sent(as_viewer: ContextFactory, writer: Writer) -> None:
    await writer.job("bob")
    async with Client(jobs_changed(as_viewer("ann"), ALL, ROWS)) as client:
        assert (await client.next()).kind is ChangeKind.READY
        await writer.run("bob")
        own = await writer.job("ann")
        assert (await client.next()).id == own


async def test_admin_receives_the_jobs_of_all_owners(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    async with Client(jobs_changed(as_viewer("root", "admin"), ALL, ROWS)) as client:
        await client.ready()
        ids = [await writer.job("ann"), await writer.job("bob"), await writer.job(None)]
        assert [c.id for c in await client.take(3)] == ids


async def test_job_that_stops_matching_the_filter_is_sent_as_left(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    pending = JobFilter(states=(JobState.PENDING,))
    async with Client(jobs_changed(as_viewer(), pending, SubscribeOptions())) as client:
        await client.ready()
        job_id = await writer.run()
        other = await writer.job()
        changes = await client.take(3)
    assert [c.kind for c in changes] == [ChangeKind.CHANGED, ChangeKind.LEFT, ChangeKind.CHANGED]
    assert received(changes) == [(job_id, 1), (job_id, 2), (other, 1)]


async def test_internal_jobs_are_sent_only_if_requested(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    async with (
        Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as default,
        Client(
            jobs_changed(as_viewer(), JobFilter(internal=True), SubscribeOptions())
        ) as with_internal,
    ):
        await default.ready()
        await with_internal.ready()
        tick, job_id = await writer.job(internal=True), await writer.job()
        assert (await default.next()).id == job_id
        assert (await with_internal.next()).id == tick


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (JobFilter(function_name="a.b"), {"functionName": "a.b"}),
        (JobFilter(queue="slow"), {"queue": "slow"}),
        (JobFilter(cause_kind=CauseKind.CRON), {"cause": {"kind": "cron", "id": "c1"}}),
        (JobFilter(cause_id="c1"), {"cause": {"kind": "cron", "id": "c1"}}),
        (JobFilter(root_id="r1"), {"rootId": "r1"}),
        (JobFilter(scheduled_to=DUE), {"scheduledTime": DUE - timedelta(days=1)}),
        (JobFilter(scheduled_from=DUE + timedelta(1)), {"scheduledTime": DUE + timedelta(2)}),
    ],
)
async def test_filter_applies_to_every_event(
    as_viewer: ContextFactory, writer: Writer, wanted: JobFilter, fields: dict[str, Any]
) -> None:
    async with Client(jobs_changed(as_viewer(), wanted, SubscribeOptions())) as client:
        await client.ready()
        await writer.run()
        job_id = await writer.run(**fields)
        assert received(await client.take(3)) == [(job_id, 1), (job_id, 2), (job_id, 3)]


async def test_only_jobs_with_the_ids_of_a_filter_are_sent(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    first, other, second = [await writer.job() for _ in range(3)]
    wanted = JobFilter(ids=(first, second))
    async with Client(jobs_changed(as_viewer(), wanted, SubscribeOptions(snapshot=True))) as client:
        stored = await client.until(ChangeKind.READY)
        assert {message.id for message in stored[:-1]} == {first, second}
        for job_id in (other, second):
            await writer.claim(job_id)
        assert received([await client.next()]) == [(second, 2)]


async def test_job_retried_outside_the_window_is_sent_as_left(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    soon = JobFilter(scheduled_to=DUE + timedelta(minutes=1))
    async with Client(jobs_changed(as_viewer(), soon, SubscribeOptions())) as client:
        await client.ready()
        job_id = await writer.job()
        await writer.claim(job_id)
        assert received(await client.take(2)) == [(job_id, 1), (job_id, 2)]
        await writer.retry(job_id, due=DUE + timedelta(hours=1))
        assert (await client.next()).kind is ChangeKind.LEFT


async def test_each_event_is_matched_by_the_due_time_at_that_event(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    """The events are read together, after the due time of the job has changed."""
    wanted = JobFilter(states=(JobState.IN_PROGRESS,), scheduled_to=DUE + timedelta(minutes=1))
    cursor = await ready_cursor(as_viewer())
    job_id = await writer.job()
    await writer.claim(job_id)
    await writer.make_transition(TransitionName.FAIL, job_id)
    event = {"nextRunAt": LATER["scheduledTime"]}
    await writer.make_transition(TransitionName.MANUAL_RETRY, job_id, fields=LATER, event=event)
    other = await writer.job()
    await writer.claim(other)
    async with Client(jobs_changed(as_viewer(), wanted, SubscribeOptions(after=cursor))) as client:
        await client.ready()
        changes = await client.take(3)
    assert received(changes) == [(job_id, 2), (job_id, 3), (other, 2)]
    assert [c.kind for c in changes] == [ChangeKind.CHANGED, ChangeKind.LEFT, ChangeKind.CHANGED]


async def test_progress_is_sent_without_an_event(as_viewer: ContextFactory, writer: Writer) -> None:
    running = JobFilter(states=(JobState.IN_PROGRESS,))
    job_id = await writer.job()
    await writer.claim(job_id)
    async with Client(jobs_changed(as_viewer(), running, ROWS)) as client:
        await client.ready()
        await writer.progress(job_id, done=7)
        change = await client.next()
    assert change.event is None
    assert change.record is not None
    assert change.record.progress is not None
    assert change.record.progress.done == 7


async def test_result_larger_than_its_job_is_sent_as_one_event(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    async with Client(jobs_changed(as_viewer(), ALL, SubscribeOptions())) as client:
        await client.ready()
        job_id = await writer.job()
        await writer.claim(job_id)
        await writer.succeed(job_id, result="x" * 200_000)
        next_one = await writer.job()
        assert received(await client.take(4)) == [
            (job_id, 1),
            (job_id, 2),
            (job_id, 3),
            (next_one, 1),
        ]


async def test_object_is_read_only_when_it_is_selected(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    async with Client(
        jobs_changed(as_viewer(), ALL, SubscribeOptions(wants_object=False))
    ) as client:
        await client.ready()
        await writer.job()
        change = await client.next()
    assert change.event is not None
    assert change.record is None


async def test_dropped_collection_causes_a_reset_and_a_new_snapshot(
    as_viewer: ContextFactory, writer: Writer
) -> None:
    await writer.job()
    async with Client(jobs_changed(as_viewer(), ALL, ROWS)) as client:
        await client.ready()
        await writer.mongo["jobs"].drop()
        await ensure_collections(writer.mongo)
        reset = await client.next()
        assert reset.kind is ChangeKind.RESET
        assert [m.kind for m in await client.until(ChangeKind.READY)] == [ChangeKind.READY]
        job_id = await writer.job()
        assert (await client.next()).id == job_id
