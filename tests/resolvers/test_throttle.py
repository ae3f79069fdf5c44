"""Rate limits: token buckets in a process, and what processes share through Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from ostinato.jobs.arq_queue.connection import close, connect
from ostinato.jobs.arq_queue.shared_buckets import BucketPolicy, SharedBuckets, Spending
from ostinato.jobs.embedded.process import free_port
from ostinato.jobs.embedded.servers import start_valkey
from ostinato.jobs.errors import TooManyRequests
from ostinato.jobs.settings import Settings
from ostinato.resolvers.throttle import (
    RETRY_S,
    Throttle,
    Throttles,
    TokenBucket,
    client_network,
    spend_alone,
)
from tests.processes import eventually

pytestmark = pytest.mark.audit("rates")

policies = st.builds(BucketPolicy, per_s=st.floats(0.001, 1_000), burst=st.integers(1, 1_000))


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def take_all(throttle: Throttle, holder: str, at_most: int = 10_000) -> int:
    """Take tokens until one is rejected; return how many there were."""
    for taken in range(at_most):
        try:
            throttle.take(holder)
        except TooManyRequests:
            return taken
    return at_most


@given(policies, st.lists(st.floats(0, 10), min_size=1, max_size=60))
def test_bucket_never_admits_more_than_its_burst_and_its_rate(
    policy: BucketPolicy, pauses: list[float]
) -> None:
    bucket, now, admitted = TokenBucket(policy), 0.0, 0
    for pause in pauses:
        now += pause
        for _ in range(policy.burst // 10 + 1):
            if not bucket.wait_s(now):
                bucket.take(now)
                admitted += 1
        assert admitted <= policy.burst + now * policy.per_s + 0.001


@given(policies, st.integers(0, 3_000))
def test_rejected_client_is_admitted_after_the_announced_time_and_not_before(
    policy: BucketPolicy, taken: int
) -> None:
    bucket = TokenBucket(policy)
    for _ in range(taken):
        bucket.take(0.0)
    wait_s = bucket.wait_s(0.0)
    assert (wait_s > 0) == (taken >= policy.burst)
    assert bucket.wait_s(wait_s) == 0
    assert wait_s == 0 or bucket.wait_s(wait_s * 0.99) > 0


@given(policies, st.integers(0, 100), st.integers(0, 100))
def test_reconciled_bucket_contains_what_other_processes_have_spent(
    policy: BucketPolicy, others: int, since: int
) -> None:
    bucket, all_of_it = TokenBucket(policy), TokenBucket(policy)
    for _ in range(since):
        bucket.take(5.0)
    for _ in range(since + others):
        all_of_it.take(5.0)
    bucket.reconcile(others / policy.per_s, 5.0)
    assert bucket.wait_s(5.0) == pytest.approx(all_of_it.wait_s(5.0), abs=1e-5)


async def test_throttle_rejects_after_the_burst_and_refills_at_its_rate() -> None:
    clock, settings = HandClock(), Settings()
    throttle = Throttles(settings, spend_alone, clock).failed_tokens
    assert take_all(throttle, "a") == settings.failed_tokens_burst
    with pytest.raises(TooManyRequests) as rejected:
        throttle.take("a")
    assert rejected.value.retry_after_ms == 100
    assert take_all(throttle, "b") == settings.failed_tokens_burst
    clock.now += 0.5
    assert take_all(throttle, "a") == 5


def test_rate_of_zero_is_no_limit() -> None:
    throttles = Throttles(Settings(operations_per_second=0, operations_burst=1), spend_alone)
    assert take_all(throttles.operations, "a", at_most=1_000) == 1_000


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_ipv6_clients_are_limited_by_their_network(host: str, network: str) -> None:
    assert client_network(host) == network


@asynccontextmanager
async def shared_buckets(settings: Settings) -> AsyncIterator[SharedBuckets]:
    redis = connect(settings.redis_url, "unused")
    try:
        yield SharedBuckets(redis, settings.redis_prefix)
    finally:
        await close(redis)


async def take_in_turn(processes: list[Throttles], rounds: int) -> int:
    """Take a token in each process, `rounds` times; return how many there were."""
    admitted = 0
    for throttles in processes * rounds:
        admitted += take_all(throttles.operations, "user ann", at_most=1)
        if not throttles.is_idle:
            await eventually(lambda: throttles.is_idle)  # noqa: B023 # awaited at once
    return admitted


async def test_processes_share_a_limit_up_to_one_batch_each(settings: Settings) -> None:
    policy = settings.model_copy(update={"operations_per_second": 100, "operations_burst": 1_000})
    async with shared_buckets(policy) as buckets:
        processes = [Throttles(policy, buckets.spend, HandClock()) for _ in range(4)]
        started_at = time.monotonic()
        admitted = await take_in_turn(processes, 500)
        refilled = (time.monotonic() - started_at) * 100
        assert 1_000 <= admitted <= 1_000 + 4 * 10 + refilled


async def test_most_operations_need_no_call_to_redis(settings: Settings) -> None:
    calls: list[int] = []
    policy = settings.model_copy(update={"operations_per_second": 500, "operations_burst": 5_000})
    async with shared_buckets(settings) as buckets:

        async def counted(spendings: list[Spending]) -> list[float]:
            calls.append(sum(each.tokens for each in spendings))
            return await buckets.spend(spendings)

        throttles = Throttles(policy, counted, HandClock())  # type: ignore[arg-type] # a list
        for _ in range(1_000):
            throttles.operations.take("user ann")
            await eventually(lambda: throttles.is_idle)
        await throttles.aclose()
    assert calls == [50] * 20


async def test_buckets_expire_when_they_are_full(settings: Settings, redis_admin: Redis) -> None:
    async with shared_buckets(settings) as buckets:
        policy = BucketPolicy(per_s=10, burst=100)
        (full_in_s,) = await buckets.spend([Spending(bucket="a", policy=policy, tokens=50)])
    assert full_in_s == pytest.approx(5.0)
    ttl_ms: Any = redis_admin.pttl(f"{settings.redis_prefix}:bucket:a")
    assert 0 < ttl_ms <= 5_001


async def test_overdraft_of_a_bucket_is_at_most_one_burst(settings: Settings) -> None:
    async with shared_buckets(settings) as buckets:
        policy = BucketPolicy(per_s=10, burst=100)
        spending = Spending(bucket="a", policy=policy, tokens=100_000)
        assert await buckets.spend([spending]) == [20.0]


class SlowToEnd:
    """A report that does not end before the test lets it, even if it is canceled."""

    def __init__(self) -> None:
        self.begun, self.canceled, self.may_end = (asyncio.Event() for _ in range(3))

    async def spend(self, _spendings: Sequence[Spending]) -> Sequence[float]:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.canceled.set()
            await self.may_end.wait()
        return ()


async def test_cancellation_of_the_closing_task_is_raised_after_the_report_has_ended() -> None:
    report = SlowToEnd()
    limits = Settings(operations_per_second=10, operations_burst=1)
    throttles = Throttles(limits, report.spend)
    throttles.operations.spend("ann")
    await report.begun.wait()
    closing = asyncio.create_task(throttles.aclose())
    await report.canceled.wait()
    closing.cancel()
    report.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert throttles.is_idle


async def test_malformed_bucket_in_redis_is_full(settings: Settings, redis_admin: Redis) -> None:
    redis_admin.set(f"{settings.redis_prefix}:bucket:a", "nonsense")
    async with shared_buckets(settings) as buckets:
        policy = BucketPolicy(per_s=10, burst=100)
        assert await buckets.spend([Spending(bucket="a", policy=policy, tokens=1)]) == [0.1]


async def test_limit_holds_in_each_process_while_redis_is_away_and_is_shared_again_later(
    settings: Settings, tmp_path: Path
) -> None:
    port, clock = free_port(), HandClock()
    valkey, url = await start_valkey(tmp_path, port)
    limit = {"operations_per_second": 10, "operations_burst": 100, "redis_url": url}
    slow = settings.model_copy(update=limit)
    async with shared_buckets(slow) as buckets:
        one, other = (Throttles(slow, buckets.spend, clock) for _ in range(2))
        valkey.popen.kill()
        await valkey.wait()
        assert [take_all(each.operations, "user ann") for each in (one, other)] == [100, 100]
        await eventually(lambda: one.is_idle and other.is_idle)
        valkey, _ = await start_valkey(tmp_path, port)
        clock.now += 5 + RETRY_S
        await eventually(lambda: take_all(one.operations, "user ann", at_most=1) == 0)
        await valkey.stop()
