"""Rate limits of users and addresses: token buckets in this process, reconciled through Redis.

No operation waits for Redis. What a bucket has spent is reported in batches, in the background;
the answer contains what the other processes have spent.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final, TypeAlias

from cachetools import LRUCache

from ostinato.jobs.arq_queue.shared_buckets import BucketPolicy, Spending
from ostinato.jobs.async_tools.cancellation import cancel_and_wait
from ostinato.jobs.errors import TooManyRequests, Unavailable
from ostinato.jobs.logs import LogThrottle, get_log
from ostinato.jobs.settings import Settings

MAX_BUCKETS: Final = 10_000  # of each kind; a forgotten bucket is full again
BATCHES_PER_S: Final = 10  # the largest number of reports of one bucket, at its full rate
MAX_REPORTED: Final = 100  # buckets in one call
RETRY_S: Final = 1.0  # after a failed report
IPV6_PREFIX: Final = 64  # one client has at least that many IPv6 addresses
TOLERANCE_S: Final = 1e-6

Spend: TypeAlias = Callable[[Sequence[Spending]], Awaitable[Sequence[float]]]
"""Reports spent tokens; returns the seconds until each bucket is full; raises Unavailable."""
Now: TypeAlias = Callable[[], float]

log = get_log("ostinato.throttle")


@dataclass(slots=True, eq=False)
class TokenBucket:
    """This process's view of a bucket. No I/O; `now` is in seconds of any monotonic clock."""

    policy: BucketPolicy
    full_at: float = -math.inf
    """When the bucket will be full again."""
    unreported: int = 0
    """Tokens taken since the last report."""

    @property
    def batch(self) -> int:
        """Return the number of tokens after which to report."""
        return max(1, int(min(self.policy.per_s, self.policy.burst) / BATCHES_PER_S))

    def wait_s(self, now: float) -> float:
        """Return the time until a token is available; 0 if one is."""
        free_in = self.full_at - now - (self.policy.burst - 1) / self.policy.per_s
        return free_in if free_in > TOLERANCE_S else 0.0

    def take(self, now: float) -> None:
        """Take a token, whether or not one is available."""
        self.full_at = max(self.full_at, now) + 1 / self.policy.per_s
        self.unreported += 1

    def reconcile(self, full_in_s: float, now: float) -> None:
        """Adopt the shared bucket's level, less the tokens that it does not contain yet."""
        self.full_at = now + full_in_s + self.unreported / self.policy.per_s


