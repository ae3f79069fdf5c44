"""The Python client schedules jobs and returns their results."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from ostinato import Call, JobCanceled, JobFailed, Ostinato
from ostinato.jobs.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    OwnerSuspended,
    PayloadTooLarge,
    QuotaExceeded,
)
from ostinato.jobs.records import CauseKind, JobState
from ostinato.jobs.settings import Settings
from tests.client.functions import Color, add_note, clean_up, close_books, double
from tests.engine.functions import echo, fail_with
from tests.processes import Processes, eventually

HOUR = timedelta(hours=1)
WITHIN = timedelta(seconds=60)
WORKER_ONLY = "tests.client.worker_functions"


async def test_result_is_that_of_the_function(app: Ostinato, worker: None) -> None:
    handle = await app.schedule(double, {"number": 21})
    assert await handle.result(WITHIN) == 42
    assert (await handle.refresh()).state is JobState.SUCCESS


async def test_result_has_the_type_that_the_function_returns(app: Ostinato, worker: None) -> None:
    handle = await app.schedule(add_note, {"text": "hello"})
    text, color, at = await handle.result(WITHIN)
    assert (text, color, at.tzinfo) == ("hello", Color.RED, UTC)


async def test_without_redis_jobs_run_and_end(app_without_redis: Ostinato, worker: None) -> None:
    handles = await app_without_redis.schedule_many(
        [Call(double, {"number": 1}), Call(double, {"number": 2})]
    )
    assert [await each.result(WITHIN) for each in handles] == [2, 4]
    assert await (await app_without_redis.schedule(double, {"number": 3})).result(WITHIN) == 6


async def test_job_of_no_owner_belongs_to_the_system(app: Ostinato) -> None:
    job = (await app.schedule(double, {"number": 1})).job
    assert (job.owner, job.cause.kind, job.state) == (None, CauseKind.APPLICATION, "pending")


async def test_options_are_stored(app: Ostinato) -> None:
    handle = await app.schedule(
        double,
        {"number": 1},
        run_after=HOUR,
        owner="alice",
        key="k",
        queue="mail",
        priority=3,
        timeout=timedelta(seconds=2),
    )
    job = await handle.refresh()
    assert (job.owner, job.key, job.queue, job.priority) == ("alice", "k", "mail", 3)
    assert job.timeout_ms == 2_000
    assert HOUR - timedelta(minutes=1) < job.scheduled_time - job.created_at <= HOUR


async def test_run_at_is_the_due_time(app: Ostinato) -> None:
    at = datetime(2030, 1, 31, 12, tzinfo=UTC)
    assert (await app.schedule(double, {"number": 1}, run_at=at)).job.scheduled_time == at


async def test_wrong_option_of_open_is_named(client_settings: Settings) -> None:
    for settings in (None, client_settings):
        with pytest.raises(BadRequest, match="databse is not an option: use mongo_url, redis_url"):
            await Ostinato.open(settings, databse="shop").__aenter__()  # type: ignore[call-arg]
        with pytest.raises(ValidationError, match="database\n"):
            await Ostinato.open(settings, database="a b").__aenter__()
        with pytest.raises(ValidationError, match="functions") as raised:
            await Ostinato.open(settings, functions=5, mongo_url=6).__aenter__()  # type: ignore[arg-type]
        assert {each["loc"] for each in raised.value.errors()} == {("functions",), ("mongo_url",)}


WRONG_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "naive time": ({"run_at": datetime(2030, 1, 1)}, "run_at must be an aware datetime"),  # noqa: DTZ001
    "time beyond the calendar": (
        {"run_at": datetime(1, 1, 1, tzinfo=timezone(HOUR))},
        "run_at must be an aware datetime",
    ),
    "two times": (
        {"run_at": datetime(2030, 1, 1, tzinfo=UTC), "run_after": HOUR},
        "mutually exclusive",
    ),
    "negative delay": ({"run_after": -HOUR}, "run_after must be a timedelta from 0"),
    "number of seconds": ({"run_after": 5}, "run_after must be a timedelta"),
    "too far": ({"run_after": timedelta(days=3_000)}, "five years, got"),
    "empty key": ({"key": ""}, "key must be 1 to 200 characters, got ''"),
    "NUL in key": ({"key": "a\0"}, "key must not contain the NUL character"),
    "queue": ({"queue": "A B"}, "queue must match"),
    "priority": ({"priority": 10}, "priority must be"),
    "timeout as a number": ({"timeout": 5}, "timeout must be a timedelta of at most a day, got 5"),
    "timeout of zero": ({"timeout": timedelta(0)}, "timeout must be"),
    "owner": ({"owner": ""}, "owner must be None or 1 to 255 characters, got ''"),
    "no option": ({"delay": 5}, "delay is not an option: use run_after"),
}


@pytest.mark.parametrize("case", WRONG_OPTIONS)
async def test_wrong_option_is_named(app: Ostinato, case: str) -> None:
    options, message = WRONG_OPTIONS[case]
    with pytest.raises(BadRequest, match=message) as raised:
        await app.schedule(double, {"number": 1}, **options)
    assert [issue.path for issue in raised.value.issues] == [(message.partition(" ")[0],)] or (
        case in {"two times", "too far"}
    )


async def test_wrong_argument_is_refused(app: Ostinato) -> None:
    with pytest.raises(BadRequest, match="number"):
        await app.schedule(double, {"number": "many"})
    assert (await app.jobs()).items == ()


async def test_repeated_key_returns_the_same_job(app: Ostinato) -> None:
    first = await app.schedule(double, {"number": 1}, owner="alice", key="k")
    again = await app.schedule(double, {"number": 1}, owner="alice", key="k")
    other = await app.schedule(double, {"number": 1}, owner="bob", key="k")
    assert first.id == again.id != other.id
    with pytest.raises(Conflict, match="'k' was already used"):
        await app.schedule(double, {"number": 2}, owner="alice", key="k")


async def test_result_of_a_failed_job_is_its_error(app: Ostinato, worker: None) -> None:
    handle = await app.schedule(fail_with, {"message": "no stamps"})
    with pytest.raises(JobFailed, match="ValueError: no stamps") as raised:
        await handle.result(WITHIN)
    assert (raised.value.error.name, raised.value.job.id) == ("ValueError", handle.id)


@pytest.fixture
def retry_after_first_wait(app: Ostinato, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry a job between the first wait for its end and the read of its result."""
    wait, waited = app.ends.wait, list[str]()

    async def wait_and_retry_once(job_id: str) -> None:
        await wait(job_id)
        waited.append(job_id)
        if len(waited) == 1:
            await app.retry(job_id)

    monkeypatch.setattr(app.ends, "wait", wait_and_retry_once)


