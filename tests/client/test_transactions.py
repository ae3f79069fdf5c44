"""Jobs that are scheduled in a transaction of the application exist if and only if it commits."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pymongo.synchronous.collection import Collection

from ostinato import Call, Ostinato
from ostinato.jobs.embedded import start_servers
from ostinato.jobs.errors import BadRequest, Conflict, NotFound, QuotaExceeded
from ostinato.jobs.mongo.outbox import follow_external_inserts
from ostinato.jobs.settings import Settings
from ostinato.jobs.transactions.job_group import CallerSession
from tests.client.functions import double
from tests.client.sessions import Orders, Rollback, connected
from tests.engine.rig import run_worker
from tests.processes import eventually

WITHIN = timedelta(seconds=60)
HOUR = timedelta(hours=1)
DRIVERS = ("motor", "async", "sync")
TIMES = 100


@pytest.fixture(params=DRIVERS)
async def orders(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Orders]:
    async with connected(request.param, settings.mongo_url) as client:
        yield Orders(client, settings.database)


async def numbers_of_jobs(app: Ostinato) -> list[Any]:
    return [job.args["number"] for job in (await app.jobs(first=1_000)).items]


async def test_jobs_exist_if_and_only_if_the_transaction_commits(
    app: Ostinato, orders: Orders
) -> None:
    for number in range(TIMES):
        async with orders.transaction() as session:
            await app.schedule(double, {"number": number}, session=session)
        with suppress(Rollback):
            async with orders.transaction() as session:
                await app.schedule(double, {"number": -number}, session=session)
                raise Rollback
    assert sorted(await numbers_of_jobs(app)) == list(range(TIMES))
    assert await app.engine.mongo["orders"].count_documents({}) == TIMES


async def test_many_jobs_are_part_of_the_transaction(app: Ostinato, orders: Orders) -> None:
    calls = [Call(double, {"number": number}, key=f"k{number}") for number in range(10)]
    async with orders.transaction() as session:
        handles = await app.schedule_many(calls, session=session)
        assert await numbers_of_jobs(app) == []
        with pytest.raises(NotFound):
            await app.get(handles[0].id)
    assert [(await app.get(each.id)).args["number"] for each in handles] == list(range(10))


async def test_job_runs_after_the_commit(app: Ostinato, orders: Orders, worker: None) -> None:
    async with orders.transaction() as session:
        handle = await app.schedule(double, {"number": 21}, session=session)
    assert await handle.result(WITHIN) == 42


class SlowInsert:
    """An insert of PyMongo that waits until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started, self.may_go_on = threading.Event(), threading.Event()
        self.has_ended = False
        insert_many = Collection.insert_many

        def insert_slowly(*args: Any, **options: Any) -> Any:
            self.started.set()
            assert self.may_go_on.wait(60)
            inserted = insert_many(*args, **options)
            self.has_ended = True
            return inserted

        monkeypatch.setattr(Collection, "insert_many", insert_slowly)

    async def cancel_meanwhile(self, call: asyncio.Task[None]) -> None:
        """Cancel a call repeatedly, during its insert."""
        assert await asyncio.to_thread(self.started.wait, 60)
        for _ in range(5):
            call.cancel()
            await asyncio.wait({call}, timeout=0)
        self.may_go_on.set()


