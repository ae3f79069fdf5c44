"""The blocking client schedules and reads jobs from any thread, also in a transaction."""

import asyncio
import inspect
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any, assert_type

import pytest
from pymongo import MongoClient
from pymongo.synchronous.collection import Collection

from ostinato import Call, JobFailed, Ostinato, sync
from ostinato.jobs.bulk_actions import BulkAction, BulkActionState
from ostinato.jobs.errors import BadRequest, Conflict, NotFound, QuotaExceeded
from ostinato.jobs.filters import FailureFilter, JobFilter
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.records import Cron, JobState, Json
from ostinato.jobs.settings import Settings
from ostinato.resolvers.live.messages import ChangeKind
from ostinato.sync import LoopThread
from tests.client.functions import double
from tests.client.sessions import Rollback
from tests.engine.functions import fail_with
from tests.processes import eventually

HOUR = timedelta(hours=1)
WITHIN = timedelta(seconds=60)
TIMES = 100
Client = MongoClient[dict[str, Any]]

Scenario = Callable[[sync.Ostinato], None]
InThread = Callable[[Scenario], Any]


@pytest.fixture
async def in_thread(client_settings: Settings) -> AsyncIterator[InThread]:
    """Return a function that runs a scenario with a blocking client, in another thread."""
    opened = sync.Ostinato.open(client_settings)
    app = await asyncio.to_thread(opened.__enter__)
    yield lambda scenario: asyncio.to_thread(scenario, app)
    await asyncio.to_thread(opened.__exit__, None, None, None)


async def test_result_is_that_of_the_function(in_thread: InThread, worker: None) -> None:
    def scenario(app: sync.Ostinato) -> None:
        handle = app.schedule(double, {"number": 21}, owner="alice")
        assert_type(handle, sync.BlockingJobHandle[int])
        assert handle.result(WITHIN) == 42
        assert app.get(handle.id, owner="alice").state is JobState.SUCCESS
        with pytest.raises(NotFound):
            app.get(handle.id, owner="bob")
        with pytest.raises(JobFailed, match="no stamps"):
            app.schedule(fail_with, {"message": "no stamps"}).result(WITHIN)

    await in_thread(scenario)


async def test_jobs_are_read_canceled_and_retried(in_thread: InThread) -> None:
    def scenario(app: sync.Ostinato) -> None:
        first, second = app.schedule_many([Call(double, {"number": n}) for n in (1, 2)])
        assert first.cancel().state is JobState.CANCELED
        assert app.cancel(second.id).state is JobState.CANCELED
        assert app.retry(first.id).state is JobState.PENDING
        assert second.retry().state is second.refresh().state is JobState.PENDING
        assert [job.id for job in app.jobs().items] == [second.id, first.id]
        by_name = app.schedule("functions.double", {"number": 1}, run_after=HOUR)
        assert_type(by_name, sync.BlockingJobHandle[Json])
        with pytest.raises(TimeoutError):
            app.handle(by_name.job).result(0.05)

    await in_thread(scenario)


def verbs_of(client: type) -> dict[str, Any]:
    """Return the verbs of the asynchronous client by name."""
    verbs = {name: getattr(client, name) for name in dir(client) if not name.startswith("_")}
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    return {name: verb for name, verb in verbs.items() if any(is_kind(verb) for is_kind in kinds)}


@pytest.mark.parametrize("name", verbs_of(Ostinato).keys() - {"following", "mutate", "prepare"})
def test_each_verb_has_a_blocking_form_with_the_same_parameters(name: str) -> None:
    verb, blocking = getattr(Ostinato, name), getattr(sync.Ostinato, name)
    assert not inspect.iscoroutinefunction(blocking)
    parameters = [list(inspect.signature(each).parameters) for each in (verb, blocking)]
    assert parameters[0] == parameters[1]
    assert blocking.__doc__
    if name not in ("schedule", "schedule_many"):  # they return blocking handles
        assert blocking.__wrapped__ is verb