@pytest.mark.usefixtures("retry_after_first_wait")
async def test_result_waits_for_a_job_that_is_retried_while_it_is_read(app: Ostinato) -> None:
    handle = await app.schedule(double, {"number": 1}, run_after=HOUR)
    await handle.cancel()
    with pytest.raises(TimeoutError):
        await handle.result(0.5)
    await handle.cancel()
    with pytest.raises(JobCanceled):
        await handle.result(WITHIN)


async def test_result_of_a_canceled_job_is_an_error(app: Ostinato) -> None:
    handle = await app.schedule(double, {"number": 1}, run_after=HOUR)
    await handle.cancel()
    with pytest.raises(JobCanceled, match=handle.id):
        await handle.result(WITHIN)


async def test_result_times_out(app: Ostinato) -> None:
    handle = await app.schedule(double, {"number": 1}, run_after=HOUR)
    with pytest.raises(TimeoutError, match=f"{handle.id} has not ended within 0.05 s"):
        await handle.result(0.05)


async def test_result_of_a_purged_job_is_not_found(app: Ostinato) -> None:
    handle = await app.schedule(double, {"number": 1}, run_after=HOUR)
    await app.engine.mongo["jobs"].delete_one({"_id": handle.id})
    with pytest.raises(NotFound):
        await handle.result(WITHIN)


async def test_many_jobs_are_scheduled_in_order(app: Ostinato, worker: None) -> None:
    calls = [Call(double, {"number": n}, key=f"k{n}") for n in range(1_000)]
    handles = await app.schedule_many(calls)
    assert [each.job.args["number"] for each in handles] == list(range(1_000))
    again = await app.schedule_many(calls[:2])
    assert [each.id for each in again] == [each.id for each in handles[:2]]
    assert await handles[-1].result(WITHIN) == 1_998


@pytest.mark.parametrize(
    "wrong", [Call(double, {"number": "x"}), Call(double, {"number": 2}, key="used")]
)
async def test_if_one_of_many_is_wrong_none_is_scheduled(app: Ostinato, wrong: Call) -> None:
    await app.schedule(double, {"number": 1}, key="used")
    with pytest.raises((BadRequest, Conflict)):
        await app.schedule_many([Call(double, {"number": 1}), wrong])
    assert len((await app.jobs()).items) == 1


async def test_equal_calls_with_one_key_are_one_job(app: Ostinato) -> None:
    calls = [Call(echo, {"value": {"$ref": 1, "$$ref": 2}}, key="k")] * 2
    first, second = await app.schedule_many(calls)
    assert first.id == second.id
    assert len((await app.jobs()).items) == 1


async def test_many_are_limited(app: Ostinato) -> None:
    with pytest.raises(BadRequest, match="1 to 1,000 jobs, got 1,001"):
        await app.schedule_many([Call(double, {"number": 1})] * 1_001)
    with pytest.raises(BadRequest, match="got 0"):
        await app.schedule_many([])
    with pytest.raises(PayloadTooLarge, match="8,388,608 bytes"):
        await app.schedule_many([Call(echo, {"value": "x" * 60_000})] * 200)


