"""Read-only checks of a Redis server's configuration."""

from datetime import UTC, datetime

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.utils import str_if_bytes

from ostinato.jobs.arq_queue.connection import (
    FIX_CREDENTIALS,
    FIX_UNREACHABLE,
    anonymous,
    close,
    connect,
    url_problem,
)
from ostinato.jobs.end_of_life import REDIS, VALKEY
from ostinato.jobs.findings import Finding

NO_EVICTION = "noeviction"
FIX_OPEN = "set requirepass (or an ACL) on the server and put the password into OSTINATO_REDIS_URL"


async def inspect_redis(redis_url: str) -> list[Finding]:
    """Check the server against Ostinato's requirements."""
    if reason := url_problem(redis_url):
        return [Finding(subject="Redis", detail="cannot be connected to", fix=reason)]
    client = connect(redis_url, "")
    try:
        info = await client.info("server")
        return [
            Finding(subject="Redis", detail=f"answers, version {_version(info)}"),
            _support(info),
            await _access_control(redis_url),
            await _policy(client),
        ]
    except AuthenticationError as error:
        return [
            Finding(subject="Redis", detail=f"rejects the password ({error})", fix=FIX_CREDENTIALS)
        ]
    except (RedisError, OSError) as error:
        return [Finding(subject="Redis", detail=f"does not answer ({error})", fix=FIX_UNREACHABLE)]
    finally:
        await close(client)


def _version(info: dict[str, object]) -> str:
    return str(info.get("valkey_version") or info.get("redis_version"))


def _support(info: dict[str, object]) -> Finding:
    product = VALKEY if "valkey_version" in info else REDIS
    return product.check_support(_version(info), datetime.now(UTC).date())


async def _access_control(redis_url: str) -> Finding:
    """Check that a client without a password is rejected."""
    subject, detail = "Redis access control", "clients without a password are rejected"
    client = anonymous(redis_url)
    try:
        await client.ping()
    except (AuthenticationError, ResponseError):
        return Finding(subject=subject, detail=detail, advised=True)
    finally:
        await close(client)
    detail = "off: whoever can connect can read and change the queue"
    return Finding(subject=subject, detail=detail, fix=FIX_OPEN, advised=True)


async def _policy(client: Redis) -> Finding:
    subject = "maxmemory-policy"
    try:
        found = await client.config_get(subject)
        policy = next(map(str_if_bytes, found.values()))
    except ResponseError:
        return Finding(subject=subject, detail="not readable on this server; it must be noeviction")
    if policy == NO_EVICTION:
        return Finding(subject=subject, detail=policy)
    command = f"CONFIG SET maxmemory-policy {NO_EVICTION}"
    fix = f"set it to {NO_EVICTION}: run `{command}`, and set it in the configuration file"
    return Finding(subject=subject, detail=policy, fix=fix)
