"""The harness runs what falls due while the test moves the clock."""

from datetime import UTC, datetime, timedelta

import pytest

from ostinato import Ostinato
from ostinato.jobs.errors import BadRequest
from ostinato.jobs.records import JobState, OverlapPolicy
from ostinato.jobs.settings import Settings
from ostinato.testing import Harness
from ostinato.testing.harness import START
from tests.testing import shop

DAY = timedelta(days=1)


async def test_time_stands_still_and_no_job_runs_until_the_test_advances(h: Harness) -> None:
    job = await h.app.schedule(shop.send_email)
    assert (h.now, shop.calls) == (START, [])
    assert (await job.refresh()).state is JobState.PENDING
    assert await h.run_due() == 1
    assert await job.result() == "sent to ada"
    assert (h.now, shop.calls) == (START, ["ada 01 00:00:00"])


async def test_each_job_runs_at_its_due_time_with_the_jobs_that_it_schedules(h: Harness) -> None:
    await h.app.schedule(shop.place_order, {"reader": "bob"}, run_after=timedelta(hours=2))
    await h.app.schedule(shop.send_email, {"to": "eve"}, run_after=timedelta(hours=1))
    assert await h.advance(days=1) == 2
    assert shop.calls == ["eve 01 01:00:00", "order of bob 01 02:00:00"]
    assert await h.advance(hours=2) == 1
    assert shop.calls[2:] == ["bob 02 02:00:00"]
    assert h.now == START + timedelta(hours=26)


async def test_stored_times_are_the_due_times(h: Harness) -> None:
    due = START + timedelta(hours=5, minutes=7)
    job = await h.app.schedule(shop.send_email, run_at=due)
    await h.advance(days=1)
    done = await job.refresh()
    assert done.created_at == START
    assert {done.scheduled_time, done.started_at, done.completed_at} == {due}
    assert [event.at for event in done.timeline] == [START, due, due]


@pytest.mark.parametrize("to", [timedelta(hours=36), datetime(2035, 1, 2, 12, tzinfo=UTC)])
async def test_advance_takes_a_duration_or_a_time(h: Harness, to: timedelta | datetime) -> None:
    await h.advance(to)
    assert h.now == START + timedelta(hours=36)


@pytest.mark.parametrize(
    "to",
    [timedelta(seconds=-1), START - timedelta(days=1), datetime(2036, 1, 1)],  # noqa: DTZ001 - the mistake
)
async def test_time_moves_neither_back_nor_to_a_time_without_a_zone(
    h: Harness, to: timedelta | datetime
) -> None:
    with pytest.raises(ValueError, match=r"only moves forward|no time zone"):
        await h.advance(to)
    assert h.now == START


async def test_one_line_makes_calls_fail_and_retries_run_on_time(h: Harness) -> None:
    h.fail(shop.send_email, times=2, error=ValueError("smtp is down"))
    job = await h.app.schedule(shop.send_email)
    await h.advance(hours=1)
    done = await job.refresh()
    assert (done.state, done.attempt) == (JobState.SUCCESS, 3)
    assert shop.calls == ["ada 01 00:03:00"]
    errors = [event.error.message for event in done.timeline if event.error]
    assert errors == ["smtp is down"] * 2


async def test_failures_of_a_function_follow_each_other(h: Harness) -> None:
    h.fail(shop.send_email, error=ValueError)
    h.fail(shop.send_email, error=KeyError("to"), times=None)
    job = await h.app.schedule(shop.send_email)
    await h.advance(days=1)
    errors = [event.error.name for event in (await job.refresh()).timeline if event.error]
    assert errors == ["ValueError", "KeyError", "KeyError", "KeyError"]
    [failure] = await h.failures()
    assert failure.error.name == "KeyError"


async def test_failures_end_with_the_test(ostinato_settings: Settings) -> None:
    for fails in (True, False):
        async with Harness.open(ostinato_settings) as h:
            if fails:
                h.fail(shop.send_email, times=None)
            await h.app.schedule(shop.send_email)
            await h.run_due()
    assert shop.calls == ["ada 01 00:00:00"]