async def test_canceled_call_does_not_use_the_session_afterwards(
    app: Ostinato, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = SlowInsert(monkeypatch)

    async def schedule(orders: Orders) -> None:
        async with orders.transaction() as session:
            with pytest.raises(asyncio.CancelledError):
                await app.schedule(double, {"number": 1}, session=session)
            assert insert.has_ended
            raise Rollback

    async with connected("sync", settings.mongo_url) as client:
        call = asyncio.create_task(schedule(Orders(client, settings.database)))
        await insert.cancel_meanwhile(call)
        with pytest.raises(Rollback):
            await call
    assert await numbers_of_jobs(app) == []


async def test_used_key_returns_the_existing_job_and_keeps_the_transaction(
    app: Ostinato, orders: Orders
) -> None:
    first = await app.schedule(double, {"number": 1}, key="k", owner="alice")
    async with orders.transaction() as session:
        again = await app.schedule(double, {"number": 1}, key="k", owner="alice", session=session)
        with pytest.raises(Conflict, match="'k' was already used"):
            await app.schedule(double, {"number": 2}, key="k", owner="alice", session=session)
        await app.schedule(double, {"number": 3}, session=session)
    assert again.id == first.id
    assert sorted(await numbers_of_jobs(app)) == [1, 3]


async def test_of_two_open_transactions_with_one_key_one_commits(
    app: Ostinato, orders: Orders
) -> None:
    async with orders.transaction() as first:
        await app.schedule(double, {"number": 1}, key="k", session=first)
        with pytest.raises(OperationFailure) as raised:
            async with orders.transaction() as second:
                await app.schedule(double, {"number": 1}, key="k", session=second)
    assert raised.value.has_error_label("TransientTransactionError")
    assert await numbers_of_jobs(app) == [1]


async def test_session_without_a_transaction_is_refused(app: Ostinato, settings: Settings) -> None:
    with (
        MongoClient[dict[str, Any]](settings.mongo_url) as client,
        client.start_session() as session,
    ):
        with pytest.raises(BadRequest, match="session is not in a transaction"):
            await app.schedule(double, {"number": 1}, session=session)
        session.end_session()
        with pytest.raises(BadRequest, match="session has ended"):
            await app.schedule(double, {"number": 1}, session=session)
    with pytest.raises(BadRequest, match="must be a session of Motor or PyMongo, got str"):
        await app.schedule(double, {"number": 1}, session=cast("CallerSession", "s"))


@pytest.fixture
async def other_deployment(tmp_path: Path) -> AsyncIterator[str]:
    """Return the URL of another MongoDB deployment."""
    other = await start_servers(tmp_path)
    yield other.mongo_url
    await other.stop()


async def schedule_in(app: Ostinato, orders: Orders) -> None:
    async with orders.transaction() as session:
        await app.schedule(double, {"number": 1}, session=session)


async def test_session_of_another_deployment_is_refused(
    app: Ostinato, other_deployment: str
) -> None:
    for driver in DRIVERS:
        async with connected(driver, other_deployment) as client:
            with pytest.raises(BadRequest, match="is of another MongoDB deployment") as raised:
                await schedule_in(app, Orders(client, "test"))
        assert raised.value.issues[0].path == ("session",)


async def test_quota_holds_in_a_transaction(client_settings: Settings) -> None:
    limited = client_settings.model_copy(update={"quota_pending_jobs": 1})
    async with (
        Ostinato.open(limited) as app,
        connected("motor", limited.mongo_url) as client,
        Orders(client, limited.database).transaction() as session,
    ):
        later = Call(double, {"number": 1}, owner="alice", run_after=HOUR)
        await app.schedule_many([later])
        with pytest.raises(QuotaExceeded):
            await app.schedule_many([later], session=session)


async def test_repeated_key_is_answered_at_the_quota(
    client_settings: Settings, orders: Orders
) -> None:
    limited = client_settings.model_copy(update={"quota_pending_jobs": 2})
    a, b = (Call(double, {"number": 1}, owner="alice", run_after=HOUR, key=key) for key in "ab")
    async with Ostinato.open(limited) as app:
        (first,) = await app.schedule_many([a])
        async with orders.transaction() as session:
            (second,) = await app.schedule_many([b], session=session)
            again = await app.schedule_many([a, b], session=session)
        assert [each.id for each in again] == [first.id, second.id]
        assert len((await app.jobs()).items) == 2


async def test_job_starts_after_the_commit_without_redis_and_without_a_poll(
    app_without_redis: Ostinato,
    orders: Orders,
    client_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ostinato.jobs.dispatch.dispatcher.POLL_INTERVAL_S", 600.0)
    app = app_without_redis
    async with run_worker(client_settings):
        async with orders.transaction() as session:
            first = await app.schedule(double, {"number": 1}, session=session)
        assert await first.result(WITHIN) == 2
        async with orders.transaction() as session:
            second = await app.schedule(double, {"number": 2}, session=session)
        assert await second.result(WITHIN) == 4


@pytest.mark.parametrize("is_busy", [False, True])
async def test_only_commits_of_applications_are_followed(
    app: Ostinato, settings: Settings, is_busy: bool
) -> None:
    seen: list[None] = []
    following = asyncio.create_task(
        follow_external_inserts(
            app.engine.mongo, lambda: seen.append(None), lambda: None, lambda: is_busy
        )
    )
    await eventually(lambda: seen)  # the call at the start
    await app.schedule_many([Call(double, {"number": 1})] * 10)
    await app.schedule(double, {"number": 1})
    async with connected("motor", settings.mongo_url) as client:
        await schedule_in(app, Orders(client, settings.database))
    await eventually(lambda: len(seen) > 1)
    assert len(seen) == 2
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