class SpendingReporter:
    """Reports buckets in the background, in one call at a time."""

    def __init__(self, spend: Spend, now: Now) -> None:
        self._spend = spend
        self._now = now
        self._pending: dict[str, TokenBucket] = {}
        self._task: asyncio.Task[None] | None = None
        self._retry_at = -math.inf

    def report(self, name: str, bucket: TokenBucket) -> None:
        """Report a bucket soon; has no effect for a moment after a failed report."""
        if self._now() < self._retry_at:
            return
        self._pending[name] = bucket
        if self._task is None:
            self._task = asyncio.create_task(self._report_pending(), name="throttle")

    @property
    def is_idle(self) -> bool:
        return self._task is None

    async def aclose(self) -> None:
        """Cancel the running report."""
        if self._task is not None:
            await cancel_and_wait(self._task)

    async def _report_pending(self) -> None:
        try:
            while self._pending:
                names = list(self._pending)[:MAX_REPORTED]
                await self._report({name: self._pending.pop(name) for name in names})
        except Unavailable as error:
            log.debug("throttle.not_reported", error=str(error))
            self._retry_at = self._now() + RETRY_S
            self._pending.clear()
        finally:
            self._task = None

    async def _report(self, buckets: dict[str, TokenBucket]) -> None:
        spendings = [
            Spending(bucket=name, policy=bucket.policy, tokens=bucket.unreported)
            for name, bucket in buckets.items()
        ]
        for bucket in buckets.values():
            bucket.unreported = 0
        try:
            full_in_s = await self._spend(spendings)
        except BaseException:
            for bucket, spending in zip(buckets.values(), spendings, strict=True):
                kept = bucket.unreported + spending.tokens
                bucket.unreported = min(kept, bucket.policy.burst)
            raise
        now = self._now()
        for bucket, seconds in zip(buckets.values(), full_in_s, strict=True):
            bucket.reconcile(seconds, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What is limited: `what` and `setting` appear in the error."""

    kind: str
    what: str
    setting: str
    per_s: float
    """0: no limit."""
    burst: int


class Throttle:
    """The buckets of one limit, by user or address."""

    def __init__(self, limit: Limit, reporter: SpendingReporter, now: Now = time.monotonic) -> None:
        self._limit = limit
        self._policy = BucketPolicy(per_s=limit.per_s, burst=limit.burst)
        self._reporter = reporter
        self._now = now
        self._buckets: LRUCache[str, TokenBucket] = LRUCache(MAX_BUCKETS)
        self._log_throttle = LogThrottle(60.0)

    def take(self, holder: str) -> None:
        """Take a token of this holder; raises TooManyRequests if there is none."""
        self.require(holder)
        self.spend(holder)

    def require(self, holder: str) -> None:
        """Raise TooManyRequests unless the holder has a token."""
        bucket = self._buckets.get(holder) if self._limit.per_s else None
        if bucket is not None and (wait_s := bucket.wait_s(self._now())):
            raise self._rejection(holder, wait_s)

    def spend(self, holder: str) -> None:
        """Take a token of this holder, whether or not there is one."""
        if not self._limit.per_s:
            return
        bucket = self._buckets.get(holder)
        if bucket is None:
            bucket = self._buckets[holder] = TokenBucket(self._policy)
        bucket.take(self._now())
        if bucket.unreported >= bucket.batch:
            self._reporter.report(f"{self._limit.kind}:{_digest(holder)}", bucket)

    def _rejection(self, holder: str, wait_s: float) -> TooManyRequests:
        limit = self._limit
        if self._log_throttle.allows(holder):
            log.warning("throttle.rejected", kind=limit.kind, holder=holder, fix=FIX)
        return TooManyRequests(
            f"too many {limit.what}: at most {limit.per_s:g} per second, after {limit.burst} at "
            f"once; wait, or raise {limit.setting} on the server",
            math.ceil((wait_s - TOLERANCE_S) * 1_000),
        )


FIX: Final = (
    "find out what this client does; if it is the address of your proxy, add it to "
    "OSTINATO_TRUSTED_PROXIES"
)


async def spend_alone(_spendings: Sequence[Spending]) -> Sequence[float]:
    """Raise Unavailable: each process limits on its own."""
    raise Unavailable("the limits of this process are not shared: pass a `spend` to share them")


class Throttles:
    """The limits of an API process."""

    def __init__(self, settings: Settings, spend: Spend, now: Now = time.monotonic) -> None:
        self._reporter = SpendingReporter(spend, now)
        operations = Limit(
            kind="operations",
            what="operations",
            setting="OSTINATO_OPERATIONS_PER_SECOND",
            per_s=settings.operations_per_second,
            burst=settings.operations_burst,
        )
        failed_tokens = Limit(
            kind="tokens",
            what="invalid tokens from your address",
            setting="OSTINATO_FAILED_TOKENS_PER_SECOND",
            per_s=settings.failed_tokens_per_second,
            burst=settings.failed_tokens_burst,
        )
        self.operations = Throttle(operations, self._reporter, now)
        """By `operation_holder`."""
        self.failed_tokens = Throttle(failed_tokens, self._reporter, now)
        """By address."""

    @property
    def is_idle(self) -> bool:
        """Return whether everything due has been reported."""
        return self._reporter.is_idle

    async def aclose(self) -> None:
        await self._reporter.aclose()


def operation_holder(user: str | None, address: str) -> str:
    """Return who is limited: the user, or the address if there is no token."""
    return f"address {address}" if user is None else f"user {user}"


@lru_cache(maxsize=4_096)
def client_network(host: str) -> str:
    """Return the address that limits apply to: an IPv6 client has a whole /64 network."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    if (mapped := address.ipv4_mapped) is not None:
        return str(mapped)
    return str(ip_network((int(address), IPV6_PREFIX), strict=False))


def _digest(holder: str) -> str:
    return hashlib.blake2b(holder.encode(), digest_size=16).hexdigest()
