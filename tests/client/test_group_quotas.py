"""Quotas of the groups of jobs that the Python client schedules in one transaction."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ostinato import Call, Ostinato
from ostinato.jobs.errors import QuotaExceeded
from ostinato.jobs.quotas import owner_quotas
from ostinato.jobs.settings import Settings
from tests.client.functions import double

pytestmark = pytest.mark.audit("quotas")

HOUR = timedelta(hours=1)


async def test_parallel_groups_do_not_exceed_the_quota(client_settings: Settings) -> None:
    limited = client_settings.model_copy(update={"quota_pending_jobs": 100})
    async with Ostinato.open(limited) as app:
        later = Call(double, {"number": 1}, owner="alice", run_after=HOUR)
        calls = (app.schedule_many([later] * 40) for _ in range(10))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert len([each for each in results if isinstance(each, QuotaExceeded)]) == 8
        assert len((await app.jobs(first=1_000)).items) == 80
        await app.schedule_many([later] * 20)


class RollingBack:
    """Lets a group roll back after another one has found no room because of it."""

    def __init__(self, app: Ostinato, calls: list[Call], patch: pytest.MonkeyPatch) -> None:
        self._app, self._calls, self._patch = app, calls, patch
        self._insert = app.engine.store.insert_in_transaction
        self._could_fit = app.engine.quotas.jobs.could_fit
        self._has_no_room = asyncio.Event()
        patch.setattr(app.engine.quotas.jobs, "could_fit", self._report)
        patch.setattr(app.engine.store, "insert_in_transaction", self._fail)

    def _report(self, *args: Any) -> bool:
        self._has_no_room.set()
        return self._could_fit(*args)

    async def _fail(self, *_: object) -> None:
        self._patch.setattr(self._app.engine.store, "insert_in_transaction", self._insert)
        self.other = asyncio.create_task(self._app.schedule_many(self._calls))
        await self._has_no_room.wait()
        raise RuntimeError("rolled back")


async def test_group_waits_for_room_that_another_one_may_give_up(
    client_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = client_settings.model_copy(update={"quota_pending_jobs": 100})
    async with Ostinato.open(limited) as app:
        calls = [Call(double, {"number": 1}, owner="alice", run_after=HOUR)] * 60
        rolling_back = RollingBack(app, calls, monkeypatch)
        with pytest.raises(RuntimeError, match="rolled back"):
            await app.schedule_many(calls)
        assert len(await rolling_back.other) == 60


async def test_group_counts_towards_the_quota_until_it_is_stored(
    client_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner_quotas, "CONTENDED_S", 0)
    limited = client_settings.model_copy(update={"quota_pending_jobs": 100})
    async with Ostinato.open(limited) as app:
        later = Call(double, {"number": 1}, owner="alice", run_after=HOUR)
        insert = app.engine.store.insert_in_transaction

        async def schedule_before_inserting(*args: Any) -> None:
            with pytest.raises(QuotaExceeded, match="have 60 pending jobs and asked for 60 more"):
                await app.schedule_many([later] * 60)
            await insert(*args)

        monkeypatch.setattr(app.engine.store, "insert_in_transaction", schedule_before_inserting)
        await app.schedule_many([later] * 60)


async def test_repeated_keys_are_answered_at_the_quota(client_settings: Settings) -> None:
    limited = client_settings.model_copy(update={"quota_pending_jobs": 3})
    async with Ostinato.open(limited) as app:
        a, b, c, d = (
            Call(double, {"number": 1}, owner="alice", run_after=HOUR, key=key) for key in "abcd"
        )
        first = await app.schedule_many([a, b])
        again = await app.schedule_many([a, b, a, c, c])
        assert [each.id for each in again[:3]] == [first[0].id, first[1].id, first[0].id]
        assert again[3].id == again[4].id
        with pytest.raises(QuotaExceeded):
            await app.schedule_many([a, d])
        assert [each.id for each in await app.schedule_many([c])] == [again[3].id]
