"""Token buckets in Redis: what the API processes have spent together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from arq.connections import ArqRedis

from ostinato.jobs.arq_queue.connection import REDIS_ERRORS
from ostinato.jobs.errors import Unavailable

MICROSECONDS: Final = 1_000_000
MAX_OVERDRAFT: Final = 2  # bursts: processes report what they have spent, which may be too much

_SPEND: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_in = {}
for index, key in ipairs(KEYS) do
  local stored = tonumber(redis.call('GET', key) or '') or 0
  local full_at = math.max(stored, now) + tonumber(ARGV[2 * index - 1])
  full_at = math.min(full_at, now + tonumber(ARGV[2 * index]))
  local ttl_ms = math.max(1, math.ceil((full_at - now) / 1000))
  redis.call('SET', key, string.format('%.0f', full_at), 'PX', ttl_ms)
  full_in[index] = full_at - now
end
return full_in
"""
"""A key holds the time at which its bucket will be full, and exists until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPolicy:
    """A bucket that holds `burst` tokens and is refilled with `per_s` tokens a second."""

    per_s: float
    burst: int

    @property
    def refill_s(self) -> float:
        """Return the time in which an empty bucket becomes full."""
        return self.burst / self.per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Tokens that a process has taken from a bucket since its last report."""

    bucket: str
    policy: BucketPolicy
    tokens: int


class SharedBuckets:
    """The buckets of an installation, by name."""

    def __init__(self, redis: ArqRedis, prefix: str) -> None:
        self._prefix = prefix
        self._spend = redis.register_script(_SPEND)

    async def spend(self, spendings: Sequence[Spending]) -> list[float]:
        """Take the tokens in one call, even if there are too few; return when each bucket is full.

        The result is in seconds from now, in the order of `spendings`. More than the policy's
        `refill_s` means that the bucket is overdrawn. Raises Unavailable.
        """
        keys = [f"{self._prefix}:bucket:{each.bucket}" for each in spendings]
        arguments = [number for each in spendings for number in _arguments(each)]
        try:
            full_in_us: list[int] = await self._spend(keys=keys, args=arguments)
        except REDIS_ERRORS as error:
            raise Unavailable(f"Redis is unavailable: {error}") from error
        return [each / MICROSECONDS for each in full_in_us]


def _arguments(spending: Spending) -> tuple[int, int]:
    """Return the time that refilling the tokens takes, and the largest overdraft, as a time."""
    policy = spending.policy
    most = MAX_OVERDRAFT * policy.refill_s * MICROSECONDS
    return int(spending.tokens * MICROSECONDS / policy.per_s), int(most)
