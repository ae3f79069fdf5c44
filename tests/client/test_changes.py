"""The Python client follows changes with the messages and cursors of the subscriptions."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from ostinato import ActivityRange, Ostinato
from ostinato.jobs.errors import BadRequest, NotFound
from ostinato.jobs.filters import FailureFilter, JobFilter
from ostinato.jobs.records import BatchState, RequestState
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind, LiveMessage
from tests.client.functions import double
from tests.engine.functions import echo

HOUR = timedelta(hours=1)


async def first(messages: AsyncIterator[LiveMessage[Any]], count: int) -> list[LiveMessage[Any]]:
    return [await anext(messages) for _ in range(count)]


async def until_ready(messages: AsyncIterator[LiveMessage[Any]]) -> list[LiveMessage[Any]]:
    taken = [await anext(messages)]
    while taken[-1].kind is not ChangeKind.READY:
        taken.append(await anext(messages))
    return taken


async def test_changes_follow_the_snapshot(app: Ostinato) -> None:
    old = await app.schedule(double, {"number": 1}, owner="alice", run_after=HOUR)
    async with aclosing(app.changes(owner="alice", snapshot=True)) as messages:
        row, ready = await until_ready(messages)
        assert (row.kind, row.id, ready.kind) == (ChangeKind.SNAPSHOT, old.id, ChangeKind.READY)
        await app.schedule(double, {"number": 2}, owner="bob", run_after=HOUR)
        new = await app.schedule(double, {"number": 3}, owner="alice", run_after=HOUR)
        await old.cancel()
        changes = await first(messages, 2)
    assert [(each.id, each.record.state) for each in changes if each.record] == [
        (new.id, "pending"),
        (old.id, "canceled"),
    ]


async def test_changes_resume_after_a_cursor_in_another_client(
    app: Ostinato, client_settings: Settings
) -> None:
    async with aclosing(app.changes()) as messages:
        (ready,) = await until_ready(messages)
    ids = [(await app.schedule(double, {"number": n}, run_after=HOUR)).id for n in range(3)]
    async with (
        Ostinato.open(client_settings) as other,
        aclosing(other.changes(after=ready.cursor)) as messages,
    ):
        taken = [each for each in await first(messages, 4) if each.kind is ChangeKind.CHANGED]
    assert [each.id for each in taken] == ids


async def test_filter_selects_changes(app: Ostinato) -> None:
    wanted = JobFilter(function_name="functions.echo")
    async with aclosing(app.changes(wanted)) as messages:
        await until_ready(messages)
        await app.schedule(double, {"number": 1}, run_after=HOUR)
        job = await app.schedule(echo, run_after=HOUR)
        assert (await anext(messages)).id == job.id


async def test_without_secrets_cursors_are_those_of_python_clients(
    client_settings: Settings,
) -> None:
    no_secret = client_settings.model_copy(update={"jwt_secret": None})
    async with Ostinato.open(no_secret) as app, Ostinato.open(no_secret) as other:
        async with aclosing(app.changes()) as messages:
            (ready,) = await until_ready(messages)
        async with aclosing(other.changes(after=ready.cursor)) as messages:
            assert (await anext(messages)).kind is ChangeKind.READY


async def test_one_job_is_followed(app: Ostinato) -> None:
    job = await app.schedule(double, {"number": 1}, owner="alice", run_after=HOUR)
    async with aclosing(app.job_changes(job.id, owner="alice")) as messages:
        await until_ready(messages)
        await job.cancel()
        change = await anext(messages)
    assert change.event is not None
    assert change.event.state == "canceled"


@pytest.mark.parametrize("kind", ["job", "batch", "request"])
async def test_object_of_another_owner_is_not_followed(app: Ostinato, kind: str) -> None:
    job = await app.schedule(double, {"number": 1}, owner="alice", run_after=HOUR)
    messages = getattr(app, f"{kind}_changes")(job.id, owner="bob")
    with pytest.raises(NotFound):
        await anext(messages)


async def test_crons_tasks_batches_and_requests_are_followed(app: Ostinato) -> None:
    await app.add_items([1])
    batch, request = await app.start_batch(), await app.create_with_timeout(1)
    cron = await app.register_cron("x", every=HOUR)
    task = await app.start_recurring_task("x", HOUR)
    expected: list[tuple[AsyncGenerator[LiveMessage[Any], None], object]] = [
        (app.cron_changes(snapshot=True), cron),
        (app.recurring_task_changes(snapshot=True), task),
        (app.batch_changes(batch.id), batch),
        (app.request_changes(request.id), request),
        (app.batch_list_changes(BatchState.RUNNING, snapshot=True), batch),
        (app.request_list_changes(RequestState.PENDING, owner=None, snapshot=True), request),
    ]
    for messages, found in expected:
        async with aclosing(messages):
            assert (await anext(messages)).record == found


async def test_failures_of_a_function_are_followed(app: Ostinato, worker: None) -> None:
    which = FailureFilter(function_name="functions.failWith")
    async with aclosing(app.failure_changes(which)) as messages:
        assert (await anext(messages)).kind is ChangeKind.READY
        await app.schedule("functions.failWith", {"message": "no"})
        failure = (await anext(messages)).record
    assert failure is not None
    assert failure.function_name == "functions.failWith"


async def test_ticks_of_a_cron_are_followed(app: Ostinato) -> None:
    cron = await app.register_cron("x", every=HOUR)
    async with aclosing(app.cron_tick_changes(cron.id, snapshot=True)) as messages:
        assert (await anext(messages)).kind is ChangeKind.READY
        await app.engine.advance(HOUR // timedelta(milliseconds=1))
        await app.delete_cron(cron.id)
        tick = (await anext(messages)).record
    assert tick is not None
    assert (tick.cron_id, tick.scheduled_time) == (cron.id, cron.next_run_time)


async def test_forged_cursor_is_refused(app: Ostinato) -> None:
    async with aclosing(app.changes(after="forged")) as messages:
        with pytest.raises(BadRequest, match="not a cursor of this server"):
            await anext(messages)


async def test_numbers_of_jobs_by_state_are_followed(app: Ostinato) -> None:
    await app.schedule(double, {"number": 1}, owner="alice", run_after=HOUR)
    await app.schedule(double, {"number": 2}, owner="bob", run_after=HOUR)
    every = timedelta(milliseconds=500)
    async with aclosing(app.count_changes(every, owner="alice")) as counts:
        assert (await anext(counts)).pending == 1
        await app.schedule(double, {"number": 3}, owner="alice", run_after=HOUR)
        while (await anext(counts)).pending != 2:
            pass
    with pytest.raises(BadRequest, match="everyMs"):
        await anext(app.count_changes(timedelta(milliseconds=1)))


async def test_activity_is_read_and_followed(app: Ostinato, worker: None) -> None:
    await (await app.schedule(double, {"number": 1}, owner="alice")).result(HOUR)
    reach = ActivityRange.ONE_HOUR
    found = await app.activity(reach, function=double, owner="alice")
    assert sum(point.succeeded for point in found.points) == 1
    async with aclosing(app.activity_changes(reach, owner="alice")) as series:
        assert sum(point.succeeded for point in (await anext(series)).points) == 1
    with pytest.raises(BadRequest, match="is not the name of a function"):
        await app.activity(reach, function="double")