async def test_internal_function_makes_an_internal_job(app: Ostinato) -> None:
    assert (await app.schedule(clean_up)).job.internal


@pytest.mark.parametrize("owner", [None, "alice"])
async def test_function_of_ostinato_itself_is_refused(app: Ostinato, owner: str | None) -> None:
    name, args = "owners.purge", {"ownerId": "bob"}
    for calls in ([Call(name, args, owner=owner)], [Call(name, args, owner=owner)] * 2):
        with pytest.raises(BadRequest, match=r"owners\.purge is a part of Ostinato"):
            await app.schedule_many(calls)
    with pytest.raises(Forbidden):
        await app.register_cron("x", function=name, args=args, owner=owner, every=HOUR)
    assert await app.engine.mongo["jobs"].count_documents({}) == 0


async def test_owner_without_the_role_gets_the_job_of_the_application(
    app: Ostinato, worker: None
) -> None:
    await app.engine.owners.record_roles("alice", frozenset(), datetime.now(UTC))
    handle = await app.schedule(close_books, owner="alice")
    assert await handle.result(WITHIN) == "alice"


async def test_suspended_owner_gets_no_job(app: Ostinato) -> None:
    await app.engine.mongo["owners"].insert_one({"_id": "eve", "suspendedAt": datetime.now(UTC)})
    await app.engine.owners.refresh()
    with pytest.raises(OwnerSuspended):
        await app.schedule(double, {"number": 1}, owner="eve")
    with pytest.raises(OwnerSuspended):
        await app.schedule_many([Call(double, {"number": 1}, owner="eve")])


async def test_quota_of_the_owner_holds(client_settings: Settings) -> None:
    limited = client_settings.model_copy(update={"quota_pending_jobs": 2})
    async with Ostinato.open(limited) as app:
        later = Call(double, {"number": 1}, owner="alice", run_after=HOUR)
        await app.schedule_many([later, later])
        with pytest.raises(QuotaExceeded):
            await app.schedule_many([later])
        await app.schedule_many([Call(double, {"number": 1})] * 3)


async def test_jobs_by_name_get_the_retry_policy_of_the_worker(
    app: Ostinato, processes: Processes
) -> None:
    handle = await app.schedule("worker_functions.failTwice", {"text": "at last"}, queue="q")
    assert handle.job.max_attempts == 1
    processes.worker(functions=(WORKER_ONLY,), queues=("q",))
    assert await handle.result(WITHIN) == "at last"
    assert (await handle.refresh()).max_attempts == 3


async def test_jobs_by_name_obey_the_limits_of_the_function(
    app: Ostinato, processes: Processes
) -> None:
    name = "worker_functions.onceAnHour"
    handles = await app.schedule_many([Call(name, queue="q"), Call(name, queue="q")])
    processes.worker(functions=(WORKER_ONLY,), queues=("q",))
    waits = [asyncio.create_task(each.result(WITHIN)) for each in handles]
    done, waiting = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    assert [each.result() for each in done] == [1]

    async def moved() -> bool:
        pending = {"lane": {"$regex": "^q/worker_functions.onceAnHour"}, "state": "pending"}
        return await app.engine.mongo["jobs"].find_one(pending) is not None

    assert await eventually(moved)
    for each in waiting:
        each.cancel()


async def test_job_by_name_with_wrong_arguments_fails(app: Ostinato, processes: Processes) -> None:
    handle = await app.schedule("worker_functions.onceAnHour", {"text": 1}, queue="q")
    processes.worker(functions=(WORKER_ONLY,), queues=("q",))
    with pytest.raises(JobFailed, match="there is no argument 'text'"):
        await handle.result(WITHIN)


async def test_job_of_a_function_that_no_worker_knows_fails(app: Ostinato, worker: None) -> None:
    handle = await app.schedule("nowhere.toBeFound", {"text": 1}, owner="alice")
    with pytest.raises(JobFailed, match=r"'nowhere\.toBeFound' is not registered on this worker"):
        await handle.result(WITHIN)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("", "module.camelName"),
        ("echo", "module.echo"),
        ("a.b.c", "b.c"),
        ("x" * 300, "module.camelName"),
    ],
)
async def test_name_that_no_function_can_have_is_rejected_with_a_suggestion(
    app: Ostinato, name: str, suggestion: str
) -> None:
    with pytest.raises(BadRequest, match=f"is not the name of a function: write '{suggestion}'$"):
        await app.schedule(name)


async def test_arguments_of_a_job_by_name_must_be_json(app: Ostinato) -> None:
    with pytest.raises(BadRequest, match=r"args\.x has type object"):
        await app.schedule("nowhere.toBeFound", {"x": object()})
    with pytest.raises(BadRequest, match="65,536 bytes"):
        await app.schedule("nowhere.toBeFound", {"x": "y" * 70_000})