async def test_bulk_actions_change_jobs_and_failures(in_thread: InThread, worker: None) -> None:
    def scenario(app: sync.Ostinato) -> None:
        later = [app.schedule(double, {"number": n}, run_after=HOUR, tags=["a"]) for n in (1, 2)]
        which = JobFilter(tags=("a",))
        expect_end(app, app.reschedule_jobs(which, run_after=2 * HOUR), {"rescheduled": 2})
        assert {app.get(one.id).version for one in later} == {2}
        expect_end(app, app.cancel_jobs(which), {"canceled": 2})
        expect_end(app, app.retry_jobs(which), {"retried": 2})
        with pytest.raises(JobFailed):
            app.schedule(fail_with, {"message": "order 7"}).result(WITHIN)
        (group,) = app.failure_groups().items
        similar = FailureFilter(function_name=group.function_name, fingerprint=group.fingerprint)
        expect_end(app, app.retry_failures(similar), {"retried": 1})

    await in_thread(scenario)


def expect_end(app: sync.Ostinato, action: BulkAction, outcomes: dict[str, int]) -> None:
    """Wait for the end of a bulk action, and compare its outcomes."""
    deadline = time.monotonic() + WITHIN.total_seconds()
    while (found := app.bulk_action(action.id)).state is BulkActionState.RUNNING:
        assert time.monotonic() < deadline
    assert {each.outcome: each.count for each in found.outcomes} == outcomes


async def test_a_group_of_failures_is_resolved_and_followed(
    in_thread: InThread, worker: None
) -> None:
    def scenario(app: sync.Ostinato) -> None:
        with closing(app.failure_changes(snapshot=True)) as messages:
            assert next(messages).kind is ChangeKind.READY
            with pytest.raises(JobFailed):
                app.schedule(fail_with, {"message": "order 7"}).result(WITHIN)
            changed = next(messages)
            expect_end(app, app.resolve_failures(FailureFilter()), {"resolved": 1})
            assert (next(messages).kind, changed.kind) == (ChangeKind.LEFT, ChangeKind.CHANGED)
        assert app.failures().items == ()
        (resolved,) = app.failures(FailureFilter(states=None)).items
        assert resolved.resolved_at is not None

    await in_thread(scenario)


async def test_crons_are_changed_without_async(in_thread: InThread) -> None:
    def scenario(app: sync.Ostinato) -> None:
        cron = app.register_cron("hourly", every=HOUR)
        assert_type(cron, Cron)
        assert not app.pause_cron(cron.id).enabled
        assert app.run(app.app.cron(cron.id)).version == 2

    await in_thread(scenario)


def schedule_in_transaction(app: sync.Ostinato, client: Client, number: int) -> None:
    """Schedule a job in a transaction; a negative number rolls it back."""
    with client.start_session() as session, session.start_transaction():
        app.schedule(double, {"number": number}, session=session)
        if number < 0:
            raise Rollback


async def test_jobs_exist_if_and_only_if_the_transaction_commits(
    in_thread: InThread, settings: Settings
) -> None:
    def scenario(app: sync.Ostinato) -> None:
        with Client(settings.mongo_url) as client:
            for number in range(TIMES):
                schedule_in_transaction(app, client, number)
                with pytest.raises(Rollback):
                    schedule_in_transaction(app, client, -1 - number)
        numbers = {job.args["number"] for job in app.jobs(first=1_000).items}
        assert numbers == set(range(TIMES))

    await in_thread(scenario)


