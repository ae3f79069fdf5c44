"""Quotas of pending jobs and stored bytes: admission, its cost and its slack."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from ostinato.jobs.context import Context
from ostinato.jobs.engine import Engine
from ostinato.jobs.errors import QuotaExceeded
from ostinato.jobs.quotas import allowances as allowances_module
from ostinato.jobs.quotas.allowances import AllowanceRules, Allowances
from ostinato.jobs.quotas.limits import QuotaKind
from ostinato.jobs.settings import Settings
from ostinato.jobs.transactions.transactor import ExecutionIdentity
from tests.engine.rig import Rig, run_worker
from tests.profiling import profiled

pytestmark = pytest.mark.audit("quotas")

HALF_AN_HOUR = timedelta(minutes=30)
OpenRig = Callable[..., AbstractAsyncContextManager[Rig]]


@pytest.fixture
def limited(fast_settings: Settings) -> OpenRig:
    """Return a function that opens an installation with the given quotas."""

    @asynccontextmanager
    async def open_rig(**quotas: int) -> AsyncIterator[Rig]:
        changes = {f"quota_{name}": limit for name, limit in quotas.items()}
        async with Engine.open(fast_settings.model_copy(update=changes)) as engine:
            yield Rig(engine)

    return open_rig


async def schedule_later(rig: Rig, value: object = "x") -> str:
    new = await rig.build_job("echo", {"value": value})
    return await rig.schedule_at(new, new.scheduled_time + HALF_AN_HOUR)


async def outcomes(rig: Rig, number: int) -> list[Any]:
    calls = (schedule_later(rig) for _ in range(number))
    return await asyncio.gather(*calls, return_exceptions=True)


async def used(rig: Rig, kind: QuotaKind) -> float:
    (quota,) = [each for each in await rig.engine.quotas.read("alice") if each.kind is kind]
    return quota.used


async def test_parallel_calls_of_one_process_do_not_exceed_the_quota(limited: OpenRig) -> None:
    async with limited(pending_jobs=10) as rig:
        results = await outcomes(rig, 20)
        rejected = [each for each in results if isinstance(each, QuotaExceeded)]
        assert len(await rig.all("jobs")) == len(results) - len(rejected) <= 10
        await rig.wait_until(lambda: _fills_up(rig, 10))
        with pytest.raises(QuotaExceeded, match="the limit is 10: wait until some have started"):
            await schedule_later(rig)


async def _is_full(rig: Rig, limit: int) -> bool:
    """Try to schedule one more job, and return whether there are as many as the quota allows."""
    await outcomes(rig, 1)
    return len(await rig.all("jobs")) >= limit


async def _fills_up(rig: Rig, limit: int) -> bool:
    await outcomes(rig, 1)
    return len(await rig.all("jobs")) == limit


async def test_each_process_exceeds_the_quota_by_at_most_one_share(limited: OpenRig) -> None:
    async with limited(pending_jobs=200) as first, limited(pending_jobs=200) as second:
        for _ in range(3):
            await asyncio.gather(outcomes(first, 100), outcomes(second, 100))
        for rig in (first, second):
            await rig.wait_until(partial(_is_full, rig, 200))
        assert len(await first.all("jobs")) <= 200 + 2 * (200 // 100)


async def test_quota_of_one_owner_does_not_affect_another(limited: OpenRig) -> None:
    async with limited(pending_jobs=1, stored_bytes=2_000) as rig:
        await outcomes(rig, 3)
        for owner in ("bob", None):
            await rig.engine.transact(owner, _schedule)


async def _schedule(ctx: Context) -> str:
    return await ctx.scheduler.run_after(0, "functions.echo", {"value": 1})


async def test_canceling_a_job_frees_its_room_within_seconds(limited: OpenRig) -> None:
    async with limited(pending_jobs=1) as rig:
        job_id = await schedule_later(rig)
        with pytest.raises(QuotaExceeded) as rejected:
            await schedule_later(rig)
        assert rejected.value.extensions == {
            "code": "QUOTA_EXCEEDED", "quota": "PENDING_JOBS", "used": 1, "limit": 1
        }  # fmt: skip
        await rig.cancel(job_id)
        await rig.wait_until(lambda: _fills_up(rig, 2))


async def test_repeated_key_is_answered_at_the_quota(limited: OpenRig) -> None:
    async with limited(pending_jobs=1) as rig:
        new = await rig.build_job("echo", {"value": 1})
        keyed = [{"key": "a"}, {"key": "a"}, {"key": "b"}]
        jobs = [await _schedule_keyed(rig, new, **each) for each in keyed]
        assert jobs[0] == jobs[1] is not None
        assert jobs[2] is None


async def _schedule_keyed(rig: Rig, new: Any, key: str) -> str | None:
    try:
        return (await rig.engine.schedule(replace(new, key=key))).id
    except QuotaExceeded:
        return None


async def test_retry_counts_as_a_pending_job(limited: OpenRig) -> None:
    async with limited(pending_jobs=1) as rig:
        canceled = await schedule_later(rig)
        await rig.cancel(canceled)
        await rig.wait_until(lambda: _fills_up(rig, 2))
        with pytest.raises(QuotaExceeded):
            await rig.engine.changes.retry(canceled)


async def test_retried_jobs_count_with_their_stored_size(limited: OpenRig) -> None:
    async with limited() as rig:
        canceled = [await schedule_later(rig, "x" * 40_000) for _ in range(4)]
        for job_id in canceled:
            await rig.cancel(job_id)
    async with limited(stored_bytes=100_000) as rig:
        for job_id in canceled[:2]:
            await rig.engine.changes.retry(job_id)
        with pytest.raises(QuotaExceeded) as rejected:
            await rig.engine.changes.retry(canceled[2])
        assert rejected.value.extensions["quota"] == "STORED_BYTES"


async def test_function_that_schedules_beyond_the_quota_fails_with_the_reason(
    limited: OpenRig,
) -> None:
    async with limited(pending_jobs=50) as rig, run_worker(rig.engine.settings):
        job = await rig.run("schedule_many", number=100)
        assert (job["state"], job["error"]["name"]) == ("failed", "QuotaExceeded")
        assert "you have 50 pending jobs and asked for 1 more" in job["error"]["message"]
        assert await rig.find_jobs("echo") == []


async def test_jobs_of_transactions_that_roll_back_take_no_room(limited: OpenRig) -> None:
    async with limited(pending_jobs=200) as rig:
        identity, run = ExecutionIdentity(owner="alice"), rig.engine.transactor.run
        calls = (run(identity, _schedule_30, timeout_ms=60_000) for _ in range(20))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in results if each is not None] == [QuotaExceeded] * 14
        assert len(await rig.all("jobs")) == 180


async def _schedule_30(ctx: Context) -> None:
    for _ in range(30):
        await ctx.scheduler.run_after(60_000, "functions.echo", {"value": 1})


async def test_stored_bytes_include_arguments_and_are_rejected_beyond_the_quota(
    limited: OpenRig,
) -> None:
    async with limited(stored_bytes=100_000) as rig:
        for _ in range(4):
            await schedule_later(rig, "x" * 20_000)
        with pytest.raises(QuotaExceeded, match="bytes of pending jobs") as rejected:
            await schedule_later(rig, "x" * 20_000)
        assert rejected.value.extensions["quota"] == "STORED_BYTES"
        await schedule_later(rig, "small")
        assert 80_000 < await used(rig, QuotaKind.STORED_BYTES) < 90_000


async def test_bytes_are_counted_as_stored_and_not_as_json(limited: OpenRig) -> None:
    async with limited(stored_bytes=100_000) as rig:
        await schedule_later(rig, [1] * 5_000)  # 10 kB of JSON, 49 kB stored
        await schedule_later(rig, [1] * 4_000)
        with pytest.raises(QuotaExceeded, match="bytes of pending jobs"):
            await schedule_later(rig, [1] * 4_000)
        assert 80_000 < await used(rig, QuotaKind.STORED_BYTES) < 100_000


async def test_far_from_the_quotas_scheduling_costs_no_read(limited: OpenRig) -> None:
    async with limited() as rig:
        await schedule_later(rig)
        async with profiled(rig.engine.mongo) as reads:
            await outcomes(rig, 20)
        assert [read for read in reads if read["op"] != "insert"] == []


async def test_pending_jobs_are_counted_with_an_index_up_to_the_limit(limited: OpenRig) -> None:
    async with limited(pending_jobs=0) as rig:
        await outcomes(rig, 30)
    async with limited(pending_jobs=10) as rig:
        async with profiled(rig.engine.mongo) as reads:
            assert await used(rig, QuotaKind.PENDING_JOBS) == 11
        (counted,) = [read for read in reads if "$limit" in str(read) and "jobs" in read["ns"]]
        assert (counted["keysExamined"], counted["docsExamined"]) == (11, 0)


async def _take_and_store(allowances: Allowances, owner: str, stored: Counter[str]) -> None:
    taken = await allowances.take(owner, 5)
    assert taken is not None
    taken.in_flight -= 5
    stored[owner] += 5


async def test_owner_who_was_forgotten_is_measured_before_a_share_is_granted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(allowances_module, "MAX_OWNERS", 1)
    stored = Counter[str]()

    async def measure(owner: str) -> int:
        return stored[owner]

    rules = AllowanceRules(kind=QuotaKind.PENDING_JOBS, share=0.5, max_age_s=3_600)
    allowances = Allowances(rules, 10, measure)
    for owner in ("ann", "bob") * 4:  # half of the limit each time, if nothing was measured
        with suppress(QuotaExceeded):
            await _take_and_store(allowances, owner, stored)
    assert stored == {"ann": 10, "bob": 10}


async def test_full_quota_is_counted_at_most_once_in_its_period() -> None:
    measured: list[str] = []

    async def measure(owner: str) -> int:
        measured.append(owner)
        return 300

    rules = AllowanceRules(kind=QuotaKind.PENDING_JOBS, share=0.01, max_age_s=3_600)
    allowances = Allowances(rules, 300, measure)
    for _ in range(3):
        await allowances.take("ann", 1)  # the share that is granted without a measurement
    for _ in range(5):
        with pytest.raises(QuotaExceeded):
            await allowances.take("ann", 1)
    assert measured == ["ann"]