async def test_an_unknown_function_cannot_fail(h: Harness) -> None:
    with pytest.raises(BadRequest, match="no function"):
        h.fail("shop.unknown")


async def test_retry_after_waits_as_long_as_it_says(h: Harness) -> None:
    await h.app.schedule(shop.ask_later)
    await h.advance(hours=2)
    assert shop.calls == ["ask 01 00:00:00", "ask 01 01:00:00"]


async def test_crons_and_recurring_tasks_tick_at_their_times(h: Harness) -> None:
    zone, every = "Europe/Berlin", timedelta(hours=12)
    await h.app.register_cron("nightly", cronspec="0 3 * * *", tz=zone, function=shop.send_email)
    await h.app.start_recurring_task("twice a day", every, shop.send_email, {"to": "bob"})
    await h.advance(hours=36)
    assert shop.calls == [
        "bob 01 00:00:00",
        "ada 01 02:00:00",
        "bob 01 12:00:00",
        "bob 02 00:00:00",
        "ada 02 02:00:00",
        "bob 02 12:00:00",
    ]
    [cron], [task] = await h.crons(), await h.recurring_tasks()
    assert cron.next_run_time == START + timedelta(days=2, hours=2)
    assert task.next_run_time == START + timedelta(days=2)


async def test_batches_run_page_by_page_after_their_delays(h: Harness) -> None:
    await h.app.add_items([1, 2, 3], owner="alice")
    await h.app.start_batch(owner="alice", batch_size=2, delay=timedelta(hours=1))
    await h.advance(minutes=1)
    [batch] = await h.batches()
    assert (batch.state, batch.processed) == ("running", 2)
    await h.advance(hours=2)
    [batch] = await h.batches()
    assert (batch.state, batch.processed) == ("done", 3)


async def test_requests_end_by_the_clock_of_the_test(h: Harness) -> None:
    slow, timeout = {"delayMs": 60_000}, timedelta(seconds=5)
    for data in (slow, {}):
        await h.app.create_with_timeout(data, timeout=timeout)
    await h.advance(minutes=2)
    ended = [(request.state, request.completed_at) for request in await h.requests()]
    assert ended == [("completed", START), ("timeout", START + timeout)]


async def test_rate_limits_hold_by_the_clock_of_the_test(h: Harness) -> None:
    for name in ("first", "second", "third"):
        await h.app.schedule(shop.call_slowly, {"name": name})
    await h.run_due()
    assert shop.calls == ["first 01 00:00:00"]
    await h.advance(minutes=2)
    assert shop.calls[1:] == ["second 01 00:01:00", "third 01 00:02:00"]


async def test_jobs_of_one_time_run_one_by_one_by_priority_and_age(h: Harness) -> None:
    for to in ("old", "new"):
        await h.app.schedule(shop.send_email, {"to": to})
    await h.app.schedule(shop.send_email, {"to": "urgent"}, priority=9, queue="mail")
    await h.run_due()
    assert [call.split()[0] for call in shop.calls] == ["urgent", "old", "new"]


async def test_a_paused_queue_holds_its_jobs_until_it_is_resumed(h: Harness) -> None:
    await h.app.pause_queue("mail")
    await h.app.schedule(shop.send_email, queue="mail")
    await h.app.schedule(shop.send_email, {"to": "bob"})
    await h.advance(hours=1)
    assert shop.calls == ["bob 01 00:00:00"]
    await h.app.resume_queue("mail")
    await h.run_due()
    assert shop.calls[1:] == ["ada 01 01:00:00"]


async def test_a_job_that_another_one_cancels_does_not_run(h: Harness) -> None:
    later = await h.app.schedule(shop.send_email, run_after=timedelta(hours=1))
    await h.app.schedule(shop.cancel, {"job_id": later.id})
    await h.advance(hours=2)
    assert shop.calls == []
    assert [job.id for job in await h.jobs(shop.send_email, "canceled")] == [later.id]