async def test_job_is_inserted_in_the_calling_thread(
    in_thread: InThread, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    insert_many = Collection.insert_many

    def noted(*args: Any, **options: Any) -> Any:
        threads.append(threading.get_ident())
        return insert_many(*args, **options)

    def scenario(app: sync.Ostinato) -> None:
        with Client(settings.mongo_url) as client:
            schedule_in_transaction(app, client, 1)
        assert threads == [threading.get_ident()]

    monkeypatch.setattr(Collection, "insert_many", noted)
    await in_thread(scenario)


async def test_with_transaction_repeats_the_loser_of_a_key(
    in_thread: InThread, settings: Settings
) -> None:
    def scenario(app: sync.Ostinato) -> None:
        def schedule(_: int) -> str:
            with Client(settings.mongo_url) as client, client.start_session() as session:
                return session.with_transaction(
                    lambda s: app.schedule(double, {"number": 1}, key="k", session=s).id
                )

        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(schedule, range(16)))) == 1
        with pytest.raises(Conflict):
            app.schedule(double, {"number": 2}, key="k")

    await in_thread(scenario)


async def test_repeated_key_is_answered_at_the_quota(client_settings: Settings) -> None:
    limited = client_settings.model_copy(update={"quota_pending_jobs": 1})
    a, b = (Call(double, {"number": 1}, owner="alice", run_after=HOUR, key=key) for key in "ab")

    def scenario() -> None:
        with sync.Ostinato.open(limited) as app, Client(limited.mongo_url) as client:
            (first,) = app.schedule_many([a])
            with client.start_session() as session, session.start_transaction():
                assert app.schedule_many([a], session=session)[0].id == first.id
                with pytest.raises(QuotaExceeded):
                    app.schedule_many([a, b], session=session)
            app.cancel(first.id)

    await asyncio.to_thread(scenario)


async def test_room_of_a_group_is_released_from_the_calling_thread(
    in_thread: InThread, settings: Settings
) -> None:
    def scenario(app: sync.Ostinato) -> None:
        later = Call(double, {"number": 1}, owner="alice", run_after=HOUR)
        with (
            Client(settings.mongo_url) as client,
            client.start_session() as session,
            session.start_transaction(),
        ):
            app.schedule_many([later] * 5, session=session)
        quotas = app.run(app.app.quotas("alice"))
        assert [q.used for q in quotas if q.kind is QuotaKind.PENDING_JOBS] == [5]

    await in_thread(scenario)


async def test_many_threads_share_a_client(in_thread: InThread, worker: None) -> None:
    def scenario(app: sync.Ostinato) -> None:
        with ThreadPoolExecutor(8) as threads:
            results = threads.map(
                lambda n: app.schedule(double, {"number": n}).result(WITHIN), range(40)
            )
            assert list(results) == [2 * n for n in range(40)]

    await in_thread(scenario)


async def test_thread_with_an_event_loop_is_refused(
    in_thread: InThread, client_settings: Settings
) -> None:
    with pytest.raises(RuntimeError, match=r"use ostinato\.Ostinato with `await`"):
        sync.Ostinato.open(client_settings).__enter__()


async def test_error_of_an_option_reaches_the_caller(in_thread: InThread) -> None:
    def scenario(app: sync.Ostinato) -> None:
        with pytest.raises(BadRequest, match="priority"):
            app.schedule(double, {"number": 1}, priority=10)

    await in_thread(scenario)


async def test_closed_client_leaves_no_thread(client_settings: Settings) -> None:
    def scenario() -> None:
        with sync.Ostinato.open(client_settings):
            assert "ostinato-client" in {each.name for each in threading.enumerate()}

    await asyncio.to_thread(scenario)
    assert "ostinato-client" not in {each.name for each in threading.enumerate()}


class Interrupted(BaseException):
    """Raised by a signal, as KeyboardInterrupt is."""


@pytest.fixture
def _interrupting() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("_interrupting")
def test_call_that_is_interrupted_is_canceled() -> None:
    canceled, thread, main = threading.Event(), LoopThread(), threading.get_ident()

    async def wait() -> None:
        await eventually(lambda: sys._current_frames()[main].f_code.co_name == "wait")
        signal.pthread_kill(main, signal.SIGUSR1)
        try:
            await asyncio.Event().wait()
        finally:
            canceled.set()

    with pytest.raises(Interrupted):
        thread.run(wait())
    assert canceled.wait(30)
    thread.close()
