"""The Python client starts, reads and changes crons, recurring tasks, batches and requests."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ostinato import Ostinato
from ostinato.client.cron_verbs import DeclaredCron
from ostinato.jobs.errors import (
    BadRequest,
    Conflict,
    NotFound,
    OwnerSuspended,
    PreconditionFailed,
    VersionConflict,
)
from ostinato.jobs.records import BatchState, CatchUpPolicy, OverlapPolicy, RequestState
from tests.client.functions import double
from tests.processes import eventually

HOUR = timedelta(hours=1)


async def test_cron_is_registered_read_and_changed(app: Ostinato) -> None:
    cron = await app.register_cron("hourly", owner="alice", every=HOUR)
    assert (cron.owner, cron.function_name, cron.args) == (
        "alice",
        "tasks.runTask",
        {"name": "hourly"},
    )
    assert not (await app.pause_cron(cron.id)).enabled
    assert (await app.resume_cron(cron.id, owner="alice")).enabled
    assert (await app.cron_named("hourly", owner="alice")).id == cron.id
    await app.delete_cron(cron.id)
    with pytest.raises(NotFound):
        await app.cron(cron.id)


async def test_ticks_and_health_of_a_cron_are_read(app: Ostinato) -> None:
    cron = await app.register_cron("hourly", owner="alice", every=HOUR)
    await app.pause_cron(cron.id)
    assert (await app.cron_ticks(cron.id)).items == ()
    health = await app.cron_health(cron.id, owner="alice")
    assert (health.cron.id, health.failures_in_a_row, health.last_tick) == (cron.id, 0, None)
    with pytest.raises(NotFound):
        await app.cron_health(cron.id, owner="bob")


async def test_naive_time_of_a_cron_is_rejected(app: Ostinato) -> None:
    cron, naive = await app.register_cron("hourly", every=HOUR), datetime(2030, 1, 1)  # noqa: DTZ001
    calls: list[tuple[str, Awaitable[object]]] = [
        ("startAt", app.register_cron("other", every=HOUR, start_at=naive)),
        ("endAt", app.update_cron(cron.id, end_at=naive)),
        ("start", app.preview(every=HOUR, start=naive)),
    ]
    for field, call in calls:
        with pytest.raises(BadRequest, match=f"{field} must be an aware datetime"):
            await call


async def test_cron_takes_all_options(app: Ostinato) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    cron = await app.register_cron(
        "nightly",
        cronspec="0 3 * * *",
        tz="Europe/Berlin",
        function=double,
        args={"number": 2},
        overlap=OverlapPolicy.QUEUE,
        catch_up=CatchUpPolicy.ALL,
        start_at=start,
        end_at=start + 24 * HOUR,
    )
    assert (cron.owner, cron.function_name, cron.args) == (None, "functions.double", {"number": 2})
    assert (cron.overlap, cron.catch_up) == ("queue", "all")
    assert cron.next_run_time == datetime(2030, 1, 1, 2, tzinfo=UTC)


async def test_cron_of_the_system_is_not_that_of_a_user(app: Ostinato) -> None:
    of_user = await app.register_cron("same", owner="alice", every=HOUR)
    with pytest.raises(NotFound):
        await app.cron_named("same")
    of_system = await app.register_cron("same", every=HOUR)
    with pytest.raises(Conflict):
        await app.register_cron("same", every=HOUR)
    assert (await app.cron_named("same")).id == of_system.id
    assert [each.id for each in (await app.crons(owner="alice")).items] == [of_user.id]
    assert len((await app.crons()).items) == 2


async def test_crons_are_listed_in_pages(app: Ostinato) -> None:
    ids = [(await app.register_cron(f"c{n}", every=HOUR)).id for n in range(3)]
    await app.pause_cron(ids[0])
    first = await app.crons(first=2)
    rest = await app.crons(first=2, after=first.items[-1])
    assert [each.id for each in (*first.items, *rest.items)] == ids[::-1]
    assert [each.id for each in (await app.crons(enabled=False)).items] == ids[:1]


async def test_schedule_is_previewed(app: Ostinato) -> None:
    ticks = await app.preview("0 3 * * *", tz="Europe/Berlin", count=3)
    assert [tick.minute for tick in ticks] == [0, 0, 0]
    first, second = await app.preview(every=HOUR, count=2)
    assert second - first == HOUR


WRONG: dict[str, tuple[Callable[[Ostinato], Awaitable[object]], str]] = {
    "both schedules": (
        lambda app: app.register_cron("x", every=HOUR, cronspec="* * * * *"),
        "intervalMs",
    ),
    "cronspec": (
        lambda app: app.register_cron("x", cronspec="61 * * * *"),
        "must be 0.59, got 61",
    ),
    "empty name": (lambda app: app.register_cron("", every=HOUR), "name must be 1 to 200"),
    "unknown function": (
        lambda app: app.register_cron("x", every=HOUR, function="no.where"),
        r"there is no function 'no\.where'",
    ),
    "count": (lambda app: app.preview(every=HOUR, count=1_001), "count must be 1 to 1,000"),
    "interval": (lambda app: app.start_recurring_task("x", timedelta(0)), "intervalMs"),
    "task id": (lambda app: app.start_recurring_task("a\0", HOUR), "taskId must not contain"),
    "items": (lambda app: app.add_items([object()]), r"items\.0 has type object"),
    "no items": (lambda app: app.add_items([]), "items must be 1 to 1000 per call, got 0"),
    "large item": (lambda app: app.add_items(["x" * 70_000]), "65,536 bytes"),
    "source": (lambda app: app.start_batch("nothing"), "nothing"),
    "batch size": (lambda app: app.start_batch(batch_size=0), "batchSize must be 1 to 1,000"),
    "timeout": (lambda app: app.create_with_timeout({}, timeout=timedelta(0)), "timeoutMs must be"),
    "rejection": (lambda app: app.reject_request("x", ""), "error must be 1 to 1000"),
    "result": (lambda app: app.complete_request("x", {1: object()}), "result"),
    "data": (lambda app: app.create_with_timeout({"x": float("nan")}), r"data\.x"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_input_is_named(app: Ostinato, case: str) -> None:
    call, message = WRONG[case]
    with pytest.raises(BadRequest, match=message):
        await call(app)


async def test_recurring_task_is_started_updated_and_stopped(app: Ostinato) -> None:
    started = await app.start_recurring_task("sync", HOUR, double, {"number": 1}, owner="alice")
    updated = await app.start_recurring_task("sync", 2 * HOUR, double, {"number": 1}, owner="alice")
    assert (started.id, updated.interval_ms) == (updated.id, 7_200_000)
    with pytest.raises(NotFound):
        await app.stop_recurring_task("sync")
    await app.stop_recurring_task("sync", owner="alice")
    assert not (await app.recurring_task("sync", owner="alice")).enabled
    assert [each.id for each in (await app.recurring_tasks()).items] == [started.id]
    assert (await app.recurring_tasks(owner="bob")).items == ()
    await app.delete_recurring_task("sync", owner="alice")
    assert (await app.recurring_tasks()).items == ()


async def test_batch_processes_the_items_of_the_owner(app: Ostinato, worker: None) -> None:
    assert len(await app.add_items([1, {"two": 2}], owner="alice")) == 2
    await app.add_items([3], owner="bob")
    batch = await app.start_batch(owner="alice", delay=timedelta(0))
    assert batch.total == 2

    async def is_done() -> bool:
        return (await app.batch(batch.id, owner="alice")).state is BatchState.DONE

    await eventually(is_done, within=60)
    assert [each.id for each in (await app.batches(owner="alice")).items] == [batch.id]
    assert await app.engine.mongo["items"].count_documents({"processed": False}) == 1


async def test_batch_is_canceled(app: Ostinato) -> None:
    await app.add_items([1], owner="alice")
    batch = await app.start_batch(owner="alice")
    with pytest.raises(NotFound):
        await app.cancel_batch(batch.id, owner="bob")
    assert (await app.cancel_batch(batch.id)).state is BatchState.CANCELED
    with pytest.raises(PreconditionFailed):
        await app.cancel_batch(batch.id)
    await app.delete_batch(batch.id)
    with pytest.raises(NotFound):
        await app.batch(batch.id)


async def test_items_of_the_owner_are_deleted(app: Ostinato) -> None:
    ids = await app.add_items([1, 2, 3], owner="alice")
    assert await app.delete_items(ids, owner="bob") == 0
    assert await app.delete_items(ids[:1], owner="alice") == 1
    assert await app.delete_items(owner="alice") == 2


async def test_request_is_completed_with_its_data(app: Ostinato, worker: None) -> None:
    request = await app.create_with_timeout({"word": "again"}, owner="alice", timeout=HOUR)

    async def ended() -> Any:
        found = await app.request(request.id, owner="alice")
        return found if found.state is not RequestState.PENDING else None

    assert (await eventually(ended, within=60)).result == {"word": "again"}
    assert [each.id for each in (await app.requests()).items] == [request.id]
    await app.delete_request(request.id, owner="alice")
    assert (await app.requests()).items == ()


async def test_recurring_task_is_changed(app: Ostinato) -> None:
    task = await app.start_recurring_task("sync", HOUR, owner="alice")
    changed = await app.update_recurring_task(
        "sync", every=2 * HOUR, function=double, args={"number": 3}, owner="alice"
    )
    assert (changed.interval_ms, changed.function_name) == (7_200_000, "functions.double")
    assert (changed.args, changed.run_count) == ({"number": 3}, 0)
    with pytest.raises(VersionConflict):
        await app.update_recurring_task(
            "sync", every=HOUR, owner="alice", expected_version=task.version
        )
    with pytest.raises(NotFound):
        await app.update_recurring_task("sync", every=HOUR)


async def test_batch_is_paused_changed_and_resumed(app: Ostinato) -> None:
    batch = await app.start_batch(owner="alice", max_failed_items=5)
    paused = await app.pause_batch(batch.id)
    assert (paused.state, paused.max_failed_items) == (BatchState.PAUSED, 5)
    changed = await app.update_batch(batch.id, delay=HOUR, batch_size=7, owner="alice")
    assert (changed.delay_ms, changed.batch_size) == (3_600_000, 7)
    changed = await app.update_batch(batch.id, items_per_second=70, max_failed_items=1)
    assert (changed.delay_ms, changed.max_failed_items) == (100, 1)
    with pytest.raises(VersionConflict):
        await app.update_batch(batch.id, batch_size=1, expected_version=batch.version)
    assert (await app.resume_batch(batch.id, owner="alice")).state is BatchState.RUNNING


async def test_request_is_extended_and_completed(app: Ostinato) -> None:
    request = await app.create_with_timeout(1, owner="alice", run_handler=False)
    later = await app.extend_request(request.id, HOUR, owner="alice")
    assert later.timeout_at > request.timeout_at
    until = datetime.now(UTC) + 24 * HOUR
    assert (await app.extend_request(request.id, until=until)).timeout_at > later.timeout_at
    with pytest.raises(BadRequest, match="until must be an aware datetime"):
        await app.extend_request(request.id, until=datetime(2999, 1, 1))  # noqa: DTZ001
    with pytest.raises(NotFound):
        await app.complete_request(request.id, owner="bob")
    completed = await app.complete_request(request.id, {"paid": 3}, owner="alice")
    assert (completed.state, completed.result) == (RequestState.COMPLETED, {"paid": 3})
    assert completed.answered_by == "alice"


async def test_request_is_rejected_or_canceled(app: Ostinato) -> None:
    first, second = [await app.create_with_timeout(n, run_handler=False) for n in range(2)]
    rejected = await app.reject_request(first.id, "no")
    assert (rejected.state, rejected.answered_by) == (RequestState.FAILED, None)
    assert (await app.cancel_request(second.id)).state is RequestState.CANCELED
    with pytest.raises(PreconditionFailed):
        await app.complete_request(second.id)


async def test_suspended_owner_gets_no_new_work(app: Ostinato) -> None:
    assert (await app.suspend_owner("eve", "spam")).suspension_reason == "spam"
    for call in (
        app.register_cron("x", owner="eve", every=HOUR),
        app.start_recurring_task("x", HOUR, owner="eve"),
        app.add_items([1], owner="eve"),
        app.create_with_timeout({}, owner="eve"),
    ):
        with pytest.raises(OwnerSuspended):
            await call
    page = await app.suspended_owners(first=1)
    assert [each.id for each in page.items] == ["eve"]
    assert (await app.suspended_owners(after=page.items[0])).items == ()
    assert not (await app.resume_owner("eve")).is_suspended


async def test_owners_are_read_and_purged(app: Ostinato) -> None:
    assert not (await app.owner("eve")).is_suspended
    with pytest.raises(PreconditionFailed):
        await app.purge_owner("eve")
    await app.suspend_owner("eve")
    assert (await app.purge_owner("eve")).is_being_purged
    assert {quota.limit for quota in await app.quotas("eve")} >= {1_000}
    with pytest.raises(BadRequest, match="owner must be"):
        await app.suspend_owner("")
    with pytest.raises(BadRequest, match="reason must have 1 to 500 characters, got 501"):
        await app.suspend_owner("eve", "x" * 501)


async def test_queues_and_workers_are_seen_and_queues_paused(app: Ostinato, worker: None) -> None:
    assert (await app.pause_queue("mail")).paused
    resumed = await app.resume_queue("mail", weight=5)
    assert (resumed.paused, resumed.weight) == (False, 5)
    assert await eventually(app.workers)
    assert {"default", "mail"} <= {each.name for each in await app.queues()}
    assert "functions.double" in {each.function.name for each in app.functions()}
    with pytest.raises(BadRequest, match="weight must be 1 to 1,000, got 0"):
        await app.resume_queue("mail", weight=0)
    with pytest.raises(BadRequest, match="queue must match"):
        await app.pause_queue("A B")


async def test_cron_is_changed_in_an_expected_version(app: Ostinato) -> None:
    cron = await app.register_cron("hourly", owner="alice", every=HOUR)
    changed = await app.update_cron(
        cron.id, expected_version=cron.version, every=2 * HOUR, function=double, args={"number": 2}
    )
    assert (changed.function_name, changed.args) == ("functions.double", {"number": 2})
    assert changed.next_run_time - cron.next_run_time == HOUR
    preview = await app.preview_cron_change(cron.id, days=1, every=HOUR)
    assert (preview.added_count, preview.removed_count) == (12, 0)
    with pytest.raises(VersionConflict) as raised:
        await app.update_cron(cron.id, expected_version=cron.version, name="x")
    assert raised.value.current_version == changed.version


async def test_run_of_a_cron_is_skipped_and_triggered(app: Ostinato) -> None:
    cron = await app.register_cron("hourly", owner="alice", every=HOUR)
    assert (await app.skip_next_run(cron.id)).next_run_time - cron.next_run_time == HOUR
    run = await app.trigger_cron(cron.id, "key")
    assert (run.function_name, run.owner) == ("tasks.runTask", "alice")
    assert (await app.trigger_cron(cron.id, "key", owner="alice")).id == run.id
    with pytest.raises(NotFound):
        await app.trigger_cron(cron.id, owner="bob")


async def test_crons_are_applied_and_backfilled(app: Ostinato) -> None:
    crons: list[DeclaredCron] = [
        {"name": "a", "every": HOUR, "function": double, "args": {"number": 1}}
    ]
    [cron] = (await app.apply_crons("deploy", crons)).created
    assert (await app.apply_crons("deploy", crons)).unchanged == [cron]
    start, end = cron.next_run_time - 3 * HOUR, cron.next_run_time
    assert (await app.backfill_cron(cron.id, start, end)).started == 3
    assert (await app.apply_crons("deploy", [])).deleted_ids == [cron.id]