async def test_a_job_that_schedules_itself_for_the_same_time_is_reported(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.testing.due_runner.MAX_RUNS_AT_ONE_TIME", 20)
    await h.app.schedule(shop.run_again)
    with pytest.raises(RuntimeError, match=r"shop\.runAgain: does it schedule itself"):
        await h.run_due()


async def test_jobs_are_found_by_function_state_and_owner(h: Harness) -> None:
    await h.app.schedule(shop.place_order, {"reader": "bob"}, owner="bob")
    await h.app.schedule(shop.count_orders)
    await h.run_due()
    assert [job.result for job in await h.jobs(shop.count_orders)] == [1]
    assert [job.function_name for job in await h.jobs(state="pending")] == ["shop.sendEmail"]
    assert len(await h.jobs(owner="bob")) == 2
    assert await h.jobs("shop.draw") == []


async def test_changes_are_what_a_subscriber_would_have_received(h: Harness) -> None:
    h.fail(shop.send_email, error=ValueError("smtp is down"))
    job = await h.app.schedule(shop.send_email, owner="ada")
    await h.advance(hours=1)
    await h.app.schedule(shop.send_email, owner="bob")
    messages = await h.changes(owner="ada")
    assert {message.id for message in messages} == {job.id}
    events = [message.event for message in messages if message.event]
    assert [(event.state, event.attempt, event.at) for event in events] == [
        ("pending", 0, START),
        ("inProgress", 1, START),
        ("pending", 1, START),
        ("inProgress", 2, START + timedelta(minutes=1)),
        ("success", 2, START + timedelta(minutes=1)),
    ]
    assert len(await h.changes()) == 6


async def test_other_clients_see_the_time_of_the_test(h: Harness) -> None:
    async with Ostinato.open(h.settings) as other:
        await h.advance(days=40)
        job = await other.schedule(shop.send_email, run_after=DAY)
        assert (await job.refresh()).scheduled_time == START + timedelta(days=41)
    await h.advance(days=1)
    assert len(shop.calls) == 1


async def test_ids_and_jitter_are_the_same_in_each_test(ostinato_settings: Settings) -> None:
    runs: list[object] = []
    for _ in range(2):
        async with Harness.open(ostinato_settings) as h:
            await h.app.schedule(shop.call_often)
            await h.app.register_cron(
                "jittery",
                every=timedelta(hours=1),
                jitter=timedelta(minutes=30),
                function=shop.draw,
                overlap=OverlapPolicy.ALLOW,
            )
            await h.advance(hours=5)
            jobs = await h.jobs(internal=None)
            runs.append([(job.id, [event.at for event in job.timeline]) for job in jobs])
    assert runs[0] == runs[1]


async def test_each_test_starts_empty(h: Harness, ostinato_settings: Settings) -> None:
    await h.app.schedule(shop.place_order, {"reader": "bob"})
    await h.run_due()
    async with Harness.open(ostinato_settings, start=START + DAY) as other:
        assert other.now == START + DAY
        assert await other.jobs() == []
        job = await other.app.schedule(shop.count_orders)
        await other.run_due()
        assert await job.result() == 0


@pytest.mark.parametrize(
    "names", [{"database": "shop"}, {"database": "latest"}, {"app_database": "contest"}]
)
async def test_a_database_that_is_not_for_tests_is_not_emptied(
    ostinato_settings: Settings, names: dict[str, str]
) -> None:
    real = ostinato_settings.model_copy(update=names)
    with pytest.raises(ValueError, match=f"'{min(names.values())}': this database would be empt"):
        async with Harness.open(real):
            pass


async def test_the_database_of_the_application_is_empty_in_each_test(
    ostinato_settings: Settings,
) -> None:
    update = {"app_database": f"{ostinato_settings.database}_app"}
    settings = ostinato_settings.model_copy(update=update)
    for _ in range(2):
        async with Harness.open(settings) as h:
            assert await h.app.engine.mongo.app_database["orders"].count_documents({}) == 0
            await h.app.schedule(shop.place_order, {"reader": "bob"})
            await h.run_due()
            assert await h.app.engine.mongo.app_database["orders"].count_documents({}) == 1


@pytest.mark.ostinato(concurrency=3)
async def test_jobs_of_one_time_run_at_once_if_a_test_asks_for_it(h: Harness) -> None:
    for _ in range(3):
        await h.app.schedule(shop.meet)
    await h.run_due()
    assert [job.result for job in await h.jobs(shop.meet)] == [3, 3, 3]
